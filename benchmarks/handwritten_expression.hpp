#pragma once

#include <cstddef>

namespace xtape::bench {

/// The mean of exp(-y²) sin x + sigmoid(x) y with y = tanh(0.5 x + 1), and its gradient, by hand: what xtape's are
/// measured against. Forward and backward a block at a time, so that what the one leaves to the other stays in the
/// first-level cache, and in loops that the compiler can vectorise.
struct HandwrittenExpression {
    /// Of `n` elements; returns the mean and overwrites `gradient`.
    float (*differentiate)(const float* x, std::size_t n, float* gradient);
};

/// Compiled as a program usually is: -O3 -march=native.
extern const HandwrittenExpression handwritten_expression;
/// With -ffast-math beside that: the functions are then glibc's libmvec's, in vectors as wide as the machine has.
extern const HandwrittenExpression handwritten_expression_fast;

}  // namespace xtape::bench
