#pragma once

#include <cstdint>

#include <xtape/autograd/operands.hpp>

namespace xtape {

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> matmul(const Tensor<T>& a, const Tensor<T>& b);
}

/// The matrix product, after NumPy's rules: 1-d operands are a row on the left and a column on the right, and that axis
/// goes; more than two axes are stacks of matrices, which broadcast. Throws ShapeError naming both shapes where the
/// inner extents differ.
template <class A, class B>
requires ArrayOperands<A, B>
[[nodiscard]] auto matmul(A&& a, B&& b) { return detail::matmul(operand<A, B>(a), operand<A, B>(b)); }

/// The same of matrices (or stacks of them) read transposed where asked, which costs no copy.
template <class T>
[[nodiscard]] Tensor<T> matmul_transposed(const Tensor<T>& a, bool transpose_a, const Tensor<T>& b, bool transpose_b);

/// What `linear` may end with: the activations whose derivative their result tells, so that nothing else is kept.
enum class LinearEnd : std::uint8_t { plain, relu, tanh, sigmoid };

/// x Wᵀ + b, fused, and an activation on top: x (..., in), weight (out, in), bias (out) or an empty tensor for none;
/// the result is (..., out). Throws ShapeError.
template <class T>
[[nodiscard]] Tensor<T> linear(const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias = {},
                               LinearEnd end = LinearEnd::plain);

}  // namespace xtape
