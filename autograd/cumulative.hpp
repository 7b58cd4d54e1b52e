#pragma once

#include <xtape/autograd/tensor.hpp>

namespace xtape {

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> cumsum(const Tensor<T>& x, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> cumprod(const Tensor<T>& x, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> as_row(const Tensor<T>& x);
}  // namespace detail

// As in indexing.hpp, constrained forwarding references win over xtensor's functions of the same names.

/// Running sums along an axis: element i is x₀ + ... + xᵢ.
template <AnyTensor X>
[[nodiscard]] auto cumsum(X&& x, std::ptrdiff_t axis) {
    return detail::cumsum(x, axis);
}
/// The same of x read as one row, which is the result's shape.
template <AnyTensor X>
[[nodiscard]] auto cumsum(X&& x) {
    return detail::cumsum(detail::as_row(x), 0);
}

/// Running products along an axis: element i is x₀ ... xᵢ. Its derivatives are exact where elements are 0: nothing is
/// divided.
template <AnyTensor X>
[[nodiscard]] auto cumprod(X&& x, std::ptrdiff_t axis) {
    return detail::cumprod(x, axis);
}
/// The same of x read as one row, which is the result's shape.
template <AnyTensor X>
[[nodiscard]] auto cumprod(X&& x) {
    return detail::cumprod(detail::as_row(x), 0);
}

}  // namespace xtape
