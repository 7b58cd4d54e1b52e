// custom: ops with a rule of the user's.

#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/custom.hpp>

#include "expect.hpp"
#include "short_names.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using short_names::Inputs;
using short_names::Value;
using short_names::Values;

namespace {

// The same function with each kind of rule.
Value square_by_capture(const Value& x) {
    return custom("square", x.value() * x.value(), {x}, [x](const Value& g) { return Inputs{2.0 * x * g}; });
}
// As the header has it.
Tensor<double> square_by_inputs(const Tensor<double>& x) {
    return custom("square", x.value() * x.value(), {x},
                  [](const auto& g, const auto&, const auto& xs) { return std::vector{2.0 * xs[0] * g}; });
}
Value exp_by_output(const Value& x) {
    return custom("exp", xt::exp(x.value()), {x}, [](const Value& g, const Value& y) { return Inputs{y * g}; });
}
Value product(const Value& a, const Value& b) {
    return custom("product", a * b, {a, b}, [](const Value& g, const Value&, const Inputs& xs) {
        return Inputs{g * xs[1], g * xs[0]};
    });
}

}  // namespace

TEST_CASE("a rule may read the gradient, the output and the inputs; the derivatives are right to third order") {
    const Value x(xt::xarray<double>{0.5, -1.25, 2.0});
    const auto check = [&](auto f) {
        const auto result = check_gradients([&](const Inputs& in) { return f(in[0]); }, {x}, {.order = 3});
        CHECK_MESSAGE(result.ok, result.message);
        const Value at = parameter(x);
        CHECK(elements(grad(sum(f(at)), {at}, {.create_graph = true})[0]) == elements(grad(sum(f(at)), {at})[0]));
    };
    check(square_by_capture);
    check(square_by_inputs);
    check([](const Value& v) { return exp_by_output(sin(v)); });
    check([](const Value& v) { return square_by_inputs(exp_by_output(v)); });
    check([](const Value& v) { return product(v, sin(v)); });
    const auto result = check_gradients([](const Inputs& in) { return product(in[0], exp_by_output(in[1])); },
                                        {x, Value(xt::xarray<double>{1.0, 0.1, -0.7})}, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
}

TEST_CASE("the value counts, not how it was computed") {
    const auto x = parameter(xt::xarray<float>{1.F, 4.F});
    const auto doubled = [](const Tensor<float>& g) { return std::vector<Tensor<float>>{g * 10.0}; };
    const auto y = custom("made_up", sqrt(x), {x}, doubled);
    CHECK(elements(y) == std::vector<float>{1.F, 2.F});
    sum(y).backward();
    CHECK(elements(x.grad()) == std::vector<float>{10.F, 10.F});
    CHECK(fmt::format("{}", y).find("made_up") != std::string::npos);
}

TEST_CASE(
    "inputs may be constants, an empty tensor stands for no gradient, and rules are asked only for what is wanted") {
    const auto x = parameter(2.0);
    const Value c = 5.0;
    const Value y = custom("scaled", Value(x.item() * c.item()), {x, c}, [c](const Value& g) {
        return Inputs{g * c, ones<double>({7})};
    });
    y.backward();
    CHECK(x.grad().item() == 5.0);
    x.zero_grad();
    const auto w = parameter(3.0);
    const Value z = custom("first", x.value(), {x, w}, [](const Value& g) { return Inputs{g, {}}; });
    z.backward();
    CHECK(x.grad().item() == 1.0);
    CHECK_FALSE(w.has_grad());
    CHECK_FALSE(custom("scaled", c, {c}, [](const Value& g) { return Inputs{g}; }).requires_grad());
    const NoGradGuard guard;
    CHECK_FALSE(square_by_inputs(x).requires_grad());
}

TEST_CASE("what a rule computes is recorded under create_graph, and only then") {
    const auto x = parameter(3.0);
    std::vector<bool> recorded;
    const auto f = [&] {
        return custom("watched", x.value() * x.value(), {x}, [&](const Value& g, const Value& y, const Inputs& xs) {
            const Value slope = 2.0 * xs[0] * g;
            recorded.insert(recorded.end(), {is_recording(), y.requires_grad(), slope.requires_grad()});
            return Inputs{slope};
        });
    };
    f().backward();
    CHECK(recorded == std::vector<bool>{false, false, false});
    recorded.clear();
    const Value slope = grad(f(), {x}, {.create_graph = true})[0];
    CHECK(recorded == std::vector<bool>{true, true, true});
    CHECK(grad(slope, {x})[0].item() == 2.0);
}

TEST_CASE("a rule that returns what it was given or captured gives no handle away") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const Value y = custom("odd", x, {x}, [x](const Value&) { return Inputs{x}; });
    y.backward(ones<double>({2}));
    CHECK(elements(x.grad()) == Values{1.0, 2.0});
    CHECK_FALSE(x.grad().requires_grad());
    x.assign(xt::xarray<double>{7.0, 7.0});
    CHECK(elements(x.grad()) == Values{1.0, 2.0});
    const Value seed = ones<double>({2});
    custom("same", x, {x}, [](const Value& g) { return Inputs{g}; }).backward(seed);
    CHECK(elements(x.grad()) == Values{2.0, 3.0});
    CHECK(elements(seed) == Values{1.0, 1.0});
}

TEST_CASE("a wrong number or shape of gradients is refused with the op's name, and no gradient is touched") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto w = parameter(1.0);
    const auto replay = [&](Inputs gradients) {
        const Value y = custom("my_op", x, {x, w}, [=](const Value&) { return gradients; });
        return message<ShapeError>([&] { (y * x).backward(ones<double>({2})); });
    };
    CHECK(replay({Value(x.value())}) ==
          "my_op: the rule returned 1 gradients for 2 inputs; return one for each, in their order, an empty tensor "
          "where there is none");
    CHECK(replay({}).starts_with("my_op: the rule returned 0 gradients for 2 inputs"));
    CHECK(replay({ones<double>({2}), ones<double>({2})}) ==
          "my_op: the rule returned a gradient of shape (2,) for input 1 of shape (); they must be the same (sum over "
          "what was broadcast)");
    CHECK(replay({ones<double>({3}), Value(1.0)}).starts_with("my_op: the rule returned a gradient of shape (3,)"));
    const Value y = custom("thrower", x, {x}, [](const Value&) -> Inputs { throw std::domain_error("its own"); });
    CHECK_THROWS_AS((y + x).backward(ones<double>({2})), std::domain_error);
    CHECK_FALSE(x.has_grad());
    CHECK_FALSE(w.has_grad());
    CHECK(message<ValueError>([&] {
              (void)custom("my_op", x, {x, Value()}, [](const Value& g) { return Inputs{g, g}; });
          }).starts_with("this tensor is empty"));
}

TEST_CASE("an input that is overwritten before the rule reads it is noticed") {
    const auto x = parameter(3.0);
    const Value y = square_by_inputs(x);
    x.assign(Value(4.0));
    CHECK(message<GraphError>([&] { y.backward(); }).find("'square' of shape () saved a leaf") != std::string::npos);
    CHECK_FALSE(x.has_grad());
}

TEST_CASE("a rule keeps what it captured for as long as its node lives, and no longer") {
    const std::size_t nodes = tape().nodes();
    auto held = std::make_shared<int>(1);
    const auto x = parameter(1.0);
    {
        const Value y = custom("holder", x, {x}, [held](const Value& g) { return Inputs{g}; });
        CHECK(held.use_count() == 2);
        CHECK(tape().nodes() == nodes + 1);
    }
    CHECK(held.use_count() == 1);
    CHECK(tape().nodes() == nodes);
}
