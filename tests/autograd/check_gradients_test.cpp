// The check of gradients: it accepts what is right and rejects what is wrong, however small or hidden the mistake.

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::message;

namespace {

using Tensors = std::vector<Tensor<double>>;
using Function = std::function<Tensor<double>(const Tensors&)>;

constexpr CheckMode modes[] = {CheckMode::jacobian, CheckMode::projection};
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// x itself, with a rule that gives `rule(g)` instead of g.
template <class F>
Tensor<double> with_rule(const Tensor<double>& x, F rule) {
    const Tensor<double> y = x * 1.0;
    static_cast<void>(y.register_hook(rule));
    return y;
}

const xt::xarray<double> by_column = {1.0, -2.0, 3.0};

Tensor<double> numbers() { return Tensor<double>(xt::xarray<double>{0.5, -1.25, 2.0, 0.75}); }
Tensor<double> positive_numbers() { return Tensor<double>(xt::xarray<double>{1.5, 0.25, 7.0, 2.0}); }
Tensor<double> square_matrix() {
    return Tensor<double>(xt::xarray<double>{{0.5, -1.0, 2.0}, {1.5, 0.25, -0.5}, {-2.0, 0.75, 1.0}});
}

struct Wrong {
    std::string name;
    Function f;
    Tensors at;
};

// Each with a rule that is wrong to first order.
std::vector<Wrong> wrong_rules() {
    return {
        {"a sign", [](const auto& x) { return exp(with_rule(x[0], [](const auto& g) { return -g; })); }, {numbers()}},
        {"the sign of one term",
         [](const auto& x) { return x[0] * with_rule(exp(x[0]), [](const auto& g) { return -g; }); },
         {numbers()}},
        {"a factor of 2",
         [](const auto& x) { return sin(with_rule(x[0], [](const auto& g) { return 2.0 * g; })); },
         {numbers()}},
        {"a factor of 1.0001",
         [](const auto& x) { return sin(with_rule(x[0], [](const auto& g) { return 1.0001 * g; })); },
         {numbers()}},
        {"a missing term", [](const auto& x) { return x[0] * x[0].detach(); }, {numbers()}},
        {"a missing small term", [](const auto& x) { return exp(x[0]) + 1e-3 * x[0].detach(); }, {numbers()}},
        {"no gradient at all", [](const auto& x) { return 2.0 * x[0].detach(); }, {numbers()}},
        {"a transposed gradient",
         [](const auto& x) { return square(with_rule(x[0], [](const auto& g) { return transpose(g); })); },
         {square_matrix()}},
        {"a sum spread along the wrong axis",
         [](const auto& x) { return sum(with_rule(x[0], [](const auto& g) { return transpose(g); }), 0) * by_column; },
         {square_matrix()}},
        {"a sum over the wrong axis",
         [](const auto& x) {
             const auto wrong = [](const auto& g) { return broadcast_to(expand_dims(sum(g, 1), 0), {3, 3}) / 3.0; };
             return with_rule(broadcast_to(x[0], {3, 3}), wrong) * by_column *
                    expand_dims(Tensor<double>(by_column), 1);
         },
         {Tensor<double>(xt::xarray<double>{1.0, 2.0, 3.0})}},
        {"one element",
         [](const auto& x) {
             return square(with_rule(x[0], [](const auto& g) { return g * xt::xarray<double>{1.0, 1.0, 1.01, 1.0}; }));
         },
         {numbers()}},
        {"neighbours exchanged",
         [](const auto& x) {
             return square(with_rule(x[0], [](const auto& g) {
                 return concatenate({view(g, xt::range(1, 2)), view(g, xt::range(0, 1)), view(g, xt::range(2, 4))});
             }));
         },
         {numbers()}},
        {"one of two inputs",
         [](const auto& x) { return x[0] * with_rule(x[1], [](const auto& g) { return 1.01 * g; }); },
         {numbers(), positive_numbers()}},
        {"of a 0-d input",
         [](const auto& x) { return square(with_rule(x[0], [](const auto& g) { return -g; })); },
         {Tensor<double>(1.5)}},
    };
}

// These are right to first order and wrong to second.
std::vector<Wrong> wrong_seconds() {
    return {
        {"a recorded gradient cut off",
         [](const auto& x) { return exp(with_rule(square(x[0]), [](const auto& g) { return g.detach(); })); },
         {numbers()}},
        {"a recorded gradient with the sign of its derivative turned",
         [](const auto& x) { return exp(with_rule(x[0], [](const auto& g) { return 2.0 * g.detach() - g; })); },
         {numbers()}},
        {"a factor in the second derivative",
         [](const auto& x) {
             return exp(with_rule(x[0], [](const auto& g) { return 1.001 * g - 0.001 * g.detach(); }));
         },
         {numbers()}},
        {"one of two inputs",
         [](const auto& x) { return x[0] * sin(with_rule(x[1], [](const auto& g) { return g.detach(); })); },
         {numbers(), positive_numbers()}},
    };
}

CheckResult check(const Wrong& one, int order, CheckMode mode) {
    return check_gradients(one.f, one.at, {.order = order, .mode = mode});
}

}  // namespace

TEST_CASE("a wrong rule is rejected, in either mode and at either order") {
    for (const Wrong& one : wrong_rules()) {
        for (const CheckMode mode : modes) {
            for (const int order : {1, 2}) {
                const CheckResult result = check(one, order, mode);
                CHECK_MESSAGE(!result.ok, one.name, ", order ", order, ": ", result.message);
                CHECK(result.max_error > 1e-6);
                CHECK(result.message.find("order ") == 0);
            }
        }
    }
}

TEST_CASE("a rule that is right to first order and wrong to second is rejected at order 2, and only there") {
    for (const Wrong& one : wrong_seconds()) {
        for (const CheckMode mode : modes) {
            CHECK_MESSAGE(check(one, 1, mode).ok, one.name);
            const CheckResult result = check(one, 2, mode);
            CHECK_MESSAGE(!result.ok, one.name, ": ", result.message);
            CHECK(result.message.find("order 2: ") == 0);
        }
    }
}

TEST_CASE("a rule that is right to second order and wrong to third is rejected at order 3, and only there") {
    // What the rule adds is 0, and so is its slope, but not its curvature.
    const Function f = [](const auto& x) {
        return exp(with_rule(x[0], [x](const auto& g) { return g + square(x[0] - x[0].detach()); }));
    };
    for (const CheckMode mode : modes) {
        CHECK(check_gradients(f, {numbers()}, {.order = 2, .mode = mode}).ok);
        CHECK_FALSE(check_gradients(f, {numbers()}, {.order = 3, .mode = mode}).ok);
    }
}

TEST_CASE("a right rule is accepted, and the summary says how close it was") {
    const std::vector<Wrong> right = {
        {"a function of one input",
         [](const auto& x) { return exp(with_rule(x[0], [](const auto& g) { return g; })); },
         {numbers()}},
        {"of two", [](const auto& x) { return x[0] * sin(x[1]) + square(x[1]); }, {numbers(), positive_numbers()}},
        {"of shapes that broadcast",
         [](const auto& x) { return x[0] * by_column + x[1]; },
         {square_matrix(), Tensor<double>(0.5)}},
        {"an input that is not used", [](const auto& x) { return exp(x[1]); }, {square_matrix(), numbers()}},
        {"a constant", [](const auto&) { return Tensor<double>(3.0); }, {numbers()}},
        {"of nothing", [](const auto& x) { return exp(x[0]); }, {zeros<double>({2, 0})}},
        {"to nothing", [](const auto& x) { return view(x[0], xt::range(0, 0)); }, {numbers()}},
        {"0-d", [](const auto& x) { return exp(x[0]); }, {Tensor<double>(0.5)}},
        {"a gradient taken inside",
         [](const auto& x) {
             const auto y = sum(exp(x[0]) * sin(x[0]));
             return grad(y, {x[0]}, {.create_graph = true}).front();
         },
         {numbers()}},
        {"large arguments",
         [](const auto& x) { return square(1e6 * x[0]); },
         {Tensor<double>(xt::xarray<double>{500.0, -1250.0})}},
    };
    for (const Wrong& one : right) {
        for (const CheckMode mode : modes) {
            for (const int order : {1, 2, 3}) {
                const CheckResult result = check(one, order, mode);
                CHECK_MESSAGE(result.ok, one.name, ": ", result.message);
                CHECK(static_cast<bool>(result) == result.ok);
                CHECK(result.max_error <= 1e-6);
                CHECK_FALSE(result.message.empty());
            }
        }
    }
}

TEST_CASE("what is not finite is rejected, on whichever side it is") {
    const auto rejected = [](const char* name, const Function& f, double at) {
        for (const CheckMode mode : modes) {
            const auto result = check_gradients(f, {full<double>({2}, at)}, {.mode = mode});
            CHECK_MESSAGE(!result.ok, name, ": ", result.message);
            CHECK(std::isinf(result.max_error));
        }
    };
    rejected(
        "a NaN against a finite difference",
        [](const auto& x) { return exp(with_rule(x[0], [](const auto& g) { return g * nan_value; })); }, 0.5);
    rejected(
        "an infinity against a finite difference",
        [](const auto& x) { return exp(with_rule(x[0], [](const auto& g) { return g / 0.0; })); }, 0.5);
    rejected(
        "a finite gradient against NaN differences", [](const auto& x) { return sqrt(x[0].detach()) + x[0]; }, -1.0);
    rejected(
        "a finite gradient across an end of the domain", [](const auto& x) { return 0.0 * sqrt(x[0].detach()) + x[0]; },
        0.0);
    rejected(
        "NaN on both sides", [](const auto& x) { return log(x[0]); }, -1.0);
    // One NaN among many elements is not averaged away, nor hidden by a projection.
    const Function one_of_many = [](const auto& x) {
        return exp(with_rule(x[0], [](const auto& g) { return g * xt::xarray<double>{1.0, 1.0, nan_value, 1.0}; }));
    };
    for (const CheckMode mode : modes) {
        CHECK_FALSE(check_gradients(one_of_many, {numbers()}, {.mode = mode}).ok);
    }
}

TEST_CASE("a kink is rejected where the subgradient is not the mean of both slopes") {
    const Function f = [](const auto& x) { return relu(x[0]); };
    for (const CheckMode mode : modes) {
        CHECK_FALSE(check_gradients(f, {zeros<double>({3})}, {.mode = mode}).ok);
        CHECK(check_gradients(f, {numbers()}, {.order = 2, .mode = mode}).ok);
    }
}

TEST_CASE("the message tells the place, both values, the difference and what is allowed") {
    const Function half = [](const auto& x) { return x[0] * x[0].detach(); };
    const Tensors at = {Tensor<double>(xt::xarray<double>{1.0, 3.0})};
    // With a step of 1 the difference is exact: (4² - 2²) / 2 = 6.
    CHECK(check_gradients(half, at, {.step = 1.0}).message ==
          "order 1: output element 1 by input 0 of shape (2,), element 1: analytic 3, numeric 6, difference 0.75 of "
          "1e-06 allowed");
    CHECK(check_gradients(half, at, {.tolerance = 0.9, .step = 1.0}).ok);
    const Function second = [](const auto& x) { return x[0] * square(x[1]) - x[1]; };
    const Function wrong_second = [second](const auto& x) {
        return second({x[0], with_rule(x[1], [](const auto& g) { return 3.0 * g; })});
    };
    CHECK(check_gradients(wrong_second, {Tensor<double>(2.0), Tensor<double>(1.0)}, {.step = 1.0}).message ==
          "order 1: output element 0 by input 1 of shape (), element 0: analytic 9, numeric 3, difference 0.6 of 1e-06 "
          "allowed");
    const auto projected = check_gradients(half, at, {.mode = CheckMode::projection}).message;
    CHECK(projected.find("order 1: random projection ") == 0);
    for (const char* part : {": analytic ", ", numeric ", ", difference ", " of 1e-06 allowed"}) {
        CHECK_MESSAGE(projected.find(part) != std::string::npos, projected);
    }
    CHECK(check_gradients([](const auto& x) { return 2.0 * x[0]; }, at, {.step = 1.0}).message ==
          "analytic and numeric derivatives agree exactly");
}

TEST_CASE("the random directions come from the seed") {
    const Function f = [](const auto& x) { return exp(x[0]); };
    const auto error = [&](std::uint64_t seed) {
        return check_gradients(f, {numbers()}, {.mode = CheckMode::projection, .projections = 3, .seed = seed})
            .max_error;
    };
    CHECK(error(1) == error(1));
    CHECK(error(1) != error(2));
    CHECK(check_gradients(f, {numbers()}, {.mode = CheckMode::projection, .projections = 1}).max_error <=
          check_gradients(f, {numbers()}, {.mode = CheckMode::projection, .projections = 8}).max_error);
}

TEST_CASE("the inputs are left alone, and so is the tape") {
    const auto x = parameter(xt::xarray<double>{0.5, 2.0});
    const std::size_t nodes = tape().nodes();
    for (const CheckMode mode : modes) {
        CHECK(check_gradients([](const auto& in) { return exp(in[0]); }, {x}, {.order = 3, .mode = mode}).ok);
    }
    CHECK_FALSE(x.has_grad());
    CHECK(x.data()[0] == 0.5);
    CHECK(x.data()[1] == 2.0);
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("an order below 1 is an error, and what the function throws comes through") {
    const Function f = [](const auto& x) { return exp(x[0]); };
    CHECK(message<ValueError>([&] { (void)check_gradients(f, {numbers()}, {.order = 0}); }) ==
          "check_gradients: order is 0; it must be at least 1");
    const Function bad = [](const auto& x) { return matmul(x[0], square_matrix()); };
    CHECK_THROWS_AS(static_cast<void>(check_gradients(bad, {numbers()})), ShapeError);
}
