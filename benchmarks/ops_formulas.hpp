#pragma once

// The elementwise ops as anybody would write them in a loop, for numbers and for xsimd's batches. Each file that
// includes this names a namespace for it, XTAPE_LOOPS: compiled with different flags, the copies must not mix.

#include <cmath>
#include <limits>
#include <type_traits>

#include <xsimd/xsimd.hpp>

#include <xtape/autograd/special_functions.hpp>

namespace xtape::bench::XTAPE_LOOPS {

using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atan2, std::atanh, std::cbrt, std::ceil,
    std::cos, std::cosh, std::erf, std::erfc, std::exp, std::exp2, std::expm1, std::floor, std::fmod, std::hypot,
    std::log, std::log10, std::log1p, std::log2, std::nearbyint, std::pow, std::sin, std::sinh, std::sqrt, std::tan,
    std::tanh, std::trunc;

template <class V>
inline constexpr bool is_number = std::is_floating_point_v<V>;

template <class V>
V constant(double c) {
    if constexpr (is_number<V>) {
        return static_cast<V>(c);
    } else {
        return V(static_cast<typename V::value_type>(c));
    }
}
template <class Condition, class V>
V pick(Condition holds, V a, V b) {
    if constexpr (is_number<V>) {
        return holds ? a : b;
    } else {
        return xsimd::select(holds, a, b);
    }
}

// An op: its name, where the inputs of the benchmark lie, and the loop's body. `exact`, where there is one, is what its
// results are held against instead of the body in a wider type; `of_batches` is false where xsimd has no such function.
#define XTAPE_OP1(Op, spelled, from, to, batches, body)  \
    struct Op {                                          \
        static constexpr const char* name = spelled;     \
        static constexpr double low = from;              \
        static constexpr double high = to;               \
        static constexpr bool of_batches = batches;      \
        template <class V>                               \
        static V of(V x) {                               \
            [[maybe_unused]] const auto c = constant<V>; \
            return body;                                 \
        }                                                \
    };
#define XTAPE_OP2(Op, spelled, from, to, batches, body)  \
    struct Op {                                          \
        static constexpr const char* name = spelled;     \
        static constexpr double low = from;              \
        static constexpr double high = to;               \
        static constexpr bool of_batches = batches;      \
        template <class V>                               \
        static V of(V a, V b) {                          \
            [[maybe_unused]] const auto c = constant<V>; \
            return body;                                 \
        }                                                \
    };

XTAPE_OP1(Negate, "negate", -10, 10, true, -x)
XTAPE_OP1(Exp, "exp", -10, 10, true, exp(x))
XTAPE_OP1(Exp2, "exp2", -10, 10, true, exp2(x))
XTAPE_OP1(Expm1, "expm1", -3, 3, true, expm1(x))
XTAPE_OP1(Log, "log", 0.01, 100, true, log(x))
XTAPE_OP1(Log2, "log2", 0.01, 100, true, log2(x))
XTAPE_OP1(Log10, "log10", 0.01, 100, true, log10(x))
XTAPE_OP1(Log1p, "log1p", -0.9, 10, true, log1p(x))
XTAPE_OP1(Square, "square", -10, 10, true, x* x)
XTAPE_OP1(Cube, "cube", -10, 10, true, x* x* x)
XTAPE_OP1(Sqrt, "sqrt", 0, 100, true, sqrt(x))
XTAPE_OP1(Rsqrt, "rsqrt", 0.01, 100, true, c(1) / sqrt(x))
XTAPE_OP1(Cbrt, "cbrt", -100, 100, true, cbrt(x))
XTAPE_OP1(Reciprocal, "reciprocal", -10, 10, true, c(1) / x)
XTAPE_OP1(Abs, "abs", -10, 10, true, abs(x))
XTAPE_OP1(Sign, "sign", -10, 10, true, pick(x > c(0), c(1), pick(x < c(0), c(-1), x)))
XTAPE_OP1(Sin, "sin", -10, 10, true, sin(x))
XTAPE_OP1(Cos, "cos", -10, 10, true, cos(x))
XTAPE_OP1(Tan, "tan", -10, 10, true, tan(x))
XTAPE_OP1(Asin, "asin", -1, 1, true, asin(x))
XTAPE_OP1(Acos, "acos", -1, 1, true, acos(x))
XTAPE_OP1(Atan, "atan", -10, 10, true, atan(x))
XTAPE_OP1(Sinh, "sinh", -5, 5, true, sinh(x))
XTAPE_OP1(Cosh, "cosh", -5, 5, true, cosh(x))
XTAPE_OP1(Tanh, "tanh", -3, 3, true, tanh(x))
XTAPE_OP1(Asinh, "asinh", -10, 10, true, asinh(x))
XTAPE_OP1(Acosh, "acosh", 1, 100, true, acosh(x))
XTAPE_OP1(Atanh, "atanh", -1, 1, true, atanh(x))
XTAPE_OP1(Erf, "erf", -3, 3, true, erf(x))
XTAPE_OP1(Erfc, "erfc", -3, 3, true, erfc(x))
XTAPE_OP1(Sigmoid, "sigmoid", -10, 10, true, pick(x < c(0), exp(x), c(1)) / (c(1) + exp(-abs(x))))
XTAPE_OP1(LogSigmoid, "log_sigmoid", -10, 10, true, pick(x < c(0), x, c(0)) - log1p(exp(-abs(x))))
XTAPE_OP1(Softplus, "softplus", -10, 10, true, pick(x > c(0), x, c(0)) + log1p(exp(-abs(x))))
XTAPE_OP1(Relu, "relu", -10, 10, true, pick(x < c(0), c(0), x))
XTAPE_OP1(LeakyRelu, "leaky_relu", -10, 10, true, pick(x > c(0), x, c(0.01) * x))
XTAPE_OP1(Elu, "elu", -10, 10, true, pick(x > c(0), x, expm1(x)))
XTAPE_OP1(Clip, "clip", -10, 10, true, pick(x < c(-1), c(-1), pick(x > c(2), c(2), x)))
XTAPE_OP1(Floor, "floor", -100, 100, true, floor(x))
XTAPE_OP1(Ceil, "ceil", -100, 100, true, ceil(x))
XTAPE_OP1(Round, "round", -100, 100, true, nearbyint(x))
XTAPE_OP1(Trunc, "trunc", -100, 100, true, trunc(x))

// By half the exponent, so that nothing is lost where e^x is below T's normal numbers.
struct Silu {
    static constexpr const char* name = "silu";
    static constexpr double low = -10;
    static constexpr double high = 10;
    static constexpr bool of_batches = true;
    template <class V>
    static V of(V x) {
        const V zero = constant<V>(0);
        const V root = exp(constant<V>(-0.5) * abs(x));
        return pick(x == constant<V>(-HUGE_VAL), zero, pick(x < zero, (x * root) * root, x)) /
               (constant<V>(1) + root * root);
    }
};

// Φ(x) = erfc(-x / √2) / 2: in double far left the argument's rounding counts, and what it lost is given back. Floats
// go by double.
template <class T>
T normal_cdf(T x) {
    const auto at = static_cast<double>(x);
    const double z = -0.7071067811865476 * at;
    double tail = std::erfc(z);
    if constexpr (std::is_same_v<T, double>) {
        const double lost = std::fma(-0.7071067811865476, at, -z) + 4.8336466567264567e-17 * at;
        const double slope = 1.1283791670955126 * std::exp(-z * z);
        tail -= slope == 0 ? 0 : slope * lost;
    }
    return static_cast<T>(0.5 * tail);
}
struct Gelu {
    static constexpr const char* name = "gelu";
    static constexpr double low = -5;
    static constexpr double high = 5;
    static constexpr bool of_batches = false;
    template <class T>
    static T of(T x) {
        const T phi = normal_cdf(x);
        return phi == 0 ? T(0) : x * phi;
    }
    template <class W>
    static W exact(W x) {
        const W phi = std::erfc(-x * std::sqrt(W(0.5))) / 2;
        return phi == 0 ? W(0) : x * phi;
    }
};
XTAPE_OP1(Lgamma, "lgamma", 0.1, 20, false, [x] {
    [[maybe_unused]] int sign = 0;
    if constexpr (std::is_same_v<V, float>) {
        return ::lgammaf_r(x, &sign);
    } else if constexpr (std::is_same_v<V, double>) {
        return ::lgamma_r(x, &sign);
    } else {
        return ::lgammal_r(x, &sign);
    }
}())

// With r its positive root, psi(x) = psi(x) - psi(r), by psi(x) = psi(x + 1) - 1/x and the asymptotic series at x + 9:
// so nothing cancels. Left of 0 it is the library's. Floats go by double.
struct Digamma {
    static constexpr const char* name = "digamma";
    static constexpr double low = 0.1;
    static constexpr double high = 20;
    static constexpr bool of_batches = false;
    template <class T>
    static T of(T at) {
        const auto x = static_cast<double>(at);
        if (x < 0) {
            return static_cast<T>(special::digamma(x));
        }
        constexpr double root = 1.4616321449683622;
        const double from_root = (x - root) - 9.549995429965697e-17;
        double sum = 0;
        for (int k = 1; k < 9; ++k) {
            sum += 1 / ((x + k) * (root + k));
        }
        const double first = x < 0.5 ? 1 / root - 1 / x : from_root / (root * x);
        const double far = x + 9;
        const double far_root = root + 9;
        const double t = 1 / (far * far);
        const double s = 1 / (far_root * far_root);
        constexpr double series[] = {1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12};
        double quotient = 0;  // (p(t) - p(s)) / (t - s) for the series p
        double of_s = 0;
        for (int k = 6; k >= 0; --k) {
            quotient = quotient * t + of_s;
            of_s = of_s * s + series[k];
        }
        quotient = quotient * t + of_s;
        sum += 0.5 / (far * far_root) + (far + far_root) * t * s * quotient;
        return static_cast<T>(x > 1e17 ? std::log(x) : std::log1p(from_root / far_root) + from_root * sum + first);
    }
};
struct Trigamma {
    static constexpr const char* name = "polygamma(1)";
    static constexpr double low = 0.1;
    static constexpr double high = 20;
    static constexpr bool of_batches = false;
    template <class T>
    static T of(T at) {
        auto x = static_cast<double>(at);
        if (x < 0) {
            const double nearest = x - std::nearbyint(x);
            if (std::isinf(x)) {
                return std::numeric_limits<T>::quiet_NaN();
            }
            const double ratio = 3.141592653589793 / std::sin(3.141592653589793 * nearest);
            return nearest == 0 ? std::numeric_limits<T>::infinity() : static_cast<T>(ratio * ratio - of(1 - x));
        }
        double below = 0;
        for (; x < 10; x += 1) {
            below += 1 / (x * x);
        }
        const double inverse = 1 / x;
        const double t = inverse * inverse;
        const double series =
            t *
            (1. / 6 - t * (1. / 30 - t * (1. / 42 - t * (1. / 30 - t * (5. / 66 - t * (691. / 2730 - t * 7 / 6))))));
        return static_cast<T>(below + inverse * (1 + 0.5 * inverse + series));
    }
};

XTAPE_OP2(Add, "add", -10, 10, true, a + b)
XTAPE_OP2(Subtract, "subtract", -10, 10, true, a - b)
XTAPE_OP2(Multiply, "multiply", -10, 10, true, a* b)
XTAPE_OP2(Divide, "divide", -10, 10, true, a / b)
XTAPE_OP2(Pow, "pow", 0.1, 10, true, pow(a, b))
XTAPE_OP2(Maximum, "maximum", -10, 10, true, pick(a > b, a, pick(a == a, b, a)))
XTAPE_OP2(Minimum, "minimum", -10, 10, true, pick(a < b, a, pick(a == a, b, a)))
XTAPE_OP2(Atan2, "atan2", -10, 10, true, atan2(a, b))
XTAPE_OP2(Hypot, "hypot", -10, 10, true, hypot(a, b))
XTAPE_OP2(Fmod, "fmod", -10, 10, true, fmod(a, b))
XTAPE_OP2(Logaddexp, "logaddexp", -10, 10, true,
          pick(a == b, a + c(0.6931471805599453), pick(a > b, a, pick(a == a, b, a)) + log1p(exp(-abs(a - b)))))

#undef XTAPE_OP1
#undef XTAPE_OP2

template <class... Ops>
struct List {};

using OneInput =
    List<Negate, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Square, Cube, Sqrt, Rsqrt, Cbrt, Reciprocal, Abs, Sign, Sin,
         Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, Erfc, Lgamma, Digamma, Trigamma,
         Sigmoid, LogSigmoid, Softplus, Relu, LeakyRelu, Elu, Clip, Gelu, Silu, Floor, Ceil, Round, Trunc>;
using TwoInputs = List<Add, Subtract, Multiply, Divide, Pow, Maximum, Minimum, Atan2, Hypot, Fmod, Logaddexp>;

}  // namespace xtape::bench::XTAPE_LOOPS
