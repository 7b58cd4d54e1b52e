#pragma once

// The helpers that derivative rules call by name, for tensors: with them a rule of rules.hpp records itself.

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/rules.hpp>

namespace xtape {

/// A condition: 1 where it holds, 0 elsewhere. Never part of a graph.
template <class T>
struct TensorMask {
    Tensor<T> holds;
};

template <class T>
TensorMask<T> is_less(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
TensorMask<T> is_equal(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
TensorMask<T> is_greater(const Tensor<T>& a, const Tensor<T>& b) {
    return is_less(b, a);
}
template <class T>
TensorMask<T> is_less(const Tensor<T>& a, double b) {
    return is_less(a, Tensor<T>(b));
}
template <class T>
TensorMask<T> is_greater(const Tensor<T>& a, double b) {
    return is_less(Tensor<T>(b), a);
}
template <class T>
TensorMask<T> is_equal(const Tensor<T>& a, double b) {
    return is_equal(a, Tensor<T>(b));
}
template <class T>
TensorMask<T> is_nan(const Tensor<T>& x);

template <class T>
Tensor<T> select(const TensorMask<T>& mask, const Tensor<T>& a, const Tensor<T>& b) {
    return elementwise::where(mask.holds, a, b);
}
template <class T>
Tensor<T> select(const TensorMask<T>& mask, double a, const Tensor<T>& b) {
    return select(mask, Tensor<T>(a), b);
}
template <class T>
Tensor<T> select(const TensorMask<T>& mask, const Tensor<T>& a, double b) {
    return select(mask, a, Tensor<T>(b));
}
template <class T>
Tensor<T> constant(const Tensor<T>&, double c) {
    return Tensor<T>(c);
}

/// g * d, 0 where g is 0 whatever d is; see architecture: the engine's product of a gradient and a derivative.
template <class T>
Tensor<T> strong(const Tensor<T>& g, const Tensor<T>& d);
/// a * b, 0 where either is 0.
template <class T>
Tensor<T> strong2(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
Tensor<T> non_negative(const Tensor<T>& x);
template <class T>
Tensor<T> normal_cdf(const Tensor<T>& x);
template <class T>
Tensor<T> times_normal_cdf(const Tensor<T>& x) {
    return strong(normal_cdf(x), x);
}
template <class T>
Tensor<T> polygamma(const Tensor<T>& n, const Tensor<T>& x);

/// The input's gradient from the incoming one by a rule, which so records itself.
template <class Form, class T, class... Values>
Tensor<T> recorded_pull(const Tensor<T>& g, const Values&... values) {
    [[maybe_unused]] const mutation::FormRule<Form> rule;
    return recorded_gradient<Form>(g, values...);
}

}  // namespace xtape
