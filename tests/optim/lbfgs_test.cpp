// What LBFGS promises beyond PyTorch's trajectories, which are in lbfgs_reference_test.

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using optim::LBFGS;
using optim::LBFGSOptions;
using optim::LineSearch;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A convex quadratic of an x of shape (3), with its minimum at (1, -2, 3).
template <class T>
Tensor<T> bowl(const Tensor<T>& x) {
    const Tensor<T> scale(xt::xarray<T>{1, 10, 100});
    const Tensor<T> centre(xt::xarray<T>{1, -2, 3});
    return sum(scale * square(x - centre));
}

/// A closure for the bowl.
template <class T>
auto closure_of(const Tensor<T>& x) {
    return [x] {
        x.zero_grad();
        auto loss = bowl(x);
        loss.backward();
        return loss;
    };
}

}  // namespace

TEST_CASE("LBFGS finds the minimum of a quadratic in float and in double, at any scale of its axes") {
    const auto find = []<class T>(T, double tolerance) {
        const auto x = parameter(zeros<T>({3}));
        LBFGS<T> optimiser({x}, {.max_iter = 50, .tolerance_change = 0, .line_search_fn = LineSearch::strong_wolfe});
        optimiser.step(closure_of(x));
        CHECK(x.value()(0) == doctest::Approx(1).epsilon(tolerance));
        CHECK(x.value()(1) == doctest::Approx(-2).epsilon(tolerance));
        CHECK(x.value()(2) == doctest::Approx(3).epsilon(tolerance));
    };
    find(0.0F, 1e-4);
    find(0.0, 1e-8);
}

TEST_CASE("LBFGS::step returns the loss before the first iteration") {
    const auto x = parameter(zeros<double>({3}));
    const double before = bowl(x).item();
    LBFGS<double> optimiser({x});
    CHECK(optimiser.step(closure_of(x)).item() == before);
    CHECK(bowl(x).item() < before);
}

TEST_CASE("LBFGS leaves a parameter without a gradient alone and moves those with one, whatever their shapes") {
    const auto x = parameter(xt::xarray<double>{{4., 5.}, {6., 7.}});
    const auto unused = parameter(xt::xarray<double>{8., 9.});
    const auto scalar = parameter(10.0);
    LBFGS<double> optimiser({x, unused, scalar}, {.max_iter = 50, .line_search_fn = LineSearch::strong_wolfe});
    optimiser.step([&] {
        optimiser.zero_grad();
        auto loss = sum(square(x - 1.0)) + 3.0 * square(scalar - 2.0);
        loss.backward();
        return loss;
    });
    for (const double element : elements(x)) {
        CHECK(element == doctest::Approx(1));
    }
    CHECK(scalar.item() == doctest::Approx(2));
    CHECK(elements(unused) == std::vector<double>{8, 9});
}

TEST_CASE("LBFGS stays at a minimum: one evaluation and nothing is written") {
    const auto x = parameter(xt::xarray<double>{1., -2., 3.});
    int evaluations = 0;
    LBFGS<double> optimiser({x});
    optimiser.step([&] {
        ++evaluations;
        return closure_of(x)();
    });
    CHECK(evaluations == 1);
    CHECK(elements(x) == std::vector<double>{1, -2, 3});
}

TEST_CASE("what a closure throws leaves the parameters and the curvature learned as they were") {
    for (const auto search : {LineSearch::none, LineSearch::strong_wolfe}) {
        for (int fails_at = 1; fails_at <= 3; ++fails_at) {
            const auto run = [&](bool with_failure) {
                const auto x = parameter(zeros<double>({3}));
                LBFGS<double> optimiser({x}, {.lr = 0.1, .max_iter = 4, .line_search_fn = search});
                optimiser.step(closure_of(x));
                if (with_failure) {
                    const auto before = elements(x);
                    int call = 0;
                    CHECK_THROWS_AS(optimiser.step([&] {
                        if (++call == fails_at) {
                            throw std::runtime_error("no more data");
                        }
                        return closure_of(x)();
                    }),
                                    std::runtime_error);
                    CHECK(elements(x) == before);
                }
                optimiser.step(closure_of(x));
                return elements(x);
            };
            CHECK(run(true) == run(false));
        }
    }
}

TEST_CASE("LBFGS refuses options, closures, losses and groups that it can't work with, and says why") {
    const auto x = parameter(zeros<double>({3}));
    const auto refused = [&](const LBFGSOptions& options) {
        return message<ValueError>([&] { LBFGS<double>({x}, options); });
    };
    CHECK(contains(refused({.lr = -1}), "lr is -1"));
    CHECK(contains(refused({.lr = not_a_number}), "lr is nan"));
    CHECK(contains(refused({.tolerance_grad = -1}), "tolerance_grad is -1"));
    CHECK(contains(refused({.tolerance_change = -1}), "tolerance_change is -1"));
    CHECK(contains(refused({.history_size = 0}), "history_size is 0"));

    LBFGS<double> optimiser({x});
    CHECK(contains(message<ValueError>([&] { optimiser.step(LBFGS<double>::Closure()); }), "closure is empty"));
    CHECK_THROWS_AS(optimiser.step([&] { return square(x); }), ValueError);
    optim::Optimizer<double, LBFGSOptions>& base = optimiser;
    CHECK(contains(message<ValueError>([&] { base.step(); }), "call step(closure)"));
    optimiser.groups()[0].options.lr = -2;
    CHECK(contains(message<ValueError>([&] { optimiser.step(closure_of(x)); }), "lr is -2"));
    optimiser.groups()[0].options.lr = 1;
    CHECK(elements(x) == std::vector<double>{0, 0, 0});

    base.add_group({parameter(1.0)}, {});
    CHECK(contains(message<ValueError>([&] { optimiser.step(closure_of(x)); }), "2 groups"));
}
