#pragma once

#include "harness.hpp"

/// GradBench's lse: log Σ exp(x), which it asks to be made of its parts, not of one op.
namespace xtape::gradbench::lse {

struct Input {
    Tensor<double> x;
    explicit Input(const Json& json) : x(tensor_of(json.at("x"))) {}
};

inline Tensor<double> log_sum_exp(const Tensor<double>& x) {
    // What is taken off and added again has no part in the gradient.
    const auto largest = amax(x.detach());
    return log(sum(exp(x - largest))) + largest;
}

inline Tensor<double> primal(const Input& input) { return log_sum_exp(input.x); }

inline Tensor<double> gradient(const Input& input) { return value_and_grad(log_sum_exp, input.x).second; }

}  // namespace xtape::gradbench::lse
