#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/trace.hpp>

namespace xtape {

// Whole matrices of derivatives, and products with the Hessian. What transforms.hpp says of f, x, nesting and recording
// holds here too.

namespace detail {
template <class T>
[[nodiscard]] Tensors<T> jacobian(Trace<T>& trace, const Tensor<T>& y);
template <class T>
[[nodiscard]] std::vector<Tensors<T>> hessian(Trace<T>& trace, const Tensor<T>& y);
template <class T>
[[nodiscard]] Tensors<T> hvp(Trace<T>& trace, const Tensor<T>& y, std::span<const Tensor<T>> vs);
}  // namespace detail

/// The derivatives of every element of f(x) by every element of x: shape f(x).shape + x.shape. Of several x: a vector,
/// one Jacobian for each. One replay for each element of f(x) or, where these are more, of x.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] Tensor<T> jacobian(F&& f, const Tensor<T>& x) {
    detail::Trace<T> trace("jacobian", detail::as_span(x));
    const Tensor<T> y = f(trace.inputs().front());
    return detail::jacobian(trace, y).front();
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] std::vector<Tensor<T>> jacobian(F&& f, const std::vector<Tensor<T>>& xs) {
    detail::Trace<T> trace("jacobian", xs);
    const Tensor<T> y = f(trace.inputs());
    return detail::jacobian(trace, y);
}
template <class T, class F>
[[nodiscard]] std::vector<Tensor<T>> jacobian(F&& f, std::initializer_list<Tensor<T>> xs) {
    return jacobian(f, std::vector<Tensor<T>>(xs));
}

/// The second derivatives of an f whose result has one element: shape x.shape + x.shape. Of several x: block [i][j] has
/// shape x_i.shape + x_j.shape. One replay for the gradient and one for each of its elements. Throws ShapeError if f(x)
/// has several elements.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] Tensor<T> hessian(F&& f, const Tensor<T>& x) {
    detail::Trace<T> trace("hessian", detail::as_span(x));
    const Tensor<T> y = f(trace.inputs().front());
    return detail::hessian(trace, y).front().front();
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] std::vector<std::vector<Tensor<T>>> hessian(F&& f, const std::vector<Tensor<T>>& xs) {
    detail::Trace<T> trace("hessian", xs);
    const Tensor<T> y = f(trace.inputs());
    return detail::hessian(trace, y);
}
template <class T, class F>
[[nodiscard]] std::vector<std::vector<Tensor<T>>> hessian(F&& f, std::initializer_list<Tensor<T>> xs) {
    return hessian(f, std::vector<Tensor<T>>(xs));
}

/// H v, the Hessian's product with a vector of x's shape, for an f whose result has one element: two replays, whatever
/// the size of x. Throws ShapeError if f(x) has several elements, or with both shapes if v is not like x.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] Tensor<T> hvp(F&& f, const Tensor<T>& x, const std::type_identity_t<Tensor<T>>& v) {
    detail::Trace<T> trace("hvp", detail::as_span(x));
    const Tensor<T> y = f(trace.inputs().front());
    return detail::hvp(trace, y, detail::as_span(v)).front();
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] std::vector<Tensor<T>> hvp(F&& f, const std::vector<Tensor<T>>& xs,
                                         const std::vector<std::type_identity_t<Tensor<T>>>& v) {
    detail::Trace<T> trace("hvp", xs);
    const Tensor<T> y = f(trace.inputs());
    return detail::hvp(trace, y, detail::as_span(v));
}
template <class T, class F>
[[nodiscard]] std::vector<Tensor<T>> hvp(F&& f, std::initializer_list<Tensor<T>> xs,
                                         const std::vector<std::type_identity_t<Tensor<T>>>& v) {
    return hvp(f, std::vector<Tensor<T>>(xs), v);
}

}  // namespace xtape
