#pragma once

#include <cmath>
#include <vector>

#include "harness.hpp"

/// GradBench's llsq: half the squared distance, at n points t from -1 to 1, between sign(t) and the polynomial whose m
/// coefficients are x.
namespace xtape::gradbench::llsq {

struct Input {
    Tensor<double> x;
    std::size_t n;
    explicit Input(const Json& json) : x(tensor_of(json.at("x"))), n(json.at("n")) {}
};

/// The rows 1, t, t², ... of `count` powers.
inline Tensor<double> powers(const Tensor<double>& t, std::size_t count) {
    std::vector<Tensor<double>> rows{ones_like(t)};
    while (rows.size() < count) {
        rows.push_back(rows.back() * t);
    }
    return stack(rows);
}

inline Tensor<double> half_squared_error(const Tensor<double>& x, std::size_t n) {
    const auto t = linspace<double>(-1.0, 1.0, n);
    // The polynomial as one in t^c, of polynomials in t of c coefficients: m coefficients are a matrix then, and its
    // product with c powers leaves a row for each power of t^c.
    const auto c = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(x.size()))));
    const std::size_t r = (x.size() + c - 1) / c;
    const auto coefficients = reshape(pad(x, {{0, static_cast<int>(r * c - x.size())}}), {r, c});
    const auto low = powers(t, c + 1);
    const auto high = powers(view(low, c), r);
    const auto polynomial = sum(matmul(coefficients, view(low, xt::range(0, c))) * high, {0});
    return 0.5 * norm_sq(sign(t) - polynomial);
}

inline Tensor<double> primal(const Input& input) { return half_squared_error(input.x, input.n); }

inline Tensor<double> gradient(const Input& input) {
    return value_and_grad([&](const Tensor<double>& x) { return half_squared_error(x, input.n); }, input.x).second;
}

}  // namespace xtape::gradbench::llsq
