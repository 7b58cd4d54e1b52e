// jacobian, hessian and hvp: against closed forms, and against vjp and jvp on random functions.

#include <cmath>
#include <functional>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/jacobian.hpp>

#include "expect.hpp"
#include "short_names.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using short_names::Inputs;
using short_names::Value;
using short_names::Values;

namespace {

double distance(const Value& p, const Value& q) {
    REQUIRE(p.shape() == q.shape());
    return p.size() == 0 ? 0.0 : amax(abs(p.detach() - q.detach())).item();
}

// sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2
Value rosenbrock(const Value& x) {
    const Value head = view(x, xt::range(0, -1));
    const Value tail = view(x, xt::range(1, xt::placeholders::_));
    return sum(100.0 * square(tail - square(head)) + square(1.0 - head));
}

// A function from random ops that are smooth everywhere, with sums and products that couple all elements.
class RandomFunction {
public:
    RandomFunction(std::uint64_t seed, std::size_t inputs, std::size_t outputs) {
        random::Stream stream(seed, random::stream_id("random functions"));
        const auto matrix = [&](std::size_t rows, std::size_t columns) {
            xt::xarray<double> m = xt::xarray<double>::from_shape({rows, columns});
            for (double& element : m) {
                element = stream.normal() / std::sqrt(static_cast<double>(columns));
            }
            return Value(m);
        };
        std::size_t width = inputs;
        for (int layer = 0; layer < 4; ++layer) {
            const std::size_t next = layer == 3 ? outputs : 2 + stream.below(5);
            weights_.push_back(matrix(next, width));
            ops_.push_back(stream.below(ops().size()));
            width = next;
        }
    }
    [[nodiscard]] Value operator()(const Value& x) const {
        Value y = x;
        for (std::size_t layer = 0; layer < weights_.size(); ++layer) {
            y = ops()[ops_[layer]](matmul(weights_[layer], y));
        }
        return y;
    }

private:
    static const std::vector<std::function<Value(const Value&)>>& ops() {
        static const std::vector<std::function<Value(const Value&)>> list{
            [](const Value& v) { return tanh(v) * v; },
            [](const Value& v) { return sin(v) + 0.5 * square(v); },
            [](const Value& v) { return exp(-square(v)); },
            [](const Value& v) { return v / (2.0 + cos(v)); },
            [](const Value& v) { return softmax(v, 0) * sum(v); },
            [](const Value& v) { return log(1.0 + square(v)) - mean(v); },
            [](const Value& v) { return cumsum(sigmoid(v), 0); },
            [](const Value& v) { return pow(2.0 + sin(v), tanh(v)); },
            [](const Value& v) { return v + prod(1.5 + sin(v)); },
            [](const Value& v) { return hypot(v, logsumexp(v)); },
        };
        return list;
    }
    std::vector<Value> weights_;
    std::vector<std::size_t> ops_;
};

}  // namespace

TEST_CASE("a Jacobian has the shape of f(x), then that of x") {
    const Value x(xt::xarray<double>{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
    const Value j = jacobian([](const Value& t) { return sum(square(t), 1); }, x);
    CHECK(j.shape() == Shape{2, 2, 3});
    CHECK(elements(j) == Values{2.0, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 10.0, 12.0});
    CHECK(jacobian([](const Value& t) { return sum(t); }, x).shape() == x.shape());
    CHECK(elements(jacobian([](const Value& t) { return t; }, Value(2.0))) == Values{1.0});
    // Far more results than inputs: taken by columns.
    const Value tall = jacobian(
        [](const Value& t) {
            return matmul(reshape(t, {2, 1}), ones<double>({1, 5}));
        },
        Value(xt::xarray<double>{7.0, 8.0}));
    CHECK(tall.shape() == Shape{2, 5, 2});
    CHECK(elements(tall) == elements(reshape(transpose(broadcast_to(eye<double>(2), {5, 2, 2}), {1, 0, 2}), {20})));
    // Nothing in, nothing out.
    CHECK(jacobian([](const Value& t) { return t * 2.0; }, zeros<double>({0})).shape() == Shape{0, 0});
    CHECK(jacobian([](const Value&) { return ones<double>({3}); }, zeros<double>({0})).shape() == Shape{3, 0});
    CHECK(elements(jacobian([](const Value&) { return ones<double>({2}); }, Value(1.0))) == Values{0.0, 0.0});
}

TEST_CASE("Jacobians and Hessians of several inputs come in blocks") {
    const Value u(xt::xarray<double>{1.0, 2.0});
    const Value v(xt::xarray<double>{{3.0, 4.0}, {5.0, 6.0}, {7.0, 8.0}});
    const std::vector<Value> j = jacobian([](const Inputs& x) { return matmul(x[1], x[0]); }, {u, v});
    REQUIRE(j.size() == 2);
    CHECK(elements(j[0]) == elements(v));
    CHECK(j[1].shape() == Shape{3, 3, 2});
    CHECK(elements(view(j[1], 1)) == Values{0.0, 0.0, 1.0, 2.0, 0.0, 0.0});

    const auto f = [](const Inputs& x) { return sum(square(matmul(x[1], x[0]))) + sum(x[0]); };
    const std::vector<std::vector<Value>> h = hessian(f, {u, v});
    REQUIRE(h.size() == 2);
    REQUIRE(h[1].size() == 2);
    CHECK(h[0][1].shape() == Shape{2, 3, 2});
    CHECK(h[1][0].shape() == Shape{3, 2, 2});
    CHECK(distance(h[0][0], 2.0 * matmul(transpose(v), v)) < 1e-12);
    CHECK(distance(h[0][1], transpose(h[1][0], {2, 0, 1})) < 1e-12);
    // Linear in one, and not at all of the other.
    const auto mixed = hessian([](const Inputs& x) { return sum(x[0]); }, Inputs{u, v});
    CHECK(elements(mixed[0][1]) == Values(12, 0.0));
    const std::vector<Value> product = hvp(f, {u, v}, {u, v});
    CHECK(distance(product[0], matmul(h[0][0], u) + sum(h[0][1] * v, {1, 2})) < 1e-10);
    CHECK(distance(product[1], matmul(h[1][0], u) + sum(h[1][1] * v, {2, 3})) < 1e-10);
}

TEST_CASE("the Hessian of Rosenbrock's function in 100 dimensions is the analytic one") {
    constexpr std::size_t n = 100;
    random::Stream stream(3, random::stream_id("rosenbrock"));
    xt::xarray<double> x = xt::xarray<double>::from_shape({n});
    for (double& element : x) {
        element = stream.uniform<double>(-1.5, 1.5);
    }
    xt::xarray<double> exact = xt::zeros<double>({n, n});
    for (std::size_t i = 0; i + 1 < n; ++i) {
        exact(i, i) += 1200 * x(i) * x(i) - 400 * x(i + 1) + 2;
        exact(i + 1, i + 1) += 200;
        exact(i, i + 1) = exact(i + 1, i) = -400 * x(i);
    }
    CHECK(distance(hessian(rosenbrock, Value(x)), Value(exact)) <= 1e-9);
    const Value v = sin(arange<double>(static_cast<double>(n)));
    CHECK(distance(hvp(rosenbrock, Value(x), v), matmul(Value(exact), v)) <= 1e-9);
    // At the minimum, where the gradient is 0 everywhere.
    const Value minimum = hessian(rosenbrock, ones<double>({n}));
    CHECK(view(minimum, 0, 0).item() == 802.0);
    CHECK(view(minimum, 1, 1).item() == 1002.0);
    CHECK(view(minimum, 99, 99).item() == 200.0);
    CHECK(view(minimum, 1, 0).item() == -400.0);
}

TEST_CASE("jacobian, jvp, vjp, hessian and hvp agree on 50 random functions") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        random::Stream stream(seed, random::stream_id("points"));
        const std::size_t n = 1 + stream.below(6);
        const std::size_t m = seed % 3 == 0 ? 3 * n + stream.below(5) : 1 + stream.below(6);  // by columns, by rows
        const RandomFunction f(seed, n, m);
        random::seed(seed);
        const Value x = random::normal<double>({n});
        const Value v = random::normal<double>({n});
        const Value u = random::normal<double>({m});
        CAPTURE(fmt::format("seed {}, {} inputs, {} outputs", seed, n, m));

        const Value j = jacobian(f, x);
        REQUIRE(j.shape() == Shape{m, n});
        const double scale = 1.0 + amax(abs(j)).item();
        const auto [y, pulled] = vjp(f, x, u);
        const auto [z, pushed] = jvp(f, x, v);
        CHECK(elements(y) == elements(f(x)));
        CHECK(elements(z) == elements(y));
        CHECK(distance(pulled, matmul(u, j)) <= 1e-12 * scale);
        CHECK(distance(pushed, matmul(j, v)) <= 1e-12 * scale);
        CHECK(std::abs(sum(u * pushed).item() - sum(pulled * v).item()) <= 1e-11 * scale);

        // What differences say, so that all can't be wrong alike.
        const double h = 1e-5;
        CHECK(distance(pushed, (f(x + h * v) - f(x - h * v)) / (2 * h)) <= 1e-6 * scale);

        const auto weighted = [&](const Value& t) { return sum(u * f(t)); };
        const Value second = hessian(weighted, x);
        const double second_scale = 1.0 + amax(abs(second)).item();
        CHECK(distance(second, transpose(second)) <= 1e-10 * second_scale);
        CHECK(distance(hvp(weighted, x, v), matmul(second, v)) <= 1e-10 * second_scale);
        // The Hessian as the Jacobian of the gradient, and its product as a derivative of that along v.
        const auto gradient = [&](const Value& t) { return value_and_grad(weighted, t).second; };
        CHECK(distance(jacobian(gradient, x), second) <= 1e-10 * second_scale);
        CHECK(distance(jvp(gradient, x, v).second, matmul(second, v)) <= 1e-10 * second_scale);
        CHECK(distance(matmul(second, v), (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)) <=
              1e-6 * second_scale);
    }
}

TEST_CASE("a Jacobian taken inside another function is differentiated, by rows and by columns") {
    const auto rows = [](const Value& t) { return matmul(ones<double>({2, 3}), exp(t)); };
    const auto columns = [](const Value& t) { return matmul(ones<double>({9, 3}), exp(t)); };
    const Value x(xt::xarray<double>{0.1, 0.2, 0.3});
    const auto [y, g] = value_and_grad([&](const Value& t) { return sum(square(jacobian(rows, t))); }, x);
    CHECK(distance(g, 2 * 2.0 * exp(2.0 * x)) < 1e-12);
    const auto [z, k] = value_and_grad([&](const Value& t) { return sum(square(jacobian(columns, t))); }, x);
    CHECK(distance(k, 9 * 2.0 * exp(2.0 * x)) < 1e-12);
    CHECK(y.item() * 4.5 == doctest::Approx(z.item()));
    const auto curvature = [](const Value& t) {
        return sum(hessian([](const Value& s) { return sum(cube(s)); }, t) * eye<double>(3));
    };
    CHECK(elements(value_and_grad(curvature, x).second) == Values{6.0, 6.0, 6.0});
}

TEST_CASE("hessian and hvp refuse results of several elements and vectors that are not like x, by name") {
    const Value x = ones<double>({3});
    const auto squares = [](const Value& t) { return square(t); };
    CHECK(
        message<ShapeError>([&] { (void)hessian(squares, x); }).starts_with("hessian: f returned shape (3,), not one"));
    CHECK(message<ShapeError>([&] { (void)hvp(squares, x, x); }).starts_with("hvp: f returned shape (3,), not one"));
    CHECK(message<ShapeError>([&] { (void)hvp([](const Value& t) { return sum(t); }, x, 1.0); }) ==
          "hvp: v has shape () and x (3,); they must be the same");
    const auto total = [](const Inputs& t) { return sum(t.front()); };
    CHECK(message<ValueError>([&] { (void)jacobian(total, Inputs{}); }).starts_with("jacobian: there are no inputs"));
    CHECK(message<ValueError>([&] { (void)hessian(total, Inputs{}); }).starts_with("hessian: there are no inputs"));
    CHECK(message<ValueError>([&] { (void)hvp(total, Inputs{}, Inputs{}); }).starts_with("hvp: there are no inputs"));
}
