#pragma once

// The helpers that derivative rules call by name, for the Values of a fused program: the third reading of rules.hpp,
// beside lanes (kernels/elementwise.hpp) and tensors (tensor_reading.hpp).

#include <xtape/autograd/fuse.hpp>

namespace xtape::fused {

template <class T, class B>
Mask<T> is_less(const Value<T>& a, const B& b) {
    return a < b;
}
template <class T, class B>
Mask<T> is_greater(const Value<T>& a, const B& b) {
    return a > b;
}
template <class T, class B>
Mask<T> is_equal(const Value<T>& a, const B& b) {
    return equal(a, b);
}
template <class T>
Mask<T> is_nan(const Value<T>& x) {
    return not_equal(x, x);
}
template <class T, class A, class B>
Value<T> select(const Mask<T>& mask, const A& a, const B& b) {
    return where(mask, a, b);
}
template <class T>
Value<T> constant(const Value<T>& like, double c) {
    return {like.program(), like.program().constant(static_cast<T>(c))};
}
template <class T>
Value<T> zeros_like(const Value<T>& x) {
    return constant(x, 0.0);
}
template <class T>
Value<T> strong(const Value<T>& g, const Value<T>& d) {
    return apply<Code::Strong>(g, d);
}
template <class T>
Value<T> strong2(const Value<T>& a, const Value<T>& b) {
    return apply<Code::Strong2>(a, b);
}
template <class T>
Value<T> non_negative(const Value<T>& x) {
    return apply<Code::NonNegative>(x);
}
template <class T>
Value<T> normal_cdf(const Value<T>& x) {
    return apply<Code::NormalCdf>(x);
}
template <class T>
Value<T> times_normal_cdf(const Value<T>& x) {
    return strong(normal_cdf(x), x);
}
template <class T>
Value<T> polygamma(const Value<T>& n, const Value<T>& x) {
    return apply<Code::Polygamma>(n, x);
}

}  // namespace xtape::fused
