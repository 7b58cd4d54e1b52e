#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>

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

/// f(x) and its gradient at x, for f: Tensor -> one-element Tensor. x itself is left alone.
template <class T, std::invocable<const Tensor<T>&> F>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> value_and_grad(F&& f, const Tensor<T>& x) {
    const Tensor<T> at = parameter(x.detach());
    const Tensor<T> y = std::forward<F>(f)(at);
    return {y.detach(), grad(y, {at}, {.allow_unused = true}).front()};
}

}  // namespace xtape
