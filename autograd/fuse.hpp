#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <span>
#include <type_traits>
#include <utility>

#include <xtape/autograd/fused_program.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// What the lambda given to `fuse` is called with. The ops below are those of elementwise.hpp, and mean the same.
namespace fused {

/// An element, known not by its number but by how to compute it.
template <class T>
class Value {
public:
    using value_type = T;

    Value(Program<T>& program, Index index) noexcept : program_(&program), index_(index) {}

    [[nodiscard]] Program<T>& program() const noexcept { return *program_; }
    [[nodiscard]] Index index() const noexcept { return index_; }

    template <class B>
    Value& operator+=(const B& b) {
        return *this = *this + b;
    }
    template <class B>
    Value& operator-=(const B& b) {
        return *this = *this - b;
    }
    template <class B>
    Value& operator*=(const B& b) {
        return *this = *this * b;
    }
    template <class B>
    Value& operator/=(const B& b) {
        return *this = *this / b;
    }

private:
    Program<T>* program_;
    Index index_;
};

/// A condition on elements, for `where`. It has no one truth to branch on.
template <class T>
class Mask {
public:
    /// `holds` is 1 where the condition holds, 0 elsewhere.
    explicit Mask(const Value<T>& holds) noexcept : holds_(holds) {}
    [[nodiscard]] const Value<T>& holds() const noexcept { return holds_; }

    template <std::same_as<bool> B>
    explicit operator B() const {
        static_assert(
            !std::same_as<B, bool>,
            "inside fuse and scan a comparison holds for some elements and not for others: instead of if, ?: or a loop "
            "on it, choose with where(condition, a, b)");
        return false;
    }

private:
    Value<T> holds_;
};

template <class A>
struct is_value : std::false_type {};
template <class T>
struct is_value<Value<T>> : std::true_type {};
template <class A>
concept AnyValue = is_value<std::remove_cvref_t<A>>::value;

template <class A>
struct is_mask : std::false_type {};
template <class T>
struct is_mask<Mask<T>> : std::true_type {};
template <class A>
concept AnyMask = is_mask<std::remove_cvref_t<A>>::value;

/// What may stand beside a Value: another, a scalar. Arrays are let in to be told what to do. As in operands.hpp, ops
/// take forwarding references, or xtensor's own unconstrained ones would win over them.
template <class A>
concept Beside =
    AnyValue<A> ||(Scalar<A> && !std::same_as<std::remove_cvref_t<A>, bool>) || AnyTensor<A> || XtensorExpression<A>;
template <class A, class B>
concept Operands = (AnyValue<A> && Beside<B>) || (Beside<A> && AnyValue<B>);

[[noreturn]] void throw_foreign_value();

template <class T, class A>
[[nodiscard]] Index operand(Program<T>& program, const A& a) {
    static_assert(!AnyTensor<A> && !XtensorExpression<A>,
                  "the lambda given to fuse or scan uses an array that it captured: hand it over as an input instead, "
                  "fuse([](auto x, auto array) { ... }, x, array); only scalars can be captured");
    if constexpr (AnyValue<A>) {
        static_assert(std::same_as<A, Value<T>>, "this mixes float and double inside fuse or scan");
        if (&a.program() != &program) [[unlikely]] {
            throw_foreign_value();
        }
        return a.index();
    } else {
        return program.constant(static_cast<T>(a));
    }
}

template <Code code, class T>
[[nodiscard]] Value<T> apply(const Value<T>& x) {
    return {x.program(), x.program().append({.code = code, .a = x.index()})};
}
/// The program of the one that is a Value.
template <class A, class B>
[[nodiscard]] auto& program_of(const A& a, const B& b) {
    if constexpr (AnyValue<A>) {
        return a.program();
    } else {
        return b.program();
    }
}
template <Code code, class A, class B>
[[nodiscard]] auto apply(const A& a, const B& b) {
    auto& program = program_of(a, b);
    const Index left = operand(program, a);
    const Index right = operand(program, b);
    return Value(program, program.append({.code = code, .a = left, .b = right}));
}

template <class T>
[[nodiscard]] Value<T> operator-(const Value<T>& x) {
    return apply<Code::Negate>(x);
}

// Constrained, so that square<double> still names the tensors' op alone.
#define XTAPE_FUSED_FUNCTION(name, Rule) \
    template <AnyValue V>                \
    [[nodiscard]] V name(const V& x) {   \
        return apply<Code::Rule>(x);     \
    }
XTAPE_FUSED_UNARY(XTAPE_FUSED_FUNCTION)
#undef XTAPE_FUSED_FUNCTION
#define XTAPE_FUSED_FUNCTION(name, Rule) \
    template <class A, class B>          \
    requires Operands<A, B>              \
    [[nodiscard]] auto name(A&& a, B&& b) { return apply<Code::Rule>(a, b); }
XTAPE_FUSED_BINARY(XTAPE_FUSED_FUNCTION)
#undef XTAPE_FUSED_FUNCTION

/// Throws ValueError for a negative n.
template <AnyValue V>
[[nodiscard]] V polygamma(int n, const V& x);
/// Throws ValueError unless the slope is finite.
template <AnyValue V>
[[nodiscard]] V leaky_relu(const V& x, double slope = 0.01);
/// Throws ValueError unless alpha is finite.
template <AnyValue V>
[[nodiscard]] V elu(const V& x, double alpha = 1.0);
/// Throws ValueError for lo > hi.
template <AnyValue V>
[[nodiscard]] V clip(const V& x, double lo, double hi);

template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator<(A&& a, B&& b) { return Mask(apply<Code::Less>(a, b)); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator>(A&& a, B&& b) { return b < a; }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto equal(A&& a, B&& b) { return Mask(apply<Code::Equal>(a, b)); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto not_equal(A&& a, B&& b) { return !equal(a, b); }
// Not !(b < a), which holds for NaN.
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator<=(A&& a, B&& b) { return a < b || equal(a, b); }
template <class A, class B>
requires Operands<A, B>
[[nodiscard]] auto operator>=(A&& a, B&& b) { return b <= a; }

template <class T>
[[nodiscard]] Mask<T> operator!(const Mask<T>& a) {
    return Mask<T>(T(1) - a.holds());
}
template <class T>
[[nodiscard]] Mask<T> operator&&(const Mask<T>& a, const Mask<T>& b) {
    return Mask<T>(a.holds() * b.holds());
}
template <class T>
[[nodiscard]] Mask<T> operator||(const Mask<T>& a, const Mask<T>& b) {
    return Mask<T>(maximum(a.holds(), b.holds()));
}

template <AnyMask M, Beside A, Beside B>
[[nodiscard]] auto where(M&& condition, A&& a, B&& b) {
    auto& program = condition.holds().program();
    const Index left = operand(program, a);
    const Index right = operand(program, b);
    const Index holds = condition.holds().index();
    return Value(program, program.append({.code = Code::select, .a = left, .b = right, .c = holds}));
}
template <class C, class A, class B>
requires(std::same_as<std::remove_cvref_t<C>, bool>&& Operands<A, B>)
    [[nodiscard]] auto where(C&& condition, A&& a, B&& b) {
    auto& program = program_of(a, b);
    return where(Mask(Value(program, program.constant(condition ? 1 : 0))), a, b);
}

/// The sum or the mean of a Value over all elements: only what a lambda returns, since no element knows it.
template <class T>
struct Reduced {
    Value<T> element;
    Reduction reduction;
};
template <AnyValue V>
[[nodiscard]] auto sum(const V& x) {
    return Reduced<typename V::value_type>{x, Reduction::sum};
}
template <AnyValue V>
[[nodiscard]] auto mean(const V& x) {
    return Reduced<typename V::value_type>{x, Reduction::mean};
}
template <class T>
[[nodiscard]] Reduced<T> reduced(const Value<T>& x) {
    return {x, Reduction::each};
}
template <class T>
[[nodiscard]] const Reduced<T>& reduced(const Reduced<T>& x) {
    return x;
}

template <class T>
class Compiled;

/// What has been compiled for one lambda: it is nearly always read as the same program.
template <class T>
struct CallSite {
    std::atomic<Compiled<T>*> first{nullptr};
};

/// Runs a program on tensors and records it as one node.
template <class T>
[[nodiscard]] Tensor<T> evaluate(Program<T> program, Index result, Reduction reduction,
                                 std::span<const Tensor<T>* const> inputs, CallSite<T>& site);

}  // namespace fused

// Inside a fused lambda the ops may be qualified too: xtape::tanh(x).
#define XTAPE_FUSED_NAME(name, Rule) using fused::name;
XTAPE_FUSED_UNARY(XTAPE_FUSED_NAME)
#undef XTAPE_FUSED_NAME
using fused::atan2;
using fused::clip;
using fused::elu;
using fused::equal;
using fused::fmod;
using fused::hypot;
using fused::leaky_relu;
using fused::logaddexp;
using fused::maximum;
using fused::mean;
using fused::minimum;
using fused::not_equal;
using fused::polygamma;
using fused::pow;
using fused::sum;
using fused::where;

/// An elementwise expression in one pass over memory and as one node on the tape:
/// `fuse([](auto x, auto w) { return tanh(x * w) + x; }, x, w)`.
///
/// `f` is called once, with a stand-in for an element of each input, and may use every op of elementwise.hpp, scalars
/// and what it captured of them; it chooses with `where(x > 0, a, b)`. Value and derivatives of every order are those
/// of the same ops on tensors, to rounding. Inputs broadcast against each other, used or not, and the result has their
/// common shape; or it is 0-d, if the lambda returns the `sum(...)` or `mean(...)` of an element. It saves those inputs
/// that are used; where few of them require a gradient and the expression is costly, the derivatives by them too, which
/// are computed with the value. Throws ShapeError for shapes that don't broadcast.
template <class F, class T, AnyTensor... More>
[[nodiscard]] Tensor<T> fuse(F&& f, const Tensor<T>& x, const More&... more) {
    static_assert(
        (std::same_as<More, Tensor<T>> && ...),
        "this mixes Tensor<float> and Tensor<double>; convert one of them: x.cast<double>() or x.cast<float>()");
    constexpr std::size_t count = 1 + sizeof...(More);
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
        fused::Program<T> program(count);
        std::array<fused::Value<T>, count> values{fused::Value<T>(program, i)...};
        using Result = std::remove_cvref_t<decltype(f(values[i]...))>;
        static_assert(!std::is_arithmetic_v<Result>,
                      "the lambda given to fuse returns a number that depends on none of its inputs");
        static_assert(!std::same_as<Result, fused::Mask<T>>,
                      "the lambda given to fuse returns a condition: return where(condition, 1.0, 0.0)");
        static_assert(std::same_as<Result, fused::Value<T>> || std::same_as<Result, fused::Reduced<T>>,
                      "the lambda given to fuse returns something else than an expression of its arguments, or the sum "
                      "or mean of one");
        const fused::Reduced<T> result = fused::reduced(f(values[i]...));
        const fused::Index element = fused::operand(program, result.element);
        const std::array<const Tensor<T>*, count> inputs{&x, &more...};
        static constinit fused::CallSite<T> site;
        return fused::evaluate<T>(std::move(program), element, result.reduction, inputs, site);
    }
    (std::make_index_sequence<count>{});
}

}  // namespace xtape
