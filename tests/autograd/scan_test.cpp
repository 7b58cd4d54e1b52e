// scan against the same steps recorded one by one: values, derivatives of several orders, shapes, conventions, errors.

#include <limits>

#include "expect.hpp"
#include "fused_comparison.hpp"

using namespace fused_comparison;
using expect::elements;
using expect::message;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

constexpr auto next = [](auto y, auto x, auto w) { return tanh(w * y + x); };
constexpr auto cell = [](auto hidden, auto memory, auto x, auto w, auto b) {
    auto after = memory * sigmoid(x * w + b) + sigmoid(hidden * w) * tanh(hidden * b - x);
    return std::array{sigmoid(x - w) * tanh(after), after};
};
constexpr auto three = [](auto a, auto b, auto c, auto x) {
    return std::tuple{b, 0.5 * a - c * x, where(x > 0, sin(a), 0.9 * c)};
};

/// Checks f on random inputs of these shapes, the states' first, whose results are of `shape`.
template <class T, std::size_t states, class F, std::size_t count>
void check_scan(const std::string& name, const F& f, const Shape& shape, const Shape (&shapes)[count], int order = 2,
                const std::vector<bool>& wanted = {}) {
    const Pair<T> pair{name, [&](const Tensors<T>& xs) { return by_scan<T, states, count - states>(f, xs); },
                       [&](const Tensors<T>& xs) { return by_steps<T, states, count - states>(f, xs, shape); }};
    check_pair(pair, {shapes, shapes + count}, order, wanted);
}

}  // namespace

TEST_CASE_TEMPLATE("scan is its steps one by one, for rows around SIMD widths and tiles", T, float, double) {
    for (const std::size_t n : {1U, 2U, 3U, 7U, 8U, 9U, 14U, 16U, 17U, 33U, 256U, 1030U}) {
        const Shape shape{5, n};
        check_scan<T, 1>(fmt::format("one state, {}", n), next, shape, {{n}, shape, {n}});
        check_scan<T, 2>(fmt::format("two states, {}", n), cell, shape, {{n}, {n}, shape, {n}, {1}});
        check_scan<T, 3>(fmt::format("three states, {}", n), three, shape, {{n}, {n}, {n}, shape});
    }
    for (const std::size_t steps : {1U, 2U, 3U, 40U}) {
        const Shape shape{steps, 6};
        check_scan<T, 1>(fmt::format("one state, {} steps", steps), next, shape, {{6}, shape, {6}});
        check_scan<T, 2>(fmt::format("two states, {} steps", steps), cell, shape, {{6}, {6}, shape, {6}, {}});
    }
}

TEST_CASE_TEMPLATE("scan of an integrator", T, float, double) {
    const auto runge_kutta = [](auto theta, auto omega, auto force, auto rate, auto drag) {
        const auto acceleration = [&](auto angle, auto velocity) {
            return force - rate * sin(angle) - drag * velocity;
        };
        for (int step = 0; step < 3; ++step) {
            const auto a1 = acceleration(theta, omega);
            const auto v2 = omega + 0.05 * a1;
            const auto a2 = acceleration(theta + 0.05 * omega, v2);
            theta = theta + 0.1 * (omega + 2 * v2) / 3;
            omega = omega + 0.1 * (a1 + 2 * a2) / 3;
        }
        return std::array{theta, omega};
    };
    check_scan<T, 2>("rows", runge_kutta, {6, 3}, {{3}, {3}, {6, 1}, {}, {}});
    check_scan<T, 2>("scalars", runge_kutta, {6}, {{}, {}, {6}, {}, {}});
}

TEST_CASE_TEMPLATE("scan's inputs broadcast", T, float, double) {
    check_scan<T, 1>("scalar state", next, {7}, {{}, {7}, {}});
    check_scan<T, 1>("a number for each step", next, {7, 3}, {{3}, {7, 1}, {7, 1}});
    check_scan<T, 1>("a number for all", next, {7, 3}, {{}, {7, 3}, {1, 1}});
    check_scan<T, 1>("a row with its axis", next, {7, 3}, {{3}, {1, 3}, {7, 1}});
    check_scan<T, 1>("matrices", next, {4, 2, 3}, {{2, 3}, {4, 2, 3}, {2, 3}});
    check_scan<T, 1>("rows and columns of matrices", next, {4, 2, 3}, {{2, 1}, {4, 1, 3}, {2, 1}});
    check_scan<T, 1>("a state from what is said of inputs alone", next, {4, 2, 3}, {{}, {4, 1, 1}, {2, 3}});
    check_scan<T, 2>("states of two shapes", cell, {4, 2, 3}, {{3}, {2, 1}, {4, 2, 3}, {3}, {4, 1, 1}});
    check_scan<T, 1>("in part", next, {7, 3}, {{3}, {7, 3}, {3}}, 2, {false, false, true});
    check_scan<T, 1>("by the initial state", next, {7, 3}, {{3}, {7, 3}, {3}}, 2, {true, false, false});
    check_scan<T, 2>("by what one state alone depends on", cell, {7, 3}, {{3}, {3}, {7, 3}, {3}, {3}}, 2,
                     {false, true, false, true, false});
}

TEST_CASE_TEMPLATE("third derivatives through scan", T, float, double) {
    check_scan<T, 1>("one state", next, {4, 3}, {{3}, {4, 3}, {3}}, 3);
    check_scan<T, 3>("three states", three, {3, 2}, {{2}, {2}, {2}, {3, 2}}, 3);
}

TEST_CASE_TEMPLATE("states that depend on little", T, float, double) {
    const Shape shape{4, 5};
    check_scan<T, 1>("on no state", [](auto, auto x) { return exp(x); }, shape, {{5}, shape});
    check_scan<T, 1>("on no input", [](auto y, auto) { return sin(y); }, shape, {{5}, shape}, 2, {true, false});
    check_scan<T, 1>("on an input without derivative", [](auto y, auto x) { return y + sign(x); }, shape, {{5}, shape},
                     2, {true, false});
    check_scan<T, 2>("on the other alone",
                     [](auto a, auto b, auto x) {
                         return std::tuple{b * x, a};
                     },
                     shape, {{5}, {5}, shape});
    check_scan<T, 2>("the same twice",
                     [](auto a, auto b, auto x) {
                         auto next = a * b - x;
                         return std::array{next, next};
                     },
                     shape, {{5}, {5}, shape});
    check_scan<T, 1>("sums", [](auto y, auto x) { return y + x; }, shape, {{5}, shape});
    check_scan<T, 1>("products", [](auto y, auto x) { return y * x; }, shape, {{5}, shape});
}

TEST_CASE("a state may become a number") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0, 3.0});
    const auto [a, b] = scan(
        [](auto p, auto q, auto s) {
            return std::tuple{0.5, p * s + q};
        },
        {2.0 * x, x}, ones<double>({2, 1}));
    CHECK(elements(a) == std::vector<double>(6, 0.5));
    CHECK(elements(b) == std::vector<double>{3, 6, 9, 3.5, 6.5, 9.5});
    CHECK(elements(grad(sum(b), {x})[0]) == std::vector<double>{6, 6, 6});
}

TEST_CASE("scan is one node, and without a parameter none") {
    const auto w = parameter(0.5);
    const auto xs = arange<double>(10);
    const auto before = tape().nodes();
    const auto y = scan(next, 0.25 * ones<double>({}), xs, w);
    CHECK(tape().nodes() == before + 1);
    CHECK(y.shape() == Shape{10});
    CHECK_FALSE(scan(next, zeros<double>({}), xs, w.detach()).requires_grad());
    const NoGradGuard guard;
    CHECK_FALSE(scan(next, zeros<double>({}), xs, w).requires_grad());
}

TEST_CASE("a tensor may be handed to scan several times") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto loss = [&](const auto& y) { return sum(square(y)); };
    const auto steps = [&] {
        Tensor<double> y = x;
        Tensor<double> total = 0.0;
        for (int t = 0; t < 3; ++t) {
            y = tanh(x * y + x);
            total += loss(y);
        }
        return total;
    };
    const auto scanned = scan(next, x, broadcast_to(x, {3, 3}), x);
    const auto g = grad(loss(scanned), {x})[0];
    const auto expected = grad(steps(), {x})[0];
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(g.data()[i] == doctest::Approx(expected.data()[i]).epsilon(1e-13));
    }
    // x comes as a scalar for all, a scalar state and a number for each step.
    const auto s = parameter(0.3);
    const auto t = scan(next, s, stack({s, s, s}), s);
    CHECK(grad(sum(t), {s})[0].item() == doctest::Approx(grad(tanh(s * s + s) + tanh(s * tanh(s * s + s) + s) +
                                                                  tanh(s * tanh(s * tanh(s * s + s) + s) + s),
                                                              {s})[0]
                                                             .item()));
}

TEST_CASE("what a step does not choose sends no gradient, whatever it would be") {
    const auto x = parameter(xt::xarray<double>{-1.0, 4.0});
    const auto root = [](auto y, auto at) { return where(at > 0, sqrt(at) + y, 1.0 + y); };
    CHECK(elements(grad(sum(scan(root, zeros<double>({}), x)), {x})[0]) == std::vector<double>{0, 0.25});
    const auto y0 = parameter(xt::xarray<double>{0.0, 4.0});
    const auto of_state = [](auto s, auto at) { return where(s > 0, sqrt(s), 0.0) + at; };
    const auto y = scan(of_state, y0, zeros<double>({1, 2}));
    CHECK(elements(grad(sum(y), {y0}, {.retain_graph = true})[0]) == std::vector<double>{0, 0.25});
    const auto infinite = grad(y, {y0}, {.seed = Tensor<double>(xt::xarray<double>{{inf, inf}})})[0];
    CHECK(elements(infinite) == std::vector<double>{0, inf});
}

TEST_CASE("empty scans") {
    const auto w = parameter(xt::xarray<double>{0.5, 1.0});
    CHECK(scan(next, zeros<double>({2}), zeros<double>({0, 2}), w).shape() == Shape{0, 2});
    CHECK(scan(next, zeros<double>({0}), zeros<double>({3, 0}), parameter(zeros<double>({0}))).shape() == Shape{3, 0});
    const auto [a, b] =
        scan(cell, {zeros<float>({}), zeros<float>({})}, zeros<float>({0}), ones<float>({}), ones<float>({}));
    CHECK(a.shape() == Shape{0});
    CHECK(b.shape() == Shape{0});
}

TEST_CASE("transforms go through scan") {
    const auto f = [](const Tensor<double>& p) {
        return scan(next, Tensor<double>(xt::xarray<double>{0.1, 0.2}), expand_dims(arange<double>(3), 1), p);
    };
    const auto loss = [&](const Tensor<double>& p) { return sum(square(f(p))); };
    const Tensor<double> w(xt::xarray<double>{0.7, -0.4});
    const Tensor<double> v(xt::xarray<double>{1.0, 2.0});
    const auto h = hessian(loss, w);
    const auto hv = hvp(loss, w, v);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(hv.data()[i] == doctest::Approx(h.data()[2 * i] + 2 * h.data()[2 * i + 1]));
    }
    CHECK(check_gradients([&](const std::vector<Tensor<double>>& x) { return loss(x[0]); }, {w}, {.order = 2}).ok);
    const auto [y, d] = jvp(f, w, v);
    const auto j = jacobian(f, w);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(d.data()[i] == doctest::Approx(j.data()[2 * i] + 2 * j.data()[2 * i + 1]));
    }
}

TEST_CASE("scan's errors name it and the shapes") {
    const auto text = message<ShapeError>([] {
        (void)scan(next, zeros<double>({3}), zeros<double>({5, 2}), ones<double>({}));
    });
    CHECK(text.find("scan: shapes (1, 3) and (5, 2) do not broadcast") == 0);
    const auto w = parameter(ones<double>({4}));
    const auto before = tape().nodes();
    CHECK_THROWS_AS((void)scan(next, zeros<double>({3}), zeros<double>({5, 3}), w), ShapeError);
    CHECK(tape().nodes() == before);
}
