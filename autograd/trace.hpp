#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/inner_recording.hpp>
#include <xtape/autograd/tensor.hpp>

/// What the transforms (vjp, jacobian, hessian, ...) have in common: a template that calls f, and functions of ordinary
/// types that do the rest.
namespace xtape::detail {

template <class T>
using Tensors = std::vector<Tensor<T>>;

template <class T>
[[nodiscard]] std::span<Tensor<T>> as_span(Tensor<T>& one) noexcept {
    return {&one, 1};
}
template <class T>
[[nodiscard]] std::span<const Tensor<T>> as_span(const Tensor<T>& one) noexcept {
    return {&one, 1};
}
template <class T>
[[nodiscard]] std::span<Tensor<T>> as_span(Tensors<T>& several) noexcept {
    return several;
}
template <class T>
[[nodiscard]] std::span<const Tensor<T>> as_span(const Tensors<T>& several) noexcept {
    return several;
}

/// One tensor or several, as an argument.
template <class T>
class TensorList {
public:
    TensorList(Tensor<T> one) : tensors_{std::move(one)} {}
    template <Scalar S>
    TensorList(S one) : TensorList(Tensor<T>(one)) {}
    TensorList(Tensors<T> several) noexcept : tensors_(std::move(several)) {}
    TensorList(std::initializer_list<Tensor<T>> several) : tensors_(several) {}
    operator std::span<const Tensor<T>>() const noexcept { return tensors_; }

private:
    Tensors<T> tensors_;
};

/// What an f that may return one tensor or several gives for an X.
template <class T, class F, class X>
using Output = std::conditional_t<std::same_as<std::remove_cvref_t<std::invoke_result_t<F, const X&>>, Tensors<T>>,
                                  Tensors<T>, Tensor<T>>;

/// A run of f that is to be differentiated. f gets inputs with nodes of their own, and recording is on meanwhile. What
/// comes of it is recorded outside as well if recording is on there and the result depends on something recorded
/// there: so that transforms nest. Otherwise results are detached, and no graph is made for them.
template <class T>
class Trace {
public:
    /// Throws ValueError naming the transform if there are no inputs.
    Trace(const char* transform, std::span<const Tensor<T>> xs);

    [[nodiscard]] const char* transform() const noexcept { return transform_; }
    [[nodiscard]] const Tensors<T>& inputs() const noexcept { return inputs_; }

    /// f has returned `ys`, and the results will also depend on `vs`.
    void close(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> vs = {});
    /// True if the results are recorded outside.
    [[nodiscard]] bool is_recorded() const noexcept { return is_recorded_; }
    /// Makes of what f returned what the transform returns.
    void release(std::span<Tensor<T>> ys) const;

    /// Throws ShapeError unless y has one element.
    void check_one_element(const Tensor<T>& y) const;
    /// Throws ShapeError unless there is one v for each of `ys`, of its shape. `what` they belong to: "x" or "f(x)".
    void check_like(std::span<const Tensor<T>> vs, std::span<const Tensor<T>> ys, const char* what) const;

private:
    InnerRecording recording_;
    const char* transform_;
    Tensors<T> inputs_;
    bool is_recorded_ = false;
};

/// The gradients of <ys, vs> by each of `xs`, zeros where there are none.
template <class T>
[[nodiscard]] Tensors<T> pull_back(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> vs,
                                   std::span<const Tensor<T>> xs, BackwardOptions options);

/// What `pull_back` gives as a function of the cotangents `vs`, which it makes: the transposed map, ready to be
/// transposed again.
template <class T>
struct Transposed {
    Tensors<T> vs;
    Tensors<T> gradients;
};
template <class T>
[[nodiscard]] Transposed<T> transpose_map(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> xs);

}  // namespace xtape::detail
