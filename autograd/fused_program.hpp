#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <xtape/autograd/memory.hpp>

// The functions of elementwise.hpp, and their rules in rules.hpp.
// clang-format off
#define XTAPE_FUSED_UNARY(f) \
    f(exp, Exp) f(exp2, Exp2) f(expm1, Expm1) f(log, Log) f(log2, Log2) f(log10, Log10) f(log1p, Log1p) \
    f(square, Square) f(cube, Cube) f(sqrt, Sqrt) f(rsqrt, Rsqrt) f(cbrt, Cbrt) f(reciprocal, Reciprocal) \
    f(abs, Abs) f(sign, Sign) f(sin, Sin) f(cos, Cos) f(tan, Tan) f(asin, Asin) f(acos, Acos) f(atan, Atan) \
    f(sinh, Sinh) f(cosh, Cosh) f(tanh, Tanh) f(asinh, Asinh) f(acosh, Acosh) f(atanh, Atanh) f(erf, Erf) \
    f(erfc, Erfc) f(lgamma, Lgamma) f(digamma, Digamma) f(sigmoid, Sigmoid) f(log_sigmoid, LogSigmoid) \
    f(softplus, Softplus) f(relu, Relu) f(gelu, Gelu) f(silu, Silu) f(floor, Floor) f(ceil, Ceil) f(round, Round) \
    f(trunc, Trunc)
#define XTAPE_FUSED_BINARY(f) \
    f(operator+, Add) f(operator-, Subtract) f(operator*, Multiply) f(operator/, Divide) f(pow, Pow) \
    f(maximum, Maximum) f(minimum, Minimum) f(atan2, Atan2) f(hypot, Hypot) f(fmod, Fmod) f(logaddexp, Logaddexp)
// clang-format on

/// What `fuse` makes of a lambda: a list of elementwise steps in the order they were written.
namespace xtape::fused {

/// A step of a program, by its place, and so the value that it computes.
using Index = std::uint32_t;
inline constexpr Index none = ~Index{0};

/// What a step does with the values a, b and c.
enum class Code : std::uint32_t {
#define XTAPE_FUSED_CODE(name, Rule) Rule,
    // clang-format off
    // The rules of one input, a.
    XTAPE_FUSED_UNARY(XTAPE_FUSED_CODE)
    Negate, NonNegative, NormalCdf,
    // Those of two, a and b.
    XTAPE_FUSED_BINARY(XTAPE_FUSED_CODE)
    Polygamma, LeakyRelu, Elu, Strong, Strong2, Less, Equal,
// clang-format on
#undef XTAPE_FUSED_CODE
    select,      // a where c is not 0, else b
    clip,        // a, or the bound b or c, constants, that it is beyond
    input,       // number a of what the program is run on
    constant,    // number a of those that the program keeps beside its steps
    pull_left,   // for a gradient b of step a, that of its left operand (or only one); c, if there is one, is added
    pull_right,  // of its right operand
    sum,         // of the elements of a
};

/// What becomes of a program's results: one for each element, or what all of them have in common.
enum class Reduction : char { each, sum, mean };

struct Step {
    Code code;
    Index a = none;
    Index b = none;
    Index c = none;
};
using Steps = PoolVector<Step>;

/// A straight-line program on elements: no step reads one that comes later. The first steps are its inputs. Its numbers
/// lie apart, so that programs which differ in nothing else have the same steps.
template <class T>
struct Program {
    Steps steps;
    PoolVector<T> numbers;

    explicit Program(Index inputs) {
        constexpr Index usual_steps = 28;
        steps.reserve(inputs + usual_steps);
        for (Index i = 0; i < inputs; ++i) {
            append({.code = Code::input, .a = i});
        }
    }
    Index append(const Step& step) {
        steps.push_back(step);
        return static_cast<Index>(steps.size() - 1);
    }
    Index constant(T number) {
        if (numbers.empty()) {
            constexpr std::size_t usual_numbers = 8;
            numbers.reserve(usual_numbers);
        }
        numbers.push_back(number);
        return append({.code = Code::constant, .a = static_cast<Index>(numbers.size() - 1)});
    }
};

}  // namespace xtape::fused
