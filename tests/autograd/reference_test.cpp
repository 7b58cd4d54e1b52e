// Values, gradients and second derivatives that xtape did not compute: PyTorch's, from tests/data/reference.json.

#include <cmath>
#include <cstddef>
#include <exception>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>

#include "reference.hpp"
#include "reference_expressions.hpp"

using namespace xtape;
using reference::array;
using reference::Expression;
using reference::Inputs;
using reference::Json;
using reference::mismatch;

namespace {

constexpr double double_tolerance = 1e-10;
constexpr double float_tolerance = 1e-5;

const Json& reference_cases() {
    static const Json cases = reference::read_json("reference.json").at("cases");
    return cases;
}

const Json& reference_case(const std::string& name) {
    for (const Json& one : reference_cases()) {
        if (one.at("name") == name) {
            return one;
        }
    }
    throw ValueError(fmt::format("reference data: no case `{}`", name));
}

/// A case's inputs: `all` for the expression, and of these the `wanted`, which are parameters.
template <typename T>
struct Arguments {
    explicit Arguments(const Json& one) {
        for (const Json& input : one.at("inputs")) {
            if (input.value("constant", false)) {
                all.emplace_back(array<T>(input));
            } else {
                all.push_back(parameter(array<T>(input)));
                wanted.push_back(all.back());
            }
        }
    }

    Inputs<T> all;
    Inputs<T> wanted;
};

template <typename T>
Tensor<T> constant(const Json& encoded) {
    return Tensor<T>(array<T>(encoded));
}

using Messages = std::vector<std::string>;

void add_if_any(Messages& messages, std::string message) {
    if (!message.empty()) {
        messages.push_back(std::move(message));
    }
}

template <typename T>
void compare_each(Messages& messages, const std::string& what, const Inputs<T>& got, const Json& expected, double tol) {
    if (got.size() != expected.size()) {
        messages.push_back(fmt::format("{}: {} tensors, reference {}", what, got.size(), expected.size()));
        return;
    }
    for (std::size_t k = 0; k < got.size(); ++k) {
        if (!expected[k].is_null()) {  // null: PyTorch gives nothing finite
            add_if_any(messages, mismatch(fmt::format("{} by wanted input {}", what, k), got[k], expected[k], tol));
        }
    }
}

/// Value and gradients, by `backward`.
template <typename T>
Messages first_order(const Json& one, const Expression& expression, double tolerance) {
    const auto name = one.at("name").get<std::string>();
    Messages messages;
    try {
        const Arguments<T> arguments(one);
        const Tensor<T> y = expression(arguments.all);
        add_if_any(messages, mismatch(name + ": value", y, one.at("value"), tolerance));
        if (one.contains("seed")) {
            y.backward(constant<T>(one.at("seed")));
        } else {
            y.backward();
        }
        Inputs<T> gradients;
        for (const auto& x : arguments.wanted) {
            gradients.push_back(x.has_grad() ? x.grad() : zeros_like(x));
        }
        compare_each(messages, name + ": gradient", gradients, one.at("gradients"), tolerance);
    } catch (const std::exception& error) {
        messages.push_back(fmt::format("{}: throws {}", name, error.what()));
    }
    return messages;
}

template <typename T>
Inputs<T> recorded_gradients(const Tensor<T>& y, const Inputs<T>& wanted, const Json& one) {
    if (one.contains("seed")) {
        return grad(y, wanted, {.seed = constant<T>(one.at("seed")), .create_graph = true, .allow_unused = true});
    }
    return grad(y, wanted, {.create_graph = true, .allow_unused = true});
}

/// Gradients again, now recorded on the tape, and the gradient of the sum over k of <w_k, gradient k>.
Messages second_order(const Json& one, const Expression& expression, double tolerance) {
    const auto name = one.at("name").get<std::string>();
    Messages messages;
    try {
        const Arguments<double> arguments(one);
        const auto gradients = recorded_gradients(expression(arguments.all), arguments.wanted, one);
        compare_each(messages, name + ": recorded gradient", gradients, one.at("gradients"), tolerance);
        if (!one.contains("second")) {
            return messages;
        }
        Tensor<double> total = 0.0;
        for (std::size_t k = 0; k < gradients.size(); ++k) {
            total = total + sum(constant<double>(one.at("weights").at(k)) * gradients[k]);
        }
        Inputs<double> seconds;
        if (total.requires_grad()) {
            seconds = grad(total, arguments.wanted, {.allow_unused = true});
        } else {  // a linear expression
            for (const auto& x : arguments.wanted) {
                seconds.push_back(zeros_like(x));
            }
        }
        compare_each(messages, name + ": second derivative", seconds, one.at("second"), tolerance);
    } catch (const std::exception& error) {
        messages.push_back(fmt::format("{}: second order throws {}", name, error.what()));
    }
    return messages;
}

void check_empty(const Messages& messages) {
    for (const auto& message : messages) {
        FAIL_CHECK(message);
    }
    CHECK(messages.empty());
}

template <typename F>
void for_each_case(F check) {
    const auto table = reference::expressions();
    for (const Json& one : reference_cases()) {
        const auto found = table.find(one.at("name").get<std::string>());
        if (found != table.end()) {  // else the first test case below says so
            check_empty(check(one, found->second));
        }
    }
}

}  // namespace

TEST_CASE("every reference case has an expression and every expression a reference case") {
    std::set<std::string> recorded;
    for (const Json& one : reference_cases()) {
        CHECK_MESSAGE(recorded.insert(one.at("name").get<std::string>()).second, "twice: ", one.at("name"));
    }
    const auto table = reference::expressions();
    for (const auto& name : recorded) {
        CHECK_MESSAGE(table.contains(name), "no expression for `", name, "`");
    }
    for (const auto& entry : table) {
        CHECK_MESSAGE(recorded.contains(entry.first), "no reference values for `", entry.first, "`");
    }
    CHECK(recorded.size() >= 120);
}

TEST_CASE("values and gradients in double are PyTorch's to 1e-10") {
    for_each_case([](const Json& one, const Expression& expression) {
        return first_order<double>(one, expression, double_tolerance);
    });
}

TEST_CASE("values and gradients in float are PyTorch's doubles to 1e-5") {
    for_each_case([](const Json& one, const Expression& expression) {
        return first_order<float>(one, expression, float_tolerance);
    });
}

TEST_CASE("recorded gradients and second derivatives are PyTorch's to 1e-10") {
    for_each_case(
        [](const Json& one, const Expression& expression) { return second_order(one, expression, double_tolerance); });
}

TEST_CASE("the comparison rejects a value, a NaN, an infinity and a shape that differ") {
    const Json expected = Json::parse(R"({"shape": [2, 2], "data": [1.0, -4.0, "inf", "nan"]})");
    const auto good = array<double>(expected);
    CHECK(mismatch("x", good, expected, double_tolerance) == "");
    const auto with = [&](std::size_t i, double value) {
        auto changed = good;
        changed.flat(i) = value;
        return mismatch("x", changed, expected, double_tolerance);
    };
    CHECK(with(0, 1.0 + 3.9e-10) == "");  // 1e-10 of the largest finite magnitude, which is 4
    CHECK(with(0, 1.0 + 1e-9) ==
          "x: element 0 is 1.0000000010000001, reference 1, off by 1e-09 where 4e-10 is allowed");
    CHECK(with(1, 4.0) != "");
    CHECK(with(1, std::nan("")) != "");
    CHECK(with(2, -std::numeric_limits<double>::infinity()) != "");
    CHECK(with(2, 1e300) != "");
    CHECK(with(2, std::nan("")) != "");
    CHECK(with(3, 0.0) != "");
    xt::xarray<double> flat = good;
    flat.reshape({4});
    CHECK(mismatch("x", flat, expected, double_tolerance) == "x: shape (4), reference (2,2)");
    CHECK(mismatch("x", xt::xarray<double>{0.0}, Json::parse(R"({"shape": [1], "data": [1e-9]})"), 1e-10) != "");
    CHECK(mismatch("x", xt::xarray<double>{1e-9}, Json::parse(R"({"shape": [1], "data": [0.0]})"), 1e-10) != "");
}

TEST_CASE("a wrong expression is caught by its value, a wrong derivative by its gradient") {
    const auto& one = reference_case("mul with itself");
    const Expression right = [](const auto& x) { return x[0] * x[0]; };
    CHECK(first_order<double>(one, right, double_tolerance).empty());
    CHECK(second_order(one, right, double_tolerance).empty());

    const Expression off = [](const auto& x) { return x[0] * x[0] * (1.0 + 1e-8); };
    CHECK(first_order<double>(one, off, double_tolerance).size() == 2);  // value and gradient
    CHECK(second_order(one, off, double_tolerance).size() == 2);         // gradient and second derivative

    const Expression half = [](const auto& x) { return x[0].detach() * x[0]; };
    const auto found = first_order<double>(one, half, double_tolerance);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("mul with itself: gradient by wanted input 0: element 0 is") == 0);
    CHECK(first_order<float>(one, half, float_tolerance).size() == 1);
    CHECK(second_order(one, half, double_tolerance).size() == 2);

    const Expression throws = [](const auto& x) { return reshape(x[0], {-1, -1}); };
    CHECK(first_order<double>(one, throws, double_tolerance).size() == 1);
}
