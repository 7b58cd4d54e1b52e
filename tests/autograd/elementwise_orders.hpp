#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>

#include "reference.hpp"
#include "reference_expressions.hpp"

/// What an elementwise op and its derivatives of any order are at one point.
namespace conventions {

using reference::Expression;

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

/// One element, and whole SIMD lanes with a tail of one.
inline constexpr std::size_t sizes[] = {1, 33};

template <typename T>
xtape::Tensor<T> filled(std::size_t n, double value) {
    return xtape::full<T>({n}, value);
}

/// The gradient of y by x under a seed of ones, zeros where y does not depend on it.
template <typename T>
xtape::Tensor<T> derivative(const xtape::Tensor<T>& y, const xtape::Tensor<T>& x, bool create_graph) {
    return grad(y, {x},
                {.seed = ones_like(y), .retain_graph = true, .create_graph = create_graph, .allow_unused = true})
        .front();
}

/// Empty if every element of `got` is `expected` (NaN for NaN, the same infinity), else what is there.
template <typename T>
std::string unlike(const xtape::Tensor<T>& got, double expected, double tolerance = 0) {
    for (std::size_t i = 0; i < got.size(); ++i) {
        const auto mine = static_cast<double>(got.data()[i]);
        if (!reference::agrees(mine, expected, tolerance * std::abs(expected))) {
            return fmt::format("element {} of {} is {}, not {}", i, got.size(), mine, expected);
        }
    }
    return {};
}

template <typename T>
void check_all(const std::string& what, const xtape::Tensor<T>& got, double expected, double tolerance = 0) {
    const std::string message = unlike(got, expected, tolerance);
    if (!message.empty()) {
        FAIL_CHECK(fmt::format("{}, {}: {}", what, sizeof(T) == sizeof(float) ? "float" : "double", message));
    }
}

/// A function of one variable at a delicate point: its value and its derivatives, the first order first.
struct Point {
    std::string name;
    Expression f;
    double x;
    double value;
    std::vector<double> derivatives;
};

/// Checks value and derivatives of all orders given, each as the plain replay and as the recorded one computes it.
template <typename T>
void check_point(const Point& point) {
    for (const std::size_t n : sizes) {
        const auto x = parameter(filled<T>(n, point.x));
        xtape::Tensor<T> current = point.f(std::vector{x});
        check_all(point.name + ", value", current, static_cast<double>(static_cast<T>(point.value)));
        for (std::size_t order = 1; order <= point.derivatives.size(); ++order) {
            const double expected = point.derivatives[order - 1];
            check_all(fmt::format("{}, order {}", point.name, order), derivative(current, x, false), expected);
            current = derivative(current, x, true);
            check_all(fmt::format("{}, order {}, recorded", point.name, order), current, expected);
        }
    }
}

inline void check_points(const std::vector<Point>& points) {
    for (const Point& point : points) {
        check_point<double>(point);
        check_point<float>(point);
    }
    CHECK(!points.empty());
}

}  // namespace conventions
