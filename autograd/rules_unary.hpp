#pragma once

// Rules of one input. Included by rules.hpp, after what it defines.

namespace xtape {

// A smooth function in one line: what it is called, what its derivative reads, the function of x, the derivative of x
// and y.
#define XTAPE_SMOOTH(Rule, spelled, reads, function, slope)                             \
    struct Rule {                                                                       \
        static constexpr const char* name = spelled;                                    \
        static constexpr unsigned needs = reads;                                        \
        template <class V>                                                              \
        static V forward(const V& x) {                                                  \
            return function;                                                            \
        }                                                                               \
        template <class V>                                                              \
        static V derivative([[maybe_unused]] const V& x, [[maybe_unused]] const V& y) { \
            return slope;                                                               \
        }                                                                               \
    };

XTAPE_SMOOTH(Exp, "exp", needs::y, exp(x), y)
XTAPE_SMOOTH(Exp2, "exp2", needs::y, exp2(x), 0.6931471805599453 * y)
XTAPE_SMOOTH(Expm1, "expm1", needs::x, expm1(x), exp(x))  // y + 1 loses everything far left
XTAPE_SMOOTH(Log, "log", needs::x, log(x), 1.0 / non_negative(x))
XTAPE_SMOOTH(Log2, "log2", needs::x, log2(x), 1.4426950408889634 / non_negative(x))
XTAPE_SMOOTH(Log10, "log10", needs::x, log10(x), 0.4342944819032518 / non_negative(x))
XTAPE_SMOOTH(Log1p, "log1p", needs::x, log1p(x), 1.0 / non_negative(1.0 + x))

XTAPE_SMOOTH(Square, "square", needs::x, x* x, 2.0 * x)
XTAPE_SMOOTH(Cube, "cube", needs::x, x* x* x, 3.0 * (x * x))
XTAPE_SMOOTH(Sqrt, "sqrt", needs::y, sqrt(x), 0.5 / y)
XTAPE_SMOOTH(Rsqrt, "rsqrt", needs::x | needs::y, 1.0 / sqrt(x), -0.5 * y / x)
XTAPE_SMOOTH(Cbrt, "cbrt", needs::y, cbrt(x), 1.0 / (3.0 * (y * y)))
XTAPE_SMOOTH(Reciprocal, "reciprocal", needs::y, 1.0 / x, -(y* y))

XTAPE_SMOOTH(Sin, "sin", needs::x, sin(x), cos(x))
XTAPE_SMOOTH(Cos, "cos", needs::x, cos(x), -sin(x))
XTAPE_SMOOTH(Tan, "tan", needs::y, tan(x), 1.0 + y * y)
XTAPE_SMOOTH(Asin, "asin", needs::x, asin(x), 1.0 / sqrt((1.0 - x) * (1.0 + x)))
XTAPE_SMOOTH(Acos, "acos", needs::x, acos(x), -1.0 / sqrt((1.0 - x) * (1.0 + x)))
XTAPE_SMOOTH(Atan, "atan", needs::x, atan(x), 1.0 / (1.0 + x * x))

XTAPE_SMOOTH(Sinh, "sinh", needs::x, sinh(x), cosh(x))
XTAPE_SMOOTH(Cosh, "cosh", needs::x, cosh(x), sinh(x))
XTAPE_SMOOTH(Tanh, "tanh", needs::y, tanh(x), 1.0 - y * y)
XTAPE_SMOOTH(Asinh, "asinh", needs::x, asinh(x), 1.0 / hypot(x, constant(x, 1.0)))  // x * x would overflow
XTAPE_SMOOTH(Acosh, "acosh", needs::x, acosh(x), 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)))
XTAPE_SMOOTH(Atanh, "atanh", needs::x, atanh(x), 1.0 / non_negative((1.0 - x) * (1.0 + x)))

XTAPE_SMOOTH(Erf, "erf", needs::x, erf(x), 1.1283791670955126 * exp(-(x * x)))
XTAPE_SMOOTH(Erfc, "erfc", needs::x, erfc(x), -1.1283791670955126 * exp(-(x * x)))
XTAPE_SMOOTH(Lgamma, "lgamma", needs::x, lgamma(x), digamma(x))
XTAPE_SMOOTH(Digamma, "digamma", needs::x, digamma(x), polygamma(constant(x, 1.0), x))

// By the exponential that doesn't overflow, so that far left the result is as exact as it is small.
template <class V>
V logistic(const V& x) {
    const V e = exp(-abs(x));
    return select(is_less(x, 0.0), e, 1.0) / (1.0 + e);
}
XTAPE_SMOOTH(Sigmoid, "sigmoid", needs::y, logistic(x), y*(1.0 - y))
XTAPE_SMOOTH(LogSigmoid, "log_sigmoid", needs::x, select(is_less(x, 0.0), x, 0.0) - log1p(exp(-abs(x))), sigmoid(-x))
XTAPE_SMOOTH(Softplus, "softplus", needs::x, select(is_greater(x, 0.0), x, 0.0) + log1p(exp(-abs(x))), sigmoid(x))
// x Φ(x) with the normal distribution's Φ and density; where those are 0 they win over an infinite x.
template <class V>
V normal_density(const V& x) {
    return 0.3989422804014327 * exp(-0.5 * (x * x));
}
XTAPE_SMOOTH(NormalCdf, "normal_cdf", needs::x, normal_cdf(x), normal_density(x))
XTAPE_SMOOTH(Gelu, "gelu", needs::x, times_normal_cdf(x), normal_cdf(x) + strong(normal_density(x), x))
// x sigmoid(x). Far left e^x is below T's normal numbers long before x e^x is: there by e^(x + 64), whose argument is
// exact.
template <class V>
V swish(const V& x) {
    const auto far_left = is_less(x, -64.0);
    const V e = exp(select(far_left, x + 64.0, -x));
    return select(far_left, 1.6038108905486378e-28 * strong(e, x), x / (1.0 + e));
}
XTAPE_SMOOTH(Silu, "silu", needs::x, swish(x), sigmoid(x) + strong(sigmoid(x) * sigmoid(-x), x))

#undef XTAPE_SMOOTH

// Steps: constant between them, and 0 is their derivative there too.
#define XTAPE_STEP(Rule, spelled, function)                 \
    struct Rule {                                           \
        static constexpr const char* name = spelled;        \
        static constexpr unsigned needs = needs::nothing;   \
        template <class V>                                  \
        static V forward(const V& x) {                      \
            return function;                                \
        }                                                   \
        template <class V>                                  \
        static V pullback(const V& g, const V&, const V&) { \
            return zeros_like(g);                           \
        }                                                   \
    };

XTAPE_STEP(Sign, "sign", select(is_greater(x, 0.0), 1.0, select(is_less(x, 0.0), -1.0, x)))
XTAPE_STEP(Floor, "floor", floor(x))
XTAPE_STEP(Ceil, "ceil", ceil(x))
XTAPE_STEP(Round, "round", round(x))
XTAPE_STEP(Trunc, "trunc", trunc(x))

#undef XTAPE_STEP

struct Negate {
    static constexpr const char* name = "negate";
    static constexpr unsigned needs = needs::nothing;
    template <class V>
    static V forward(const V& x) {
        return -x;
    }
    template <class V>
    static V pullback(const V& g, const V&, const V&) {
        return -g;
    }
};

// x where x >= 0 and NaN below, in every derivative too: what keeps the rules of log and its kin NaN outside the
// domain.
struct NonNegative {
    static constexpr const char* name = "non_negative";
    static constexpr unsigned needs = needs::nothing;
    template <class V>
    static V forward(const V& x) {
        return select(is_less(x, 0.0), constant(x, __builtin_nan("")), x);
    }
    static constexpr bool passes = true;  // what arrives was multiplied by a NaN already
};

struct Abs {
    static constexpr const char* name = "abs";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return abs(x);
    }
    // At NaN it is abs(NaN), which by this rule is NaN to every order, and at 0 it is abs(0).
    template <class V>
    static V pullback(const V& g, const V& x, const V&) {
        return select(is_greater(x, 0.0), g, select(is_less(x, 0.0), -g, strong(g, abs(x))));
    }
};

struct Relu {
    static constexpr const char* name = "relu";
    static constexpr unsigned needs = needs::y;  // positive, zero or NaN: the gradient's factor where it isn't 1
    template <class V>
    static V forward(const V& x) {
        return select(is_less(x, 0.0), 0.0, x);
    }
    template <class V>
    static V pullback(const V& g, const V&, const V& y) {
        return select(is_greater(y, 0.0), g, strong(g, y));
    }
};

}  // namespace xtape
