#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/operands.hpp>

namespace xtape {

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> outer(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> vdot(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> trace(const Tensor<T>& x, std::ptrdiff_t offset, std::ptrdiff_t axis1, std::ptrdiff_t axis2);

// The element type of the first tensor among operands.
template <class X, class... More>
struct FirstTensorType : FirstTensorType<More...> {};
template <class X, class... More>
requires AnyTensor<X>
struct FirstTensorType<X, More...> {
    using type = typename std::remove_cvref_t<X>::value_type;
};
}  // namespace detail

/// All products of an element of a with one of b, each read as one row: a matrix of a.size() rows.
template <class A, class B>
requires ArrayOperands<A, B>
[[nodiscard]] auto outer(A&& a, B&& b) { return detail::outer(operand<A, B>(a), operand<A, B>(b)); }

/// The sum of the products of a's elements with b's, each read as one row. Throws ShapeError where the sizes differ.
template <class A, class B>
requires ArrayOperands<A, B>
[[nodiscard]] auto vdot(A&& a, B&& b) { return detail::vdot(operand<A, B>(a), operand<A, B>(b)); }

/// The sum along a diagonal of the matrices that two axes span; see diagonal.
template <AnyTensor X>
[[nodiscard]] auto trace(X&& x, int offset = 0, std::ptrdiff_t axis1 = 0, std::ptrdiff_t axis2 = 1) {
    return detail::trace(x, offset, axis1, axis2);
}

/// Einstein's sums, as NumPy writes them: a letter for each axis of each operand, then the letters of the result. The
/// result is the product of the operands' elements at equal letters, summed over all letters that it lacks.
///
///     einsum("ij,jk->ik", a, b)       the matrix product
///     einsum("bij,bjk->bik", a, b)    of stacks of matrices
///     einsum("ii->i", a)              the diagonal: a letter twice in one operand
///     einsum("ij,ik,jk", x, a, b)     without an arrow: the letters that occur once, in alphabetical order
///     einsum("...ij->...ji", a)       an ellipsis: all axes not named, broadcast between operands
///
/// An axis of extent 1 is repeated where the letter has another extent elsewhere. Any number of operands is contracted
/// two by two, the cheapest pair first, each by one matmul. Throws ValueError for subscripts that say nothing sensible,
/// ShapeError where they don't fit the operands.
template <class T>
[[nodiscard]] Tensor<T> einsum(std::string_view subscripts, std::span<const Tensor<T>> operands);
template <class T>
[[nodiscard]] Tensor<T> einsum(std::string_view subscripts, const std::vector<Tensor<T>>& operands) {
    return einsum(subscripts, std::span<const Tensor<T>>(operands));
}
template <class... Xs>
requires((AnyTensor<Xs> || ...) && ((AnyTensor<Xs> || XtensorExpression<Xs>)&&...))
    [[nodiscard]] auto einsum(std::string_view subscripts, Xs&&... xs) {
    using T = typename detail::FirstTensorType<Xs...>::type;
    const Tensor<T> operands[] = {operand<Tensor<T>, Xs>(xs)...};
    return einsum(subscripts, std::span<const Tensor<T>>(operands));
}

}  // namespace xtape
