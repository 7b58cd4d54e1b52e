// Dropout: what is dropped, how the rest is scaled, and which masks come again.

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

TEST_CASE_TEMPLATE("Dropout drops a share p and scales the rest, so that the mean stays", T, float, double) {
    random::seed(1);
    const auto x = ones<T>({100000});
    for (const double p : {0.1, 0.5, 0.9}) {
        nn::Dropout<T> dropout(p);
        const auto y = dropout(x);
        const auto values = elements(y);
        const auto dropped = std::ranges::count(values, T(0));
        const auto kept = std::ranges::count(values, static_cast<T>(1 / (1 - p)));
        CHECK(dropped + kept == 100000);
        CHECK(std::abs(static_cast<double>(dropped) / 1e5 - p) < 0.006);  // four standard deviations at p = 0.5
        CHECK(std::abs(static_cast<double>(mean(y).item()) - 1.0) < 0.04);
    }
}

TEST_CASE("the gradient goes where the value went") {
    random::seed(2);
    nn::Dropout<double> dropout(0.3);
    const auto x = parameter(full<double>({50}, 2.0));
    const auto y = dropout(x);
    sum(y).backward();
    CHECK(elements(x.grad()) == elements(y.detach() / 2.0));
    const auto result = check_gradients(
        [](const std::vector<Tensor<double>>& v) {
            nn::Dropout<double> fixed(0.3, {.seed = 5});
            return square(fixed(v[0]));
        },
        {random::normal<double>({3, 4})}, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
}

TEST_CASE("in evaluation, and with p = 0, Dropout is the identity; with p = 1 nothing remains") {
    const auto x = random::normal<double>({20});
    nn::Dropout<double> dropout(0.5);
    dropout.eval();
    CHECK(dropout(x).ref() == x.ref());
    dropout.train();
    CHECK(elements(dropout(x)) != elements(x));
    CHECK(nn::Dropout<double>(0.0)(x).ref() == x.ref());
    for (const double v : elements(nn::Dropout<double>(1.0)(x))) {
        CHECK(v == 0.0);
    }
}

TEST_CASE("masks follow the seed: the same again, and another each time") {
    const auto x = ones<double>({64});
    nn::Dropout<double> dropout;
    random::seed(3);
    const auto first = elements(dropout(x));
    const auto second = elements(dropout(x));
    CHECK(first != second);
    random::seed(3);
    (void)random::normal<double>({7});  // other draws don't matter
    CHECK(elements(dropout(x)) == first);
    CHECK(elements(dropout(x)) == second);
    random::seed(4);
    CHECK(elements(dropout(x)) != first);
}

TEST_CASE("a seed of its own makes a Dropout independent of random::seed, and its clone goes on from there") {
    const auto x = ones<double>({64});
    nn::Dropout<double> a(0.5, {.seed = 9});
    nn::Dropout<double> b(0.5, {.seed = 9});
    random::seed(1);
    const auto first = elements(a(x));
    random::seed(2);
    CHECK(elements(b(x)) == first);
    const auto copy = a.clone();
    const auto second = elements(a(x));
    CHECK(second != first);
    CHECK(elements((*copy)(x)) == second);
    a.eval();
    CHECK_FALSE(a.clone()->is_training());
}

TEST_CASE("Dropout refuses what is no probability") {
    CHECK(message<ValueError>([] { nn::Dropout<double>(1.5); }) == "Dropout: p is 1.5; a probability lies in [0, 1]");
    CHECK_THROWS_AS(nn::Dropout<double>(-0.1), ValueError);
    CHECK_THROWS_AS((nn::Dropout<double>(std::nan(""))), ValueError);
}
