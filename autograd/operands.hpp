#pragma once

#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// What may stand on either side of a binary op: a tensor on one at least; on the other a tensor, a scalar, an
/// expression. Written as a constraint on forwarding references, because xtensor's own unconstrained operators would
/// win over an overload that takes `const Tensor<T>&`.
template <class A, class B>
concept Operands = (AnyTensor<A> && (AnyTensor<B> || Scalar<B> || XtensorExpression<B>)) ||
                   (AnyTensor<B> && (Scalar<A> || XtensorExpression<A>));

/// The same where scalars have no meaning: tensors and expressions.
template <class A, class B>
concept ArrayOperands = Operands<A, B> && !Scalar<A> && !Scalar<B>;

/// What chooses between two: an expression of bools or numbers, or one bool.
template <class C>
concept Condition = XtensorExpression<C> || std::same_as < std::remove_cvref_t<C>,
bool > ;

namespace detail {
template <class A, class B, bool a_is_tensor = AnyTensor<A>>
struct OperandTypeOf {
    using type = typename std::remove_cvref_t<A>::value_type;
};
template <class A, class B>
struct OperandTypeOf<A, B, false> {
    using type = typename std::remove_cvref_t<B>::value_type;
};
}  // namespace detail

/// The element type in which an op on `A` and `B` is done.
template <class A, class B>
using OperandType = typename detail::OperandTypeOf<A, B>::type;

/// An operand as a tensor of the op's element type.
template <class A, class B, class X>
decltype(auto) operand(const X& x) {
    using T = OperandType<A, B>;
    if constexpr (AnyTensor<X>) {
        static_assert(
            std::same_as<X, Tensor<T>>,
            "this mixes Tensor<float> and Tensor<double>; convert one of them: x.cast<double>() or x.cast<float>()");
        return (x);
    } else {
        return Tensor<T>(x);
    }
}

}  // namespace xtape
