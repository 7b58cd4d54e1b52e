#pragma once

#include <xtape/autograd/operands.hpp>

namespace xtape {

// Elementwise ops of one input. What each returns where mathematics leaves the derivative open stands in
// docs/pitfalls.md.

/// eˣ
template <class T>
[[nodiscard]] Tensor<T> exp(const Tensor<T>& x);
/// 2ˣ
template <class T>
[[nodiscard]] Tensor<T> exp2(const Tensor<T>& x);
/// eˣ - 1, exact near 0
template <class T>
[[nodiscard]] Tensor<T> expm1(const Tensor<T>& x);
/// The natural logarithm; NaN below 0, and so is its gradient.
template <class T>
[[nodiscard]] Tensor<T> log(const Tensor<T>& x);
/// To base 2.
template <class T>
[[nodiscard]] Tensor<T> log2(const Tensor<T>& x);
/// To base 10.
template <class T>
[[nodiscard]] Tensor<T> log10(const Tensor<T>& x);
/// log(1 + x), exact near 0
template <class T>
[[nodiscard]] Tensor<T> log1p(const Tensor<T>& x);
/// x²
template <class T>
[[nodiscard]] Tensor<T> square(const Tensor<T>& x);
/// x³
template <class T>
[[nodiscard]] Tensor<T> cube(const Tensor<T>& x);
/// √x; its gradient is +inf at 0 and NaN below.
template <class T>
[[nodiscard]] Tensor<T> sqrt(const Tensor<T>& x);
/// 1 / √x
template <class T>
[[nodiscard]] Tensor<T> rsqrt(const Tensor<T>& x);
/// ∛x, of negative x too
template <class T>
[[nodiscard]] Tensor<T> cbrt(const Tensor<T>& x);
/// 1 / x
template <class T>
[[nodiscard]] Tensor<T> reciprocal(const Tensor<T>& x);
/// |x|; its gradient at 0 is 0.
template <class T>
[[nodiscard]] Tensor<T> abs(const Tensor<T>& x);
/// -1, 0 or 1; its gradient is 0 everywhere.
template <class T>
[[nodiscard]] Tensor<T> sign(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> sin(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> cos(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> tan(const Tensor<T>& x);
/// In [-π/2, π/2]; NaN outside [-1, 1].
template <class T>
[[nodiscard]] Tensor<T> asin(const Tensor<T>& x);
/// In [0, π]; NaN outside [-1, 1].
template <class T>
[[nodiscard]] Tensor<T> acos(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> atan(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> sinh(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> cosh(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> tanh(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> asinh(const Tensor<T>& x);
/// NaN below 1, and so is its gradient.
template <class T>
[[nodiscard]] Tensor<T> acosh(const Tensor<T>& x);
/// NaN outside [-1, 1], and so is its gradient.
template <class T>
[[nodiscard]] Tensor<T> atanh(const Tensor<T>& x);
/// The error function 2/√π ∫₀ˣ exp(-t²) dt.
template <class T>
[[nodiscard]] Tensor<T> erf(const Tensor<T>& x);
/// 1 - erf(x), exact far right
template <class T>
[[nodiscard]] Tensor<T> erfc(const Tensor<T>& x);
/// log |Γ(x)|
template <class T>
[[nodiscard]] Tensor<T> lgamma(const Tensor<T>& x);
/// ψ(x), the derivative of lgamma
template <class T>
[[nodiscard]] Tensor<T> digamma(const Tensor<T>& x);
/// 1 / (1 + e⁻ˣ)
template <class T>
[[nodiscard]] Tensor<T> sigmoid(const Tensor<T>& x);
/// log sigmoid(x), exact however large |x| is
template <class T>
[[nodiscard]] Tensor<T> log_sigmoid(const Tensor<T>& x);
/// log(1 + eˣ), likewise
template <class T>
[[nodiscard]] Tensor<T> softplus(const Tensor<T>& x);
/// max(x, 0); its gradient at 0 is 0. NaN stays NaN.
template <class T>
[[nodiscard]] Tensor<T> relu(const Tensor<T>& x);
/// x Φ(x), with the normal distribution function Φ (not its approximation by tanh)
template <class T>
[[nodiscard]] Tensor<T> gelu(const Tensor<T>& x);
/// x sigmoid(x)
template <class T>
[[nodiscard]] Tensor<T> silu(const Tensor<T>& x);
/// Rounded down; its gradient is 0 everywhere, as those of the next three.
template <class T>
[[nodiscard]] Tensor<T> floor(const Tensor<T>& x);
/// Rounded up.
template <class T>
[[nodiscard]] Tensor<T> ceil(const Tensor<T>& x);
/// To the nearest integer, halves to the even one.
template <class T>
[[nodiscard]] Tensor<T> round(const Tensor<T>& x);
/// Rounded towards 0.
template <class T>
[[nodiscard]] Tensor<T> trunc(const Tensor<T>& x);
/// ψ's n-th derivative, n >= 0. Throws ValueError for a negative n.
template <class T>
[[nodiscard]] Tensor<T> polygamma(int n, const Tensor<T>& x);
/// x above 0 and slope x below; its gradient at 0 is the slope.
template <class T>
[[nodiscard]] Tensor<T> leaky_relu(const Tensor<T>& x, double slope = 0.01);
/// x above 0 and alpha (eˣ - 1) below; its gradient at 0 is alpha.
template <class T>
[[nodiscard]] Tensor<T> elu(const Tensor<T>& x, double alpha = 1.0);
/// x kept within [lo, hi], either of which may be infinite; the gradient passes at the bounds, and is 0 outside. Throws
/// ValueError for lo > hi.
template <class T>
[[nodiscard]] Tensor<T> clip(const Tensor<T>& x, double lo, double hi);
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
[[nodiscard]] Tensor<T> atan2(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> hypot(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> fmod(const Tensor<T>& a, const Tensor<T>& b);
template <class T>
[[nodiscard]] Tensor<T> logaddexp(const Tensor<T>& a, const Tensor<T>& b);
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
/// The angle of the point (b, a), in [-π, π]; at (0, 0) its gradient is 0.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto atan2(A&& a, B&& b) { return elementwise::atan2(operand<A, B>(a), operand<A, B>(b)); }
/// √(a² + b²) without overflow; at (0, 0) its gradient is 0.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto hypot(A&& a, B&& b) { return elementwise::hypot(operand<A, B>(a), operand<A, B>(b)); }
/// The remainder of a / b, with a's sign, exact.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto fmod(A&& a, B&& b) { return elementwise::fmod(operand<A, B>(a), operand<A, B>(b)); }
/// log(eᵃ + eᵇ) without overflow. Two -inf pass no gradient, two +inf share it.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto logaddexp(A&& a, B&& b) { return elementwise::logaddexp(operand<A, B>(a), operand<A, B>(b)); }

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
