#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/autograd/trace.hpp>

namespace xtape {

/// What `grad` may be asked for.
template <class T>
struct GradOptions {
    Tensor<T> seed = {};        ///< the cotangent of y; needed unless y has one element
    bool retain_graph = false;  ///< keep what the graph saved, so that it can be replayed again
    bool create_graph = false;  ///< record the replay, so that the gradients can be differentiated; retains the graph
    bool allow_unused = false;  ///< zeros for a tensor that y does not depend on, instead of an error
};

/// The gradients of y by each of `xs`, which may be parameters or interior tensors; no leaf's `grad()` is touched.
/// Throws ShapeError if y has several elements and no seed is given; GraphError as `backward`, and where y does not
/// depend on one of `xs`.
template <class T>
[[nodiscard]] std::vector<Tensor<T>> grad(const Tensor<T>& y, std::span<const Tensor<T>> xs,
                                          const GradOptions<T>& options = {});
template <class T>
[[nodiscard]] std::vector<Tensor<T>> grad(const Tensor<T>& y, const std::vector<Tensor<T>>& xs,
                                          const GradOptions<std::type_identity_t<T>>& options = {}) {
    return grad(y, std::span<const Tensor<T>>(xs), options);
}
template <class T>
[[nodiscard]] std::vector<Tensor<T>> grad(const Tensor<T>& y, std::initializer_list<std::type_identity_t<Tensor<T>>> xs,
                                          const GradOptions<std::type_identity_t<T>>& options = {}) {
    return grad(y, std::span<const Tensor<T>>(xs.begin(), xs.size()), options);
}

// The transforms below take a function f and tensors x, run f at x once, and return numbers of it and of its
// derivatives. f takes `const Tensor<T>&` and x is a tensor, or f takes `const std::vector<Tensor<T>>&` and x is a
// vector of tensors or {x1, x2, ...}; then gradients and tangents are vectors too. Derivatives are by x alone: what
// else f uses counts as constant, even if it was made from x. What f does not depend on gets zeros.
//
// They nest to any depth. If recording is on and the results depend on something recorded outside (a recorded x, a
// parameter that f captures, a recorded v), they are recorded as any op's are, and can be differentiated again;
// otherwise they are constants, and cheaper: give a detached x, or say so by a NoGradGuard around the transform. f
// itself always runs recorded, also under a NoGradGuard. No `grad()` of any leaf is touched.
//
// All throw ValueError for an empty list of inputs.

namespace detail {
template <class T>
[[nodiscard]] Tensors<T> value_and_grad(Trace<T>& trace, std::span<Tensor<T>> y);
template <class T>
[[nodiscard]] Tensors<T> vjp(Trace<T>& trace, std::span<Tensor<T>> ys, std::span<const Tensor<T>> vs);
template <class T>
[[nodiscard]] Tensors<T> jvp(Trace<T>& trace, std::span<Tensor<T>> ys, std::span<const Tensor<T>> vs);

/// y and its tangents, as many as y is.
template <class T>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> with_tangent(Tensor<T> y, Tensors<T> tangents) {
    return {std::move(y), std::move(tangents.front())};
}
template <class T>
[[nodiscard]] std::pair<Tensors<T>, Tensors<T>> with_tangent(Tensors<T> ys, Tensors<T> tangents) {
    return {std::move(ys), std::move(tangents)};
}
}  // namespace detail

/// f(x) and its gradient at x, for an f whose result has one element. Throws ShapeError if it has several.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> value_and_grad(F&& f, const Tensor<T>& x) {
    detail::Trace<T> trace("value_and_grad", detail::as_span(x));
    Tensor<T> y = f(trace.inputs().front());
    Tensor<T> gradient = detail::value_and_grad(trace, detail::as_span(y)).front();
    return {std::move(y), std::move(gradient)};
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] std::pair<Tensor<T>, std::vector<Tensor<T>>> value_and_grad(F&& f, const std::vector<Tensor<T>>& xs) {
    detail::Trace<T> trace("value_and_grad", xs);
    Tensor<T> y = f(trace.inputs());
    std::vector<Tensor<T>> gradients = detail::value_and_grad(trace, detail::as_span(y));
    return {std::move(y), std::move(gradients)};
}
template <class T, class F>
[[nodiscard]] auto value_and_grad(F&& f, std::initializer_list<Tensor<T>> xs) {
    return value_and_grad(f, std::vector<Tensor<T>>(xs));
}

/// f(x) and vᵀJ, the cotangent v pulled back through f: one replay. f may return one tensor or a vector of them; v is
/// like its result, as a tensor, a vector or {v1, v2, ...}. Throws ShapeError with both shapes if it is not.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] auto vjp(F&& f, const Tensor<T>& x, const detail::TensorList<std::type_identity_t<T>>& v) {
    detail::Trace<T> trace("vjp", detail::as_span(x));
    detail::Output<T, F, Tensor<T>> y = f(trace.inputs().front());
    Tensor<T> gradient = detail::vjp<T>(trace, detail::as_span(y), v).front();
    return std::pair(std::move(y), std::move(gradient));
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] auto vjp(F&& f, const std::vector<Tensor<T>>& xs, const detail::TensorList<std::type_identity_t<T>>& v) {
    detail::Trace<T> trace("vjp", xs);
    detail::Output<T, F, std::vector<Tensor<T>>> y = f(trace.inputs());
    std::vector<Tensor<T>> gradients = detail::vjp<T>(trace, detail::as_span(y), v);
    return std::pair(std::move(y), std::move(gradients));
}
template <class T, class F>
[[nodiscard]] auto vjp(F&& f, std::initializer_list<Tensor<T>> xs,
                       const detail::TensorList<std::type_identity_t<T>>& v) {
    return vjp(f, std::vector<Tensor<T>>(xs), v);
}

/// f(x) and J v, f's derivative along the tangent v, which has x's shape: two replays, of which the second transposes
/// the first (J v is the gradient of <uᵀJ, v> by the cotangent u). f may return one tensor or a vector of tensors; the
/// derivative is like it. Throws ShapeError with both shapes if v is not like x.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] auto jvp(F&& f, const Tensor<T>& x, const std::type_identity_t<Tensor<T>>& v) {
    detail::Trace<T> trace("jvp", detail::as_span(x));
    detail::Output<T, F, Tensor<T>> y = f(trace.inputs().front());
    detail::Tensors<T> tangents = detail::jvp(trace, detail::as_span(y), detail::as_span(v));
    return detail::with_tangent(std::move(y), std::move(tangents));
}
template <class T, std::invocable<const std::vector<Tensor<T>>&> F>
[[nodiscard]] auto jvp(F&& f, const std::vector<Tensor<T>>& xs, const std::vector<std::type_identity_t<Tensor<T>>>& v) {
    detail::Trace<T> trace("jvp", xs);
    detail::Output<T, F, std::vector<Tensor<T>>> y = f(trace.inputs());
    detail::Tensors<T> tangents = detail::jvp(trace, detail::as_span(y), detail::as_span(v));
    return detail::with_tangent(std::move(y), std::move(tangents));
}
template <class T, class F>
[[nodiscard]] auto jvp(F&& f, std::initializer_list<Tensor<T>> xs,
                       const std::vector<std::type_identity_t<Tensor<T>>>& v) {
    return jvp(f, std::vector<Tensor<T>>(xs), v);
}

}  // namespace xtape
