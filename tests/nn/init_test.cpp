// Initialisers: the spread that each promises, by its fans.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

struct Spread {
    double mean = 0;
    double stddev = 0;
    double largest = 0;
    double kurtosis = 0;  // 1.8 for an even distribution, 3 for a normal one
};

template <class F>
Spread spread_of(F initialise, const Shape& shape) {
    random::seed(1);
    const auto w = parameter(full<double>(shape, 1e9));
    initialise(w);
    Spread s;
    const auto n = static_cast<double>(w.size());
    for (const double v : w.value()) {
        s.mean += v / n;
        s.largest = std::max(s.largest, std::abs(v));
    }
    double second = 0;
    double fourth = 0;
    for (const double v : w.value()) {
        const double d = v - s.mean;
        second += d * d / n;
        fourth += d * d * d * d / n;
    }
    s.stddev = std::sqrt(second);
    s.kurtosis = fourth / (second * second);
    return s;
}

void check_even(const Spread& s, double bound) {
    CHECK(s.largest <= bound);
    CHECK(s.largest > 0.999 * bound);
    CHECK(s.stddev == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.01));
    CHECK(s.kurtosis == doctest::Approx(1.8).epsilon(0.02));
    CHECK(std::abs(s.mean) < 0.02 * bound);
}

void check_normal(const Spread& s, double stddev) {
    CHECK(s.stddev == doctest::Approx(stddev).epsilon(0.01));
    CHECK(s.kurtosis == doctest::Approx(3.0).epsilon(0.05));
    CHECK(std::abs(s.mean) < 0.02 * stddev);
}

const Shape shape{300, 500};  // 500 in, 300 out

}  // namespace

TEST_CASE("kaiming goes by the inputs") {
    check_even(spread_of([](const auto& w) { nn::init::kaiming_uniform(w); }, shape),
               std::sqrt(2.0) * std::sqrt(3.0 / 500));
    check_even(spread_of([](const auto& w) { nn::init::kaiming_uniform(w, 0.5); }, shape), 0.5 * std::sqrt(3.0 / 500));
    check_normal(spread_of([](const auto& w) { nn::init::kaiming_normal(w); }, shape), std::sqrt(2.0 / 500));
    check_normal(spread_of([](const auto& w) { nn::init::kaiming_normal(w, 3.0); }, shape), 3.0 / std::sqrt(500.0));
}

TEST_CASE("xavier goes by inputs and outputs") {
    check_even(spread_of([](const auto& w) { nn::init::xavier_uniform(w); }, shape), std::sqrt(6.0 / 800));
    check_even(spread_of([](const auto& w) { nn::init::xavier_uniform(w, 2.0); }, shape), 2.0 * std::sqrt(6.0 / 800));
    check_normal(spread_of([](const auto& w) { nn::init::xavier_normal(w); }, shape), std::sqrt(2.0 / 800));
}

TEST_CASE("further axes multiply both fans") {
    check_even(spread_of([](const auto& w) { nn::init::kaiming_uniform(w, 1.0); }, {100, 200, 2, 3}),
               std::sqrt(3.0 / 1200));
    check_normal(spread_of([](const auto& w) { nn::init::xavier_normal(w); }, {100, 200, 2, 3}), std::sqrt(2.0 / 1800));
}

TEST_CASE("uniform and normal are as asked, zeros are zeros") {
    const auto s = spread_of([](const auto& w) { nn::init::uniform(w, 3.0, 5.0); }, shape);
    CHECK(s.mean == doctest::Approx(4.0).epsilon(0.001));
    CHECK(s.largest < 5.0);
    check_even(spread_of([](const auto& w) { nn::init::uniform(w, -0.25, 0.25); }, shape), 0.25);
    check_normal(spread_of([](const auto& w) { nn::init::normal(w, 0.0, 0.25); }, shape), 0.25);
    CHECK(spread_of([](const auto& w) { nn::init::normal(w, 7.0, 0.1); }, shape).mean ==
          doctest::Approx(7.0).epsilon(0.001));
    CHECK(spread_of([](const auto& w) { nn::init::zeros(w); }, shape).largest == 0.0);
    const auto w = parameter(zeros<double>({2}));
    nn::init::uniform(w, 2.0, 2.0);
    CHECK(elements(w) == std::vector<double>{2.0, 2.0});
}

TEST_CASE_TEMPLATE("orthogonal makes the shorter side orthonormal, times the gain", T, float, double) {
    random::seed(2);
    for (const Shape& extents : {Shape{4, 4}, Shape{3, 20}, Shape{20, 3}, Shape{1, 1}, Shape{6, 2, 5}}) {
        const auto w = parameter(zeros<T>(extents));
        nn::init::orthogonal(w, 2.0);
        const auto matrix = reshape(w, {static_cast<std::ptrdiff_t>(extents[0]), -1});
        const bool wide = matrix.shape()[0] <= matrix.shape()[1];
        const auto gram = wide ? matmul(matrix, transpose(matrix)) : matmul(transpose(matrix), matrix);
        const auto n = gram.shape()[0];
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                const double expected = i == j ? 4.0 : 0.0;
                CHECK(std::abs(static_cast<double>(gram.data()[i * n + j]) - expected) <
                      (sizeof(T) == 4 ? 2e-6 : 1e-14));
            }
        }
    }
}

TEST_CASE("orthogonal matrices are drawn, not one and the same") {
    random::seed(3);
    const auto a = parameter(zeros<double>({5, 5}));
    const auto b = parameter(zeros<double>({5, 5}));
    nn::init::orthogonal(a);
    nn::init::orthogonal(b);
    CHECK(elements(a) != elements(b));
    double signs = 0;
    for (int i = 0; i < 200; ++i) {  // no preferred sign in the first entry
        nn::init::orthogonal(a);
        signs += a.data()[0] > 0 ? 1 : -1;
    }
    CHECK(std::abs(signs) < 60);
}

TEST_CASE("initialisers go by random::seed and by nothing else that draws") {
    const auto draw = [] {
        const auto w = parameter(zeros<double>({3, 3}));
        nn::init::kaiming_normal(w);
        return elements(w);
    };
    random::seed(4);
    const auto first = draw();
    const auto second = draw();
    CHECK(first != second);
    random::seed(4);
    (void)random::uniform<double>({1000});
    (void)random::normal<double>({10});
    CHECK(draw() == first);
    CHECK(draw() == second);
}

TEST_CASE("constants can be initialised; results of ops cannot, and stay as they were") {
    const auto constant = ones<double>({2, 2});
    nn::init::zeros(constant);
    CHECK(elements(constant) == std::vector<double>(4, 0.0));
    const auto x = parameter(ones<double>({2, 2}));
    const auto y = exp(x);
    const auto before = elements(y);
    CHECK(message<GraphError>([&] { nn::init::zeros(y); }) ==
          "zeros: this tensor of shape (2, 2) is the result of an op, and what was recorded can't be overwritten; "
          "initialise a parameter or a "
          "constant");
    CHECK_THROWS_AS(nn::init::uniform(y), GraphError);
    CHECK_THROWS_AS(nn::init::normal(y), GraphError);
    CHECK_THROWS_AS(nn::init::kaiming_uniform(y), GraphError);
    CHECK_THROWS_AS(nn::init::orthogonal(y), GraphError);
    CHECK(elements(y) == before);
}

TEST_CASE("initialisers refuse shapes without fans and spreads that are none, and change nothing") {
    const auto bias = parameter(ones<double>({3}));
    CHECK(message<ShapeError>([&] { nn::init::kaiming_uniform(bias); }) ==
          "kaiming_uniform: shape (3,) has no fans; it takes a weight (out, in)");
    CHECK(message<ShapeError>([&] { nn::init::kaiming_normal(bias); }).find("kaiming_normal: shape (3,)") == 0);
    CHECK(message<ShapeError>([&] { nn::init::xavier_uniform(bias); }).find("xavier_uniform: shape (3,)") == 0);
    CHECK(message<ShapeError>([&] { nn::init::xavier_normal(bias); }).find("xavier_normal: shape (3,)") == 0);
    CHECK(message<ShapeError>([&] { nn::init::orthogonal(bias); }).find("orthogonal: shape (3,)") == 0);
    CHECK_THROWS_AS(nn::init::kaiming_uniform(parameter(1.0)), ShapeError);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(message<ValueError>([&] { nn::init::uniform(bias, 1.0, -1.0); }) ==
          "uniform: from 1 to -1; both must be finite, and the first no larger than the second");
    CHECK_THROWS_AS(nn::init::uniform(bias, nan, 1.0), ValueError);
    CHECK(message<ValueError>([&] { nn::init::normal(bias, 0.0, -1.0); }) ==
          "normal: mean 0, standard deviation -1; both must be finite, and the second not negative");
    const auto w = parameter(ones<double>({2, 2}));
    CHECK_THROWS_AS(nn::init::kaiming_uniform(w, nan), ValueError);
    CHECK_THROWS_AS(nn::init::orthogonal(w, nan), ValueError);
    CHECK(elements(bias) == std::vector<double>(3, 1.0));
    CHECK(elements(w) == std::vector<double>(4, 1.0));
}
