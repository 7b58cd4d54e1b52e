// fuse keeps every promise at delicate points: exactly what op by op gives, infinities, NaNs and zeros included, for
// derivatives that are saved, computed again, and recorded.

#include <limits>

#include "fused_comparison.hpp"

using namespace fused_comparison;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool same_number(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= 1e-5 * std::abs(b);
}

template <class T>
Tensor<T> list(std::initializer_list<double> values) {
    Tensor<T> x = Tensor<T>::uninitialized(Shape(values.size()));
    std::transform(values.begin(), values.end(), x.fresh_data(), [](double v) { return static_cast<T>(v); });
    return x;
}

/// Every pair of delicate numbers, and every incoming gradient for each.
template <class T>
struct Grid {
    Tensor<T> x;
    Tensor<T> y;
    Tensor<T> seed;
};
template <class T>
Grid<T> grid() {
    const Tensor<T> points = list<T>({-inf, -1e4, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e4, inf, nan});
    const Tensor<T> seeds = list<T>({1.0, -2.0, 0.0, -0.0, inf, nan});
    const std::size_t count = points.size() * points.size() * seeds.size();
    const auto flat = [&](const Tensor<T>& x, const Shape& shape) {
        return reshape(broadcast_to(reshape(x, shape), {points.size(), points.size(), seeds.size()}), {count});
    };
    return {flat(points, {points.size(), 1, 1}), flat(points, {points.size(), 1}), flat(seeds, {seeds.size()})};
}

template <class T>
void check_same(const std::string& name, const char* what, const Grid<T>& at, const Tensor<T>& got,
                const Tensor<T>& expected) {
    int wrong = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (!same_number(static_cast<double>(got.data()[i]), static_cast<double>(expected.data()[i])) && ++wrong <= 3) {
            FAIL_CHECK(fmt::format("{}, {}, at ({}, {}), g = {}: {}, op by op {}", name, what, at.x.data()[i],
                                   at.y.data()[i], at.seed.data()[i], got.data()[i], expected.data()[i]));
        }
    }
}

/// f(x, y) on the grid. Its partial derivatives are saved where f costs enough; where another input broadcasts, never.
template <class T, class F>
void check_points(const std::string& name, const F& f) {
    const Grid<T> at = grid<T>();
    const auto x = parameter(at.x);
    const auto y = parameter(at.y);
    const auto third = parameter(zeros<T>({1}));
    const auto with_third = [&](auto a, auto b, auto c) { return f(a, b) - c; };
    const auto composed = f(x, y);
    const auto fused = fuse(f, x, y);
    const auto again = fuse(with_third, x, y, third);
    check_same(name, "value", at, fused, composed);
    const auto gradients = [&](const Tensor<T>& result, const Tensor<T>& seed, bool create_graph) {
        return grad(result, {x, y},
                    {.seed = seed, .retain_graph = true, .create_graph = create_graph, .allow_unused = true});
    };
    const auto seed = parameter(at.seed);
    const auto expected = gradients(composed, seed, true);
    const auto compare = [&](const char* what, const Tensors<T>& got) {
        check_same(name, what, at, got[0], expected[0]);
        check_same(name, what, at, got[1], expected[1]);
    };
    compare("gradient", gradients(fused, seed, false));
    compare("gradient, computed again", gradients(again, seed, false));
    const auto recorded = gradients(fused, seed, true);
    compare("recorded gradient", recorded);
    // The second derivatives for each way in.
    for (std::size_t k = 0; k < 2; ++k) {
        if (!expected[k].requires_grad()) {
            continue;
        }
        const auto second = [&](const Tensor<T>& g) {
            return grad(g, {x, y, seed}, {.seed = ones_like(g), .retain_graph = true, .allow_unused = true});
        };
        const auto got = second(recorded[k]);
        const auto theirs = second(expected[k]);
        check_same(name, k == 0 ? "second by x, x" : "second by y, x", at, got[0], theirs[0]);
        check_same(name, k == 0 ? "second by x, y" : "second by y, y", at, got[1], theirs[1]);
        check_same(name, k == 0 ? "second by x, g" : "second by y, g", at, got[2], theirs[2]);
    }
}

}  // namespace

#define XTAPE_POINTS(expression)                                                                   \
    check_points<double>(#expression, [](auto x, [[maybe_unused]] auto y) { return expression; }); \
    check_points<float>(#expression " in float", [](auto x, [[maybe_unused]] auto y) { return expression; })

TEST_CASE("every op of one input keeps its conventions inside fuse") {
    XTAPE_POINTS(-x);
    XTAPE_POINTS(abs(x));
    XTAPE_POINTS(sign(x));
    XTAPE_POINTS(square(x));
    XTAPE_POINTS(cube(x));
    XTAPE_POINTS(sqrt(x));
    XTAPE_POINTS(rsqrt(x));
    XTAPE_POINTS(cbrt(x));
    XTAPE_POINTS(reciprocal(x));
    XTAPE_POINTS(exp(x));
    XTAPE_POINTS(exp2(x));
    XTAPE_POINTS(expm1(x));
    XTAPE_POINTS(log(x));
    XTAPE_POINTS(log2(x));
    XTAPE_POINTS(log10(x));
    XTAPE_POINTS(log1p(x));
    XTAPE_POINTS(sin(x));
    XTAPE_POINTS(cos(x));
    XTAPE_POINTS(tan(x));
    XTAPE_POINTS(asin(x));
    XTAPE_POINTS(acos(x));
    XTAPE_POINTS(atan(x));
    XTAPE_POINTS(sinh(x));
    XTAPE_POINTS(cosh(x));
    XTAPE_POINTS(tanh(x));
    XTAPE_POINTS(asinh(x));
    XTAPE_POINTS(acosh(x));
    XTAPE_POINTS(atanh(x));
    XTAPE_POINTS(erf(x));
    XTAPE_POINTS(erfc(x));
    XTAPE_POINTS(lgamma(x));
    XTAPE_POINTS(digamma(x));
    XTAPE_POINTS(polygamma(1, x));
    XTAPE_POINTS(sigmoid(x));
    XTAPE_POINTS(log_sigmoid(x));
    XTAPE_POINTS(softplus(x));
    XTAPE_POINTS(relu(x));
    XTAPE_POINTS(leaky_relu(x, 0.1));
    XTAPE_POINTS(elu(x, 0.5));
    XTAPE_POINTS(gelu(x));
    XTAPE_POINTS(silu(x));
    XTAPE_POINTS(floor(x));
    XTAPE_POINTS(ceil(x));
    XTAPE_POINTS(round(x));
    XTAPE_POINTS(trunc(x));
    XTAPE_POINTS(clip(x, -1, 2));
}

TEST_CASE("every op of two inputs keeps its conventions inside fuse") {
    XTAPE_POINTS(x + y);
    XTAPE_POINTS(x - y);
    XTAPE_POINTS(x * y);
    XTAPE_POINTS(x / y);
    XTAPE_POINTS(pow(x, y));
    XTAPE_POINTS(pow(x, 2));
    XTAPE_POINTS(pow(x, 0));
    XTAPE_POINTS(pow(2, y) + x);
    XTAPE_POINTS(maximum(x, y));
    XTAPE_POINTS(minimum(x, y));
    XTAPE_POINTS(atan2(x, y));
    XTAPE_POINTS(hypot(x, y));
    XTAPE_POINTS(fmod(x, y));
    XTAPE_POINTS(logaddexp(x, y));
    XTAPE_POINTS(where(x > y, x, y));
    XTAPE_POINTS(where(x <= 0, 1, y));
}

TEST_CASE("what a branch computes that is not taken can't poison a fused gradient") {
    XTAPE_POINTS(where(x > 0, sqrt(x), 0));
    XTAPE_POINTS(where(x > 0, log(x) * y, 0.0));
    XTAPE_POINTS(where(x > 0, where(y > 0, log(x * y), sqrt(-y)), 1 / x));
    XTAPE_POINTS(where(x > 1, pow(x - 1, 0.5), where(x < -1, log(-x), y)) * exp(0.25 * y));
    XTAPE_POINTS(relu(x) * sqrt(relu(y)));
    XTAPE_POINTS(maximum(x, 0.0) + log(maximum(y, 0.0)));
    XTAPE_POINTS(sqrt(where(x > 0, x, 0)) + y);
    XTAPE_POINTS(exp(clip(x, -1, 2)) - sqrt(clip(y, 0, 2)));
    XTAPE_POINTS(abs(x) * leaky_relu(y, 0.0));
    XTAPE_POINTS(square(sqrt(x)) + y);
}

TEST_CASE("the Hessian at a perfect fit is right") {
    const auto x = parameter(xt::xarray<double>{1.0, -2.0, 0.0});
    const auto target = x.detach();
    const auto y = sum(fuse([](auto a, auto b) { return square(a - b); }, x, target));
    const auto g = grad(y, {x}, {.create_graph = true})[0];
    const auto h = grad(sum(g), {x})[0];
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(g.data()[i] == 0.0);
        CHECK(h.data()[i] == 2.0);
    }
}
