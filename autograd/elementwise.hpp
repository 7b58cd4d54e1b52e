#pragma once

#include <xtape/autograd/operands.hpp>

namespace xtape {

// Elementwise ops of one input. What each returns where mathematics leaves the derivative open stands in
// docs/pitfalls.md.

/// eˣ
template <class T>
[[nodiscard]] Tensor<T> exp(const Tensor<T>& x);
/// The natural logarithm; NaN below 0, and so is its gradient.
template <class T>
[[nodiscard]] Tensor<T> log(const Tensor<T>& x);
/// √x; its gradient is +inf at 0 and NaN below.
template <class T>
[[nodiscard]] Tensor<T> sqrt(const Tensor<T>& x);
/// x²
template <class T>
[[nodiscard]] Tensor<T> square(const Tensor<T>& x);
/// |x|; its gradient at 0 is 0.
template <class T>
[[nodiscard]] Tensor<T> abs(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> tanh(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> sin(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> cos(const Tensor<T>& x);
/// 1 / (1 + e⁻ˣ)
template <class T>
[[nodiscard]] Tensor<T> sigmoid(const Tensor<T>& x);
/// max(x, 0); its gradient at 0 is 0. NaN stays NaN.
template <class T>
[[nodiscard]] Tensor<T> relu(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> operator-(const Tensor<T>& x);

// Elementwise ops of two operands, after NumPy's broadcasting; one is a tensor, the other a tensor of the same type, a
// scalar, or an xtensor expression. Shapes that don't broadcast throw ShapeError.

namespace elementwise {
template <class T>
[[nodiscard]] Tensor<T> add(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> subtract(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> multiply(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> divide(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> pow(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> maximum(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> minimum(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> where(const Tensor<T>& condition, const Tensor<T>& a, const Tensor<T>& b);
}  // namespace elementwise

template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator+(A&& a, B&& b) { return elementwise::add(operand<A, B>(a), operand<A, B>(b)); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator-(A&& a, B&& b) { return elementwise::subtract(operand<A, B>(a), operand<A, B>(b)); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator*(A&& a, B&& b) { return elementwise::multiply(operand<A, B>(a), operand<A, B>(b)); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator/(A&& a, B&& b) { return elementwise::divide(operand<A, B>(a), operand<A, B>(b)); }
/// aᵇ. By the base the gradient is b aᵇ⁻¹, 0 where b is 0; by the exponent aᵇ log a, 0 at 0^b for b >= 0, and NaN
/// where a is negative.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto pow(A&& a, B&& b) { return elementwise::pow(operand<A, B>(a), operand<A, B>(b)); }
/// The larger of two; NaN if either is. Ties share the gradient equally.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto maximum(A&& a, B&& b) { return elementwise::maximum(operand<A, B>(a), operand<A, B>(b)); }
/// The smaller of two; NaN if either is. Ties share the gradient equally.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto minimum(A&& a, B&& b) { return elementwise::minimum(operand<A, B>(a), operand<A, B>(b)); }

/// `a` where the condition holds, else `b`. The condition is an xtensor expression of bools or numbers
/// (`x.value() > 0`); the gradient goes to what was taken, and exactly 0 to what was not.
template <Condition C, class A, class B>
requires Operands<A, B>
[[nodiscard]] auto where(C&& condition, A&& a, B&& b) {
    using T = OperandType<A, B>;
    if constexpr (XtensorExpression<C>) {
        return elementwise::where(xtape::cast<T>(xt::not_equal(condition, 0)), operand<A, B>(a), operand<A, B>(b));
    } else {
        return elementwise::where(Tensor<T>(condition ? T(1) : T(0)), operand<A, B>(a), operand<A, B>(b));
    }
}

// Comparisons give boolean xtensor arrays; nothing is recorded.

template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> operator<(A&& a, B&& b) {
    return xt::less(operand<A, B>(a).value(), operand<A, B>(b).value());
}
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> operator<=(A&& a, B&& b) {
    return xt::less_equal(operand<A, B>(a).value(), operand<A, B>(b).value());
}
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> operator>(A&& a, B&& b) {
    return xt::greater(operand<A, B>(a).value(), operand<A, B>(b).value());
}
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> operator>=(A&& a, B&& b) {
    return xt::greater_equal(operand<A, B>(a).value(), operand<A, B>(b).value());
}
/// a == b, elementwise. There is no operator ==: xtensor's gives one bool.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> equal(A&& a, B&& b) {
    return xt::equal(operand<A, B>(a).value(), operand<A, B>(b).value());
}
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] xt::xarray<bool> not_equal(A&& a, B&& b) {
    return xt::not_equal(operand<A, B>(a).value(), operand<A, B>(b).value());
}

}  // namespace xtape
