#pragma once

#include <xtape/autograd/tensor.hpp>

namespace xtape {

class KeepDims {
    struct Key {};

public:
    explicit constexpr KeepDims(Key) {}  // not from {} or {0}, which are lists of axes
    [[nodiscard]] static constexpr KeepDims tag() { return KeepDims(Key{}); }
};
/// Asks a reduction to leave the reduced axes in the shape, with extent 1.
inline constexpr KeepDims keep_dims = KeepDims::tag();

// Reductions, over all axes or over a list of them (an empty list reduces nothing). Axes out of range or given twice
// throw ShapeError.

/// The sum; of nothing it is 0. Long sums are taken pairwise, in a fixed order.
template <class T>
[[nodiscard]] Tensor<T> sum(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> sum(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> sum(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> sum(const Tensor<T>& x, const Axes& axes, KeepDims);

/// The arithmetic mean; of nothing it is NaN.
template <class T>
[[nodiscard]] Tensor<T> mean(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> mean(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> mean(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> mean(const Tensor<T>& x, const Axes& axes, KeepDims);

/// The largest; NaN if one is among them. Ties share the gradient equally. Throws ValueError for none.
template <class T>
[[nodiscard]] Tensor<T> amax(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> amax(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> amax(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> amax(const Tensor<T>& x, const Axes& axes, KeepDims);

/// The smallest; NaN if one is among them. Ties share the gradient equally. Throws ValueError for none.
template <class T>
[[nodiscard]] Tensor<T> amin(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> amin(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> amin(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> amin(const Tensor<T>& x, const Axes& axes, KeepDims);

/// The product; of nothing it is 1. Its gradients are exact at zeros, to every order. The order of the factors is
/// xtape's own: a product that leaves T's range on the way may do so in another order than a loop's.
template <class T>
[[nodiscard]] Tensor<T> prod(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> prod(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> prod(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> prod(const Tensor<T>& x, const Axes& axes, KeepDims);

/// log Σ exp(x), without overflow: -inf of nothing and of all -inf (where the gradient is 0); +inf entries share the
/// gradient.
template <class T>
[[nodiscard]] Tensor<T> logsumexp(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> logsumexp(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> logsumexp(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> logsumexp(const Tensor<T>& x, const Axes& axes, KeepDims);

/// Σ |x|
template <class T>
[[nodiscard]] Tensor<T> norm_l1(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> norm_l1(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> norm_l1(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> norm_l1(const Tensor<T>& x, const Axes& axes, KeepDims);

/// √Σ x², without overflow; its gradient is 0 where all elements are 0.
template <class T>
[[nodiscard]] Tensor<T> norm_l2(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> norm_l2(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> norm_l2(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> norm_l2(const Tensor<T>& x, const Axes& axes, KeepDims);

/// Σ x²
template <class T>
[[nodiscard]] Tensor<T> norm_sq(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> norm_sq(const Tensor<T>& x, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> norm_sq(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> norm_sq(const Tensor<T>& x, const Axes& axes, KeepDims);

/// Σ (x - mean)² / (n - ddof), whatever the mean: in two passes, corrected for the mean's rounding. ddof = 0 for the
/// variance of all there is, 1 for the unbiased estimate from a sample. Without axes, over all of them; n <= ddof
/// divides by 0.
template <class T>
[[nodiscard]] Tensor<T> variance(const Tensor<T>& x, const Axes& axes, std::size_t ddof = 0);
template <class T>
[[nodiscard]] Tensor<T> variance(const Tensor<T>& x, const Axes& axes, std::size_t ddof, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> variance(const Tensor<T>& x, const Axes& axes, KeepDims keep) {
    return variance(x, axes, 0, keep);
}
template <class T>
[[nodiscard]] Tensor<T> variance(const Tensor<T>& x);

/// √variance; its gradient is 0 where all elements are equal.
template <class T>
[[nodiscard]] Tensor<T> stddev(const Tensor<T>& x, const Axes& axes, std::size_t ddof = 0);
template <class T>
[[nodiscard]] Tensor<T> stddev(const Tensor<T>& x, const Axes& axes, std::size_t ddof, KeepDims);
template <class T>
[[nodiscard]] Tensor<T> stddev(const Tensor<T>& x, const Axes& axes, KeepDims keep) {
    return stddev(x, axes, 0, keep);
}
template <class T>
[[nodiscard]] Tensor<T> stddev(const Tensor<T>& x);

}  // namespace xtape
