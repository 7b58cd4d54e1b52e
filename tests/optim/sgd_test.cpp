// SGD by hand, and what it refuses. Its trajectories against PyTorch's are in sgd_reference_test.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using optim::SGD;
using optim::SGDOptions;

namespace {

using Values = std::vector<double>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Gives a parameter this gradient and no other.
void set_gradient(const Tensor<double>& p, const Values& g) {
    p.zero_grad();
    auto seed = Tensor<double>::uninitialized(p.shape());
    std::copy(g.begin(), g.end(), seed.fresh_data());
    p.backward(seed);
}

/// The rule as its documentation has it, number by number.
struct ByHand {
    SGDOptions options;
    double theta;
    double velocity = 0;
    bool first = true;

    void step(double g) {
        g += options.weight_decay * theta;
        if (options.momentum != 0) {
            velocity = first ? g : options.momentum * velocity + (1 - options.dampening) * g;
            first = false;
            g = options.nesterov ? g + options.momentum * velocity : velocity;
        }
        theta -= options.lr * g;
    }
};

const std::vector<SGDOptions> combinations{
    {.lr = 0.1},
    {.lr = 0.1, .momentum = 0.9},
    {.lr = 0.1, .momentum = 0.9, .dampening = 0.5},
    {.lr = 0.1, .momentum = 0.9, .dampening = 1.0},
    {.lr = 0.1, .momentum = 0.9, .nesterov = true},
    {.lr = 0.1, .weight_decay = 0.3},
    {.lr = 0.1, .momentum = 0.5, .dampening = 0.25, .weight_decay = 0.3},
    {.lr = 0.1, .momentum = 0.5, .weight_decay = 0.3, .nesterov = true},
    {.lr = 0.0, .momentum = 0.5},
};

}  // namespace

TEST_CASE("three steps by hand: θ from 1, gradients 2, -1, 4, η = 1/4, α = 1/2") {
    const auto run = [](SGDOptions options) {
        const auto p = parameter(1.0);
        SGD<double> opt({p}, options);
        Values path;
        for (const double g : {2.0, -1.0, 4.0}) {
            set_gradient(p, {g});
            opt.step();
            path.push_back(p.item());
        }
        return path;
    };
    // θ -= g / 4
    CHECK(run({.lr = 0.25}) == Values{0.5, 0.75, -0.25});
    // v = 2, 0, 4
    CHECK(run({.lr = 0.25, .momentum = 0.5}) == Values{0.5, 0.5, -0.5});
    // v = 2, 1 - 1/2, 1/4 + 2
    CHECK(run({.lr = 0.25, .momentum = 0.5, .dampening = 0.5}) == Values{0.5, 0.375, -0.1875});
    // g + v/2 = 3, -1, 6
    CHECK(run({.lr = 0.25, .momentum = 0.5, .nesterov = true}) == Values{0.25, 0.5, -1.0});
    // g + θ = 3, -3/4, 4 + 7/16
    CHECK(run({.lr = 0.25, .weight_decay = 1.0}) == Values{0.25, 0.4375, -0.671875});
}

TEST_CASE_TEMPLATE("every combination of options follows its formula, element by element and in vectors of any length",
                   T, float, double) {
    random::seed(1);
    for (const std::size_t n : {1U, 3U, 8U, 17U, 100U}) {
        for (const SGDOptions& options : combinations) {
            const auto p = parameter(random::normal<T>({n}));
            std::vector<ByHand> by_hand;
            for (const T v : p.value()) {
                by_hand.push_back({.options = options, .theta = static_cast<double>(v)});
            }
            SGD<T> opt({p}, options);
            for (int step = 0; step < 3; ++step) {
                const auto g = random::normal<T>({n});
                p.zero_grad();
                p.backward(g);
                opt.step();
                for (std::size_t i = 0; i < n; ++i) {
                    by_hand[i].step(static_cast<double>(g.data()[i]));
                    const double tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-14;
                    CHECK(std::abs(static_cast<double>(p.data()[i]) - by_hand[i].theta) < tolerance);
                }
            }
        }
    }
}

TEST_CASE("at constant η without dampening Δθ = α Δθ - η ∇") {
    const auto p = parameter(1.0);
    SGD<double> opt({p}, {.lr = 0.25, .momentum = 0.5});
    double last = 0;
    for (const double g : {2.0, -1.0, 4.0, 0.5}) {
        const double before = p.item();
        set_gradient(p, {g});
        opt.step();
        last = 0.5 * last - 0.25 * g;
        CHECK(p.item() - before == last);
    }
}

TEST_CASE("a step never writes to gradients") {
    for (const SGDOptions& options : combinations) {
        const auto p = parameter(xt::xarray<double>{1.0, 2.0, 3.0});
        SGD<double> opt({p}, options);
        set_gradient(p, {4.0, 5.0, 6.0});
        const auto g = p.grad();
        for (int step = 0; step < 3; ++step) {
            opt.step();
            CHECK(p.grad().ref() == g.ref());
            CHECK(elements(g) == Values{4.0, 5.0, 6.0});
        }
    }
}

TEST_CASE("a parameter without a gradient is left alone, weight decay and momentum included") {
    const auto with = parameter(1.0);
    const auto without = parameter(1.0);
    SGD<double> opt({with, without}, {.lr = 0.25, .momentum = 0.5, .weight_decay = 0.5});
    set_gradient(with, {1.0});
    set_gradient(without, {1.0});
    opt.step();
    const double after_one = without.item();
    without.zero_grad();
    set_gradient(with, {1.0});
    opt.step();
    CHECK(without.item() == after_one);
    CHECK(with.item() != after_one);
    // Its velocity waits for it: v = 1.5 / 2 + (1 + θ / 2)
    set_gradient(without, {1.0});
    opt.step();
    CHECK(without.item() == after_one - 0.25 * (0.75 + 1.0 + 0.5 * after_one));
}

TEST_CASE("a parameter that joins later begins with v = g") {
    const auto p = parameter(1.0);
    const auto late = parameter(1.0);
    SGD<double> opt({p, late}, {.lr = 0.25, .momentum = 0.5, .dampening = 0.75});
    set_gradient(p, {2.0});
    opt.step();
    set_gradient(late, {2.0});
    opt.step();
    CHECK(late.item() == 0.5);
    CHECK(p.item() == 0.5 - 0.25 * (0.5 * 2.0 + 0.25 * 2.0));
}

TEST_CASE("options may be changed between steps") {
    const auto p = parameter(1.0);
    SGD<double> opt({p}, {.lr = 0.25});
    set_gradient(p, {1.0});
    opt.step();
    CHECK(p.item() == 0.75);
    opt.groups()[0].options.lr = 0.5;
    opt.step();
    CHECK(p.item() == 0.25);
    opt.groups()[0].options.momentum = 0.5;  // from now on: the first step of the velocity
    opt.step();
    CHECK(p.item() == -0.25);
    opt.step();
    CHECK(p.item() == -1.0);
    opt.groups()[0].options.weight_decay = 1.0;
    opt.step();  // v = 1.5 / 2 + (1 - 1)
    CHECK(p.item() == -1.375);
}

TEST_CASE("groups have options of their own, and zero_grad reaches all of them") {
    const auto a = parameter(1.0);
    const auto b = parameter(1.0);
    const auto c = parameter(1.0);
    SGD<double> opt({a}, {.lr = 0.25});
    opt.add_group({b, c}, {.lr = 0.5, .momentum = 0.5});
    for (const auto& p : {a, b, c}) {
        set_gradient(p, {1.0});
    }
    opt.step();
    opt.step();
    CHECK(a.item() == 0.5);
    CHECK(b.item() == 1.0 - 0.5 - 0.75);
    CHECK(c.item() == b.item());
    CHECK(opt.groups().size() == 2);
    CHECK(opt.groups()[1].parameters.size() == 2);
    opt.zero_grad();
    for (const auto& p : {a, b, c}) {
        CHECK_FALSE(p.has_grad());
    }
}

TEST_CASE("a step records nothing, and works on a gradient that has a graph") {
    const auto p = parameter(2.0);
    SGD<double> opt({p}, {.lr = 0.25, .momentum = 0.5, .weight_decay = 0.5});
    (p * p).backward({.create_graph = true});
    const std::size_t nodes = tape().nodes();
    opt.step();
    CHECK(tape().nodes() == nodes);
    CHECK(p.item() == 2.0 - 0.25 * 5.0);
    CHECK(p.is_leaf());
}

TEST_CASE("an optimiser may be moved, and keeps its velocities") {
    const auto p = parameter(1.0);
    SGD<double> first({p}, {.lr = 0.25, .momentum = 0.5});
    set_gradient(p, {1.0});
    first.step();
    SGD<double> second = std::move(first);
    second.step();
    CHECK(p.item() == 1.0 - 0.25 - 0.25 * 1.5);
}

TEST_CASE("options that are not allowed are refused by name, value and what is allowed") {
    const auto p = parameter(1.0);
    const auto refused = [&](SGDOptions options) { return message<ValueError>([&] { SGD<double>({p}, options); }); };
    CHECK(refused({.lr = not_a_number}) == "SGD: lr is nan; it must be finite and not negative");
    CHECK(refused({.lr = -0.1}) == "SGD: lr is -0.1; it must be finite and not negative");
    CHECK(refused({.lr = infinity}) == "SGD: lr is inf; it must be finite and not negative");
    CHECK(refused({.lr = 0.1, .momentum = -0.9}) == "SGD: momentum is -0.9; it must be finite and not negative");
    CHECK(refused({.lr = 0.1, .momentum = not_a_number}) == "SGD: momentum is nan; it must be finite and not negative");
    CHECK(refused({.lr = 0.1, .dampening = not_a_number}) == "SGD: dampening is nan; it must be finite");
    CHECK(refused({.lr = 0.1, .weight_decay = -1.0}) == "SGD: weight_decay is -1; it must be finite and not negative");
    CHECK(refused({.lr = 0.1, .nesterov = true}) ==
          "SGD: nesterov needs momentum above 0 and dampening 0; they are 0 and 0");
    CHECK(refused({.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .nesterov = true}) ==
          "SGD: nesterov needs momentum above 0 and dampening 0; they are 0.9 and 0.5");
    CHECK_NOTHROW((SGD<double>({p}, {.lr = 0.0})));
}

TEST_CASE("a list of parameters that is empty, or holds one twice or what is none, is refused") {
    const auto p = parameter(xt::xarray<double>{1.0, 2.0});
    const auto q = parameter(1.0);
    CHECK(message<ValueError>([] { SGD<double>({}, {.lr = 0.1}); }) ==
          "optimizer: the list of parameters is empty; pass module.parameters()");
    CHECK(message<ValueError>([&] {
              SGD<double>({q, p, p}, {.lr = 0.1});
          }) == "optimizer: parameter 2 of shape (2,) is given twice; each may be in one group only");
    CHECK(message<ValueError>([&] {
              SGD<double>({q, Tensor<double>(1.0)}, {.lr = 0.1});
          }) == "optimizer: tensor 1 of shape () is no parameter; make it with xtape::parameter");
    CHECK(message<ValueError>([&] { SGD<double>({2.0 * p}, {.lr = 0.1}); }) ==
          "optimizer: tensor 0 of shape (2,) is no parameter; make it with xtape::parameter");
    CHECK_THROWS_AS((SGD<double>({Tensor<double>()}, {.lr = 0.1})), ValueError);
}

TEST_CASE("a refused group changes nothing") {
    const auto p = parameter(1.0);
    const auto q = parameter(1.0);
    SGD<double> opt({p}, {.lr = 0.25});
    CHECK(message<ValueError>([&] {
              opt.add_group({q, p}, {.lr = 0.1});
          }) == "optimizer: parameter 1 of shape () is given twice; each may be in one group only");
    CHECK_THROWS_AS(opt.add_group({q}, {.lr = not_a_number}), ValueError);
    CHECK_THROWS_AS(opt.add_group({}, {.lr = 0.1}), ValueError);
    CHECK(opt.groups().size() == 1);
    set_gradient(q, {1.0});
    set_gradient(p, {1.0});
    opt.step();
    CHECK(q.item() == 1.0);
    CHECK(p.item() == 0.75);
    CHECK_NOTHROW(opt.add_group({q}, {.lr = 0.1}));
}

TEST_CASE("options that were made bad between steps are refused at the next, which then changes nothing") {
    const auto p = parameter(1.0);
    const auto q = parameter(1.0);
    SGD<double> opt({p}, {.lr = 0.25, .momentum = 0.5});
    opt.add_group({q}, {.lr = 0.25});
    set_gradient(p, {1.0});
    set_gradient(q, {1.0});
    const auto saved = p * q;
    opt.groups()[1].options.lr = not_a_number;
    CHECK(message<ValueError>([&] { opt.step(); }) == "SGD: lr is nan; it must be finite and not negative");
    CHECK(p.item() == 1.0);
    CHECK(q.item() == 1.0);
    CHECK(p.grad().item() == 1.0);
    CHECK_NOTHROW(saved.backward({.retain_graph = true}));  // no version went up
    opt.groups()[1].options.lr = 0.25;
    set_gradient(p, {1.0});
    set_gradient(q, {1.0});
    opt.step();
    CHECK(p.item() == 0.75);
    CHECK(q.item() == 0.75);
}
