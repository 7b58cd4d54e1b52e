#pragma once

#include "harness.hpp"

/// GradBench's ode: y₀' = x₀ and yᵢ' = xᵢ yᵢ₋₁ from y(0) = 0 to y(2), in so many steps of the classical Runge-Kutta
/// method.
namespace xtape::gradbench::ode {

struct Input {
    Tensor<double> x;
    std::size_t steps;
    explicit Input(const Json& json) : x(tensor_of(json.at("x"))), steps(json.at("s")) {}
};

inline Tensor<double> solve(const Tensor<double>& x, std::size_t steps) {
    const double h = 2.0 / static_cast<double>(steps);
    const auto slope = [&](const Tensor<double>& y) {
        return x * pad(view(y, xt::range(0, x.size() - 1)), {{1, 0}}, 1.0);
    };
    auto y = zeros_like(x);
    for (std::size_t i = 0; i < steps; ++i) {
        const auto k1 = slope(y);
        const auto k2 = slope(y + 0.5 * h * k1);
        const auto k3 = slope(y + 0.5 * h * k2);
        const auto k4 = slope(y + h * k3);
        y += h / 6 * (k1 + 2 * (k2 + k3) + k4);
    }
    return y;
}

inline Tensor<double> primal(const Input& input) { return solve(input.x, input.steps); }

/// Of the last y.
inline Tensor<double> gradient(const Input& input) {
    return value_and_grad([&](const Tensor<double>& x) { return view(solve(x, input.steps), -1); }, input.x).second;
}

}  // namespace xtape::gradbench::ode
