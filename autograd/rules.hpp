#pragma once

// The elementwise ops: forward and derivative side by side, each written once for any value type V. Read with a batch
// of SIMD lanes the pair gives the fused first-order kernels; read with tensors the same derivative records itself,
// which gives every higher order. This file is compiled once per instruction set: nothing but templates on V.
//
// A derivative takes one of three forms, and the engine's part is the same for all:
//   derivative(...)   f'(x); the engine multiplies by the incoming gradient g with the strong product
//   pullback(g, ...)  the input's gradient itself, for rules that choose or that are linear in g
//   `passes`          the gradient is g as it is
// `needs` says which values the derivative reads.

namespace xtape {

namespace needs {
inline constexpr unsigned nothing = 0;
inline constexpr unsigned x = 1;  // the input; of two, the left one
inline constexpr unsigned a = 1;
inline constexpr unsigned b = 2;
inline constexpr unsigned y = 4;  // the output
}  // namespace needs

// g * d, but 0 where g is 0, whatever d is: what an untaken branch computed can't poison a gradient.
template <class V>
V strong_product(const V& g, const V& d) {
    return select(is_equal(g, 0.0), 0.0, g * d);
}

// An input's gradient from the incoming one, whatever form the derivative takes, for values that record themselves.
template <class Form, class V, class... Values>
V recorded_gradient(const V& g, const Values&... values) {
    if constexpr (requires { Form::passes; }) {
        return g;
    } else if constexpr (requires { Form::pullback(g, values...); }) {
        return Form::pullback(g, values...);
    } else {
        return strong(g, Form::derivative(values...));
    }
}

}  // namespace xtape

#include <xtape/autograd/rules_unary.hpp>

#include <xtape/autograd/rules_binary.hpp>

namespace xtape {

template <class... Rules>
struct RuleList {
    static constexpr int size = sizeof...(Rules);
    template <class Rule>
    static constexpr int index_of = [] {
        int index = 0;
        bool found = false;
        ((found = found || __is_same(Rule, Rules), index += found ? 0 : 1), ...);
        return index;
    }();
};

using UnaryRules =
    RuleList<Negate, Exp, Exp2, Expm1, NonNegative, Log, Log2, Log10, Log1p, Square, Cube, Sqrt, Rsqrt, Cbrt,
             Reciprocal, Abs, Sign, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, Erfc,
             Lgamma, Digamma, Sigmoid, LogSigmoid, Softplus, Relu, NormalCdf, Gelu, Silu, Floor, Ceil, Round, Trunc>;
using BinaryRules = RuleList<Add, Subtract, Multiply, Divide, Pow, Maximum, Minimum, Atan2, Hypot, Fmod, Logaddexp,
                             Polygamma, LeakyRelu, Elu, Strong, Strong2, Less, Equal>;

}  // namespace xtape
