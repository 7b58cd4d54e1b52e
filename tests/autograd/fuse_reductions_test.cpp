// fuse whose lambda ends with a sum or a mean: one number, and the elements are never written.

#include <cmath>
#include <limits>

#include "expect.hpp"
#include "fused_comparison.hpp"

using namespace fused_comparison;
using expect::elements;

namespace {

constexpr auto chain_mean = [](auto x) {
    auto y = tanh(0.5 * x + 1);
    return mean(exp(-square(y)) * sin(x) + sigmoid(x) * y);
};
constexpr auto cheap_sum = [](auto x, auto w) { return sum((x * w - 0.25) * x + w); };
constexpr auto mixed_mean = [](auto x, auto w, auto s) {
    return mean(exp(s) * tanh(x * w) + x / (2.0 + w * w) - s * s);
};
constexpr auto costly_sum = [](auto x, auto w) { return sum(exp(x) * sin(w) + tanh(x * w)); };

}  // namespace

TEST_CASE_TEMPLATE("a fused sum or mean is op by op at sizes around tiles and SIMD widths", T, float, double) {
    for (const std::size_t n : {1U, 3U, 7U, 8U, 9U, 15U, 16U, 17U, 33U, 255U, 256U, 257U, 1000U, 5000U}) {
        const Shape shape{n};
        check_fused<T, 1>(fmt::format("mean, partials saved, {}", n), chain_mean, {shape});
        check_fused<T, 2>(fmt::format("sum, partials saved, {}", n), costly_sum, {shape, shape});
        check_fused<T, 2>(fmt::format("sum, computed again, {}", n), cheap_sum, {shape, shape});
        check_fused<T, 3>(fmt::format("a scalar, {}", n), mixed_mean, {shape, shape, {}});
        check_fused<T, 3>(fmt::format("a row, {}", n), mixed_mean, {{3, n}, {n}, {1, 1}});
        check_fused<T, 3>(fmt::format("a column, {}", n), mixed_mean, {{n, 3}, {n, 1}, {3}});
        check_fused<T, 1>(fmt::format("nothing but the input, {}", n), [](auto x) { return mean(x); }, {shape});
        check_fused<T, 2>(fmt::format("passed on, {}", n), [](auto x, auto w) { return sum(x - w); }, {shape, {}});
    }
}

TEST_CASE_TEMPLATE("what a fused mean is taken over is the inputs' common shape", T, float, double) {
    const std::vector<std::vector<Shape>> cases = {
        {{}, {}, {}},          {{1}, {}, {1, 1}},     {{4, 5}, {5}, {}},       {{4, 1}, {1, 5}, {}},
        {{4, 1}, {5}, {4, 5}}, {{600}, {2, 600}, {}}, {{2, 1, 3}, {4, 1}, {}}, {{3, 700, 2}, {700, 1}, {3, 1, 2}},
    };
    for (std::size_t k = 0; k < cases.size(); ++k) {
        check_fused<T, 3>(fmt::format("case {}", k), mixed_mean, cases[k]);
        check_fused<T, 3>(fmt::format("case {} in part", k), mixed_mean, cases[k], 2, {false, true, false});
        check_fused<T, 3>(fmt::format("case {} by the last", k), mixed_mean, cases[k], 2, {false, false, true});
    }
    const Tensor<T> x = parameter(ones<T>({3}));
    const Tensor<T> total = fuse([](auto a, auto) { return sum(2 * a); }, x, ones<T>({4, 1}));  // the other one unread
    CHECK(total.shape() == Shape{});
    CHECK(total.item() == T(24));
    total.backward();
    CHECK(elements(x.grad()) == std::vector<T>{8, 8, 8});
}

TEST_CASE_TEMPLATE("third derivatives of a fused sum or mean are op by op's", T, float, double) {
    check_fused<T, 1>("chain", chain_mean, {{300}}, 3);
    check_fused<T, 2>("cheap", cheap_sum, {{4, 1}, {3}}, 3);
    check_fused<T, 3>("mixed", mixed_mean, {{4, 1}, {3}, {}}, 3);
}

TEST_CASE_TEMPLATE("the sum and the mean of nothing are 0 and NaN", T, float, double) {
    const Tensor<T> x = parameter(zeros<T>({0, 3}));
    const Tensor<T> nothing = fuse([](auto v) { return sum(exp(v)); }, x);
    CHECK(nothing.item() == T(0));
    CHECK(std::isnan(fuse([](auto v) { return mean(exp(v)); }, x).item()));
    nothing.backward();
    CHECK(x.grad().shape() == Shape{0, 3});
}

TEST_CASE("a fused loss that is replayed twice, weighted and shared with other ops gives the sum of all gradients") {
    const Tensor<double> x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto loss = [&] { return fuse([](auto v) { return sum(exp(v) * sin(v)); }, x); };
    const auto slope = [&](std::size_t i, double weight) {
        const double v = x.data()[i];
        return weight * std::exp(v) * (std::sin(v) + std::cos(v));
    };
    const auto is_weighted = [&](double weight) {
        for (std::size_t i = 0; i < x.size(); ++i) {
            CHECK(x.grad().data()[i] == doctest::Approx(slope(i, weight)).epsilon(1e-14));
        }
    };
    const Tensor<double> y = loss();
    y.backward({.retain_graph = true});
    const Tensor<double> first = x.grad();
    const std::vector<double> kept = elements(first);
    y.backward({.retain_graph = true});  // the saved derivatives must not have been added to
    is_weighted(2);
    y.backward();
    is_weighted(3);
    CHECK(elements(first) == kept);

    x.zero_grad();
    (3.0 * loss() - loss()).backward();
    is_weighted(2);
    x.zero_grad();
    (0.0 * loss()).backward();
    is_weighted(0);

    x.zero_grad();
    (loss() + sum(square(x))).backward();
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(x.grad().data()[i] == doctest::Approx(slope(i, 1) + 2 * x.data()[i]).epsilon(1e-14));
    }
}

TEST_CASE("a fused loss is one node, and saves as much as its inputs and their derivatives") {
    const Tensor<float> x = parameter(random::normal<float>({1000}));
    const std::size_t nodes = tape().nodes();
    const Tensor<float> y = fuse(chain_mean, x);
    CHECK(tape().nodes() == nodes + 1);
    CHECK(tape().bytes() >= 2 * 1000 * sizeof(float));
    CHECK(tape().bytes() < 3 * 1000 * sizeof(float));
    y.backward();
    CHECK(x.grad().shape() == Shape{1000});
}

TEST_CASE_TEMPLATE(
    "where a fused loss selects, what was not chosen gets 0 whatever it is, and however large the loss's "
    "own gradient",
    T, float, double) {
    const auto safe_root = [](auto x) { return sum(where(x > 0, sqrt(x) * exp(x), 0.0)); };
    const Tensor<T> x = parameter(xt::xarray<T>{-1, 0, 4});
    for (const T weight : {T(1), T(2), std::numeric_limits<T>::infinity()}) {
        x.zero_grad();
        fuse(safe_root, x).backward(Tensor<T>(weight));
        CHECK(x.grad().data()[0] == T(0));
        CHECK(x.grad().data()[1] == T(0));
        CHECK(x.grad().data()[2] > T(0));
    }
}
