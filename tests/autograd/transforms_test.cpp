// value_and_grad, vjp and jvp: what they return, how they nest, what they record and what they refuse.

#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/jacobian.hpp>

#include "expect.hpp"
#include "short_names.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using short_names::a;
using short_names::b;
using short_names::Inputs;
using short_names::Value;
using short_names::Values;

namespace {

// Rows (x0 x1, sin x2): J = [[x1, x0, 0], [0, 0, cos x2]].
Value pair_of(const Value& x) { return stack({view(x, 0) * view(x, 1), sin(view(x, 2))}); }

void check_near(const Value& x, const Values& expected) {
    REQUIRE(x.size() == expected.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(x.data()[i] == doctest::Approx(expected[i]).epsilon(1e-14));
    }
}

// The gradient of f, as a function to differentiate again.
template <class F>
auto slope(F f) {
    return [f](const Value& x) { return value_and_grad(f, x).second; };
}

}  // namespace

TEST_CASE("value_and_grad gives f(x) and its gradient, of one input and of several") {
    const auto [y, g] = value_and_grad([](const Value& x) { return sum(cube(x)); }, a);
    CHECK(y.item() == 0.125 - 1.0 + 8.0);
    CHECK(elements(g) == Values{0.75, 3.0, 12.0});

    const auto f = [](const Inputs& x) { return sum(x[0] * square(x[1])); };
    const auto [z, both] = value_and_grad(f, {a, b});
    CHECK(z.item() == doctest::Approx(0.5 * 2.25 - 0.0625 + 2 * 0.5625));
    REQUIRE(both.size() == 2);
    CHECK(elements(both[0]) == elements(square(b)));
    CHECK(elements(both[1]) == elements(2.0 * a * b));
    const auto [same, again] = value_and_grad(f, Inputs{a, b});
    CHECK(elements(again[1]) == elements(both[1]));
    CHECK(same.item() == z.item());
    const auto [w, one] = value_and_grad([](const Inputs& x) { return sum(x[0]); }, {a});
    CHECK(elements(one.at(0)) == Values{1.0, 1.0, 1.0});
    CHECK(w.item() == 1.5);
}

TEST_CASE("the transforms work in single precision") {
    const Tensor<float> x{xt::xarray<float>{1.F, 2.F}};
    const auto f = [](const Tensor<float>& t) { return sum(cube(t)); };
    CHECK(elements(value_and_grad(f, x).second) == std::vector<float>{3.F, 12.F});
    CHECK(elements(jvp([](const Tensor<float>& t) { return square(t); }, x, x).second) == std::vector<float>{2.F, 8.F});
    CHECK(elements(hvp(f, x, x)) == std::vector<float>{6.F, 24.F});
    CHECK(elements(hessian(f, x)) == std::vector<float>{6.F, 0.F, 0.F, 12.F});
}

TEST_CASE("vjp pulls a cotangent back, jvp pushes a tangent forward") {
    const auto [y, g] = vjp(pair_of, a, Value(xt::xarray<double>{2.0, 3.0}));
    CHECK(elements(y) == elements(pair_of(a)));
    check_near(g, {-2.0, 1.0, 3.0 * std::cos(2.0)});
    const auto [z, d] = jvp(pair_of, a, Value(xt::xarray<double>{1.0, 10.0, 100.0}));
    CHECK(elements(z) == elements(y));
    check_near(d, {-1.0 + 5.0, 100.0 * std::cos(2.0)});
}

TEST_CASE("vjp and jvp of several inputs, and of functions with several results") {
    const auto product = [](const Inputs& x) { return x[0] * x[1]; };
    const auto [y, g] = vjp(product, {a, b}, ones<double>({3}));
    CHECK(elements(g.at(0)) == elements(b));
    CHECK(elements(g.at(1)) == elements(a));
    CHECK(elements(vjp(product, {a, b}, {ones<double>({3})}).second[0]) == elements(b));
    CHECK(elements(vjp(product, Inputs{a, b}, Inputs{ones<double>({3})}).second[0]) == elements(b));
    const auto [z, d] = jvp(product, {a, b}, {b, a});
    CHECK(elements(d) == elements(b * b + a * a));
    CHECK(elements(z) == elements(y));

    const auto two = [](const Inputs& x) { return Inputs{sum(x[0] * x[1]), exp(x[1])}; };
    const auto [ys, gs] = vjp(two, {a, b}, {2.0, a});
    CHECK(elements(ys.at(1)) == elements(exp(b)));
    CHECK(elements(gs.at(0)) == elements(2.0 * b));
    check_near(gs.at(1), elements(2.0 * a + a * exp(b)));
    const auto [zs, ds] = jvp(two, Inputs{a, b}, Inputs{a, b});
    CHECK(ds.at(0).item() == doctest::Approx(2.0 * sum(a * b).item()));
    check_near(ds.at(1), elements(exp(b) * b));
    CHECK(zs.size() == 2);
    const auto [halves, pulled] = vjp([](const Value& x) { return split(x, 2, 0); }, ones<double>({4}),
                                      {full<double>({2}, 3.0), full<double>({2}, 5.0)});
    CHECK(elements(pulled) == Values{3.0, 3.0, 5.0, 5.0});
    CHECK(halves.size() == 2);
}

TEST_CASE("inputs that f does not use get zeros, and so does an f that uses none") {
    const auto first = [](const Inputs& x) { return sum(square(x[0])); };
    CHECK(elements(value_and_grad(first, {a, ones<double>({2})}).second[1]) == Values{0.0, 0.0});
    const auto constant = [](const Value&) { return Value(7.0); };
    CHECK(value_and_grad(constant, a).first.item() == 7.0);
    CHECK(elements(value_and_grad(constant, a).second) == Values{0.0, 0.0, 0.0});
    CHECK(elements(vjp(constant, a, 2.0).second) == Values{0.0, 0.0, 0.0});
    CHECK(jvp(constant, a, b).second.item() == 0.0);
    CHECK(elements(hvp([](const Value& x) { return sum(x); }, a, b)) == Values{0.0, 0.0, 0.0});
    const auto partly = [](const Inputs& x) { return Inputs{x[0] * 2.0, Value(1.0)}; };
    CHECK(jvp(partly, {a, b}, {a, b}).second[1].item() == 0.0);
    CHECK(elements(vjp(partly, {a, b}, {b, 1.0}).second[0]) == elements(2.0 * b));
}

TEST_CASE("third derivatives of tanh, exp(-x^2) and x^4 by nested gradients are exact") {
    const auto third = [](auto f, double x) { return slope(slope(slope(f)))(Value(x)).item(); };
    for (const double x : {-1.7, -0.3, 0.0, 0.8, 2.1}) {
        const double t = std::tanh(x);
        const double s = 1 - t * t;
        CHECK(std::abs(third([](const Value& v) { return tanh(v); }, x) - s * (6 * t * t - 2)) <= 1e-9);
        const double e = std::exp(-x * x);
        CHECK(std::abs(third([](const Value& v) { return exp(-square(v)); }, x) - e * (12 * x - 8 * x * x * x)) <=
              1e-9);
        CHECK(std::abs(third([](const Value& v) { return pow(v, 4.0); }, x) - 24 * x) <= 1e-9);
        CHECK(std::abs(third([](const Value& v) { return v * v * v * v; }, x) - 24 * x) <= 1e-9);
    }
    // The innermost gradient by `grad`, of a tensor that an outer transform made.
    const auto by_grad = [](const Value& x) { return grad(tanh(x), {x}, {.create_graph = true})[0]; };
    const double t = std::tanh(0.4);
    CHECK(slope(slope(by_grad))(Value(0.4)).item() == doctest::Approx((1 - t * t) * (6 * t * t - 2)));
}

TEST_CASE("transforms nest under a NoGradGuard too, which only keeps their results off the tape outside") {
    const NoGradGuard guard;
    const Value w = parameter(2.0);
    const auto f = [&](const Value& x) { return w * cube(x); };
    const Value third = slope(slope(slope(f)))(parameter(5.0));
    CHECK(third.item() == 12.0);
    CHECK_FALSE(third.requires_grad());
    CHECK(jvp(slope(f), Value(5.0), 1.0).second.item() == 60.0);
}

TEST_CASE("jvp keeps zeros strong: what a branch not taken would give does not count") {
    const Value x(xt::xarray<double>{0.0, 4.0, -1.0});
    const auto f = [](const Value& t) { return where(t.value() > 0, sqrt(t), 0.0); };
    CHECK(elements(jvp(f, x, ones<double>({3})).second) == Values{0.0, 0.25, 0.0});
    CHECK(elements(jvp(f, x, zeros<double>({3})).second) == Values{0.0, 0.0, 0.0});
    CHECK(elements(vjp(f, x, ones<double>({3})).second) == Values{0.0, 0.25, 0.0});
}

TEST_CASE("nested derivatives are by their own x: the same tensor captured from outside counts as constant") {
    // d/dt (t x) at t = x is x, so the outer derivative of x^2 ... not of 2 x^2.
    const auto outer = [](const Value& x) {
        return x * value_and_grad([&](const Value& t) { return t * x; }, x).second;
    };
    CHECK(slope(outer)(Value(3.0)).item() == 6.0);
    // Perturbation confusion (Siskind and Pearlmutter): d/dx (x d/dy (x + y)) = 1.
    const auto confusing = [](const Value& x) {
        return x * jvp([&](const Value& y) { return x + y; }, Value(1.0), 1.0).second;
    };
    CHECK(jvp(confusing, Value(1.0), 1.0).second.item() == 1.0);
    CHECK(slope(confusing)(Value(1.0)).item() == 1.0);
}

TEST_CASE("every transform can stand inside every other") {
    const auto f = [](const Value& x) { return exp(sin(x)); };
    const double x = 0.7;
    const double s = std::sin(x);
    const double c = std::cos(x);
    const double second = std::exp(s) * (c * c - s);
    const double third = std::exp(s) * (c * c * c - 3 * s * c - c);
    const Value one = 1.0;
    using Function = std::function<Value(const Value&)>;
    const std::vector<std::function<Function(Function)>> derivatives{
        [](const Function& h) { return [h](const Value& t) { return value_and_grad(h, t).second; }; },
        [one](const Function& h) { return [h, one](const Value& t) { return vjp(h, t, one).second; }; },
        [one](const Function& h) { return [h, one](const Value& t) { return jvp(h, t, one).second; }; },
        [](const Function& h) { return [h](const Value& t) { return jacobian(h, t); }; },
    };
    for (const auto& inner : derivatives) {
        for (const auto& outer : derivatives) {
            CHECK(outer(inner(f))(x).item() == doctest::Approx(second).epsilon(1e-12));
            for (const auto& outermost : derivatives) {
                CHECK(outermost(outer(inner(f)))(x).item() == doctest::Approx(third).epsilon(1e-12));
            }
        }
        CHECK(inner([&](const Value& t) { return hessian(f, t); })(x).item() == doctest::Approx(third).epsilon(1e-12));
        CHECK(inner([&](const Value& t) { return hvp(f, t, one); })(x).item() == doctest::Approx(third).epsilon(1e-12));
        CHECK(hessian(inner(f), Value(x)).item() == doctest::Approx(third).epsilon(1e-12));
        CHECK(hvp(inner(f), Value(x), one).item() == doctest::Approx(third).epsilon(1e-12));
    }
}

TEST_CASE("results are recorded exactly when recording is on and they depend on something recorded outside") {
    const auto cubes = [](const Value& x) { return sum(cube(x)); };
    const Value w = parameter(xt::xarray<double>{1.0, 2.0});
    const Value constant = ones<double>({2});
    const auto with_w = [&](const Value& x) { return sum(w * square(x)); };
    const auto is_recorded = [](const auto& results) {
        CHECK(results.first.requires_grad() == results.second.requires_grad());
        return results.second.requires_grad();
    };
    CHECK_FALSE(is_recorded(value_and_grad(cubes, constant)));
    CHECK_FALSE(is_recorded(value_and_grad(cubes, w.detach())));
    CHECK(is_recorded(value_and_grad(cubes, w)));
    CHECK(is_recorded(value_and_grad(cubes, w * 2.0)));
    CHECK(is_recorded(value_and_grad(with_w, constant)));
    CHECK_FALSE(vjp(cubes, constant, 1.0).second.requires_grad());
    CHECK(vjp(cubes, constant, sum(w)).second.requires_grad());
    CHECK_FALSE(jvp(cubes, constant, constant).second.requires_grad());
    CHECK(jvp(cubes, constant, w).second.requires_grad());
    CHECK(hvp(cubes, constant, w).requires_grad());
    CHECK_FALSE(hvp(cubes, constant, constant).requires_grad());
    CHECK(hessian(with_w, constant).requires_grad());
    CHECK_FALSE(hessian(cubes, constant).requires_grad());
    CHECK(jacobian([](const Value& x) { return square(x); }, w).requires_grad());
    // f gives back what it captured.
    const auto captured = value_and_grad([&](const Value&) { return sum(w); }, constant);
    CHECK(captured.first.requires_grad());
    {
        const NoGradGuard guard;
        const auto [y, g] = value_and_grad(with_w, w);
        CHECK_FALSE(y.requires_grad());
        CHECK_FALSE(g.requires_grad());
        CHECK(elements(g) == Values{2.0, 8.0});
        CHECK_FALSE(is_recording());
    }
    CHECK(is_recording());
    CHECK_FALSE(w.has_grad());
}

TEST_CASE("a recorded result goes on to what it depends on outside") {
    const Value w = parameter(3.0);
    const auto [y, g] = value_and_grad([&](const Value& x) { return w * cube(x); }, Value(2.0));
    (y + g).backward();  // 8 w + 12 w
    CHECK(w.grad().item() == 20.0);
    w.zero_grad();
    jvp([](const Value& x) { return square(x); }, w, 5.0).second.backward();  // 10 w
    CHECK(w.grad().item() == 10.0);
    w.zero_grad();
    vjp([](const Value& x) { return square(x); }, Value(4.0), w).second.backward();  // 8 w
    CHECK(w.grad().item() == 8.0);
    w.zero_grad();
    // Along a tangent that is recorded too: d/dw (6 w w).
    hvp([](const Value& x) { return cube(x); }, w, w).backward();
    CHECK(w.grad().item() == 36.0);
}

TEST_CASE("a transform leaves the tape as it was, whether it returns or throws") {
    const std::size_t nodes = tape().nodes();
    (void)value_and_grad([](const Value& x) { return sum(exp(x)); }, a);
    (void)jvp([](const Value& x) { return exp(x); }, a, b);
    CHECK(tape().nodes() == nodes);
    const NoGradGuard guard;
    const auto broken = [](const Value& x) -> Value {
        const Value y = exp(x);
        throw std::domain_error("f's own");
    };
    CHECK_THROWS_AS((void)value_and_grad(broken, a), std::domain_error);
    CHECK_FALSE(is_recording());
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("what does not fit is refused with the transform's name and both shapes") {
    const auto squares = [](const Value& x) { return square(x); };
    const auto total = [](const Inputs& x) { return sum(x.front()); };
    CHECK(message<ShapeError>([&] { (void)value_and_grad(squares, a); }) ==
          "value_and_grad: f returned shape (3,), not one element; reduce it (sum, mean), or ask for the jacobian or a "
          "vjp");
    CHECK(message<ShapeError>([&] { (void)vjp(squares, a, ones<double>({2})); }) ==
          "vjp: v has shape (2,) and f(x) (3,); they must be the same");
    CHECK(message<ShapeError>([&] {
              (void)vjp(squares, a, {a, a});
          }) == "vjp: v has 2 tensors and f(x) has 1; give one for each, of its shape");
    CHECK(message<ShapeError>([&] {
              (void)jvp(squares, a, ones<double>({1, 3}));
          }) == "jvp: v has shape (1, 3) and x (3,); they must be the same");
    CHECK(message<ShapeError>([&] {
              (void)jvp(total, {a, b}, {a});
          }) == "jvp: v has 1 tensors and x has 2; give one for each, of its shape");
    CHECK(message<ShapeError>([&] {
              (void)jvp(total, {a, b}, {a, ones<double>({4})});
          }) == "jvp: v[1] has shape (4,) and x (3,); they must be the same");
    CHECK(message<ValueError>([&] { (void)value_and_grad(total, Inputs{}); }) ==
          "value_and_grad: there are no inputs to differentiate by; give at least one tensor");
    CHECK(message<ValueError>([&] { (void)vjp(total, Inputs{}, 1.0); }).starts_with("vjp: there are no inputs"));
    CHECK(message<ValueError>([&] { (void)jvp(total, Inputs{}, Inputs{}); }).starts_with("jvp: there are no inputs"));
    CHECK(message<ValueError>([&] { (void)value_and_grad(squares, Value()); }).starts_with("this tensor is empty"));
}
