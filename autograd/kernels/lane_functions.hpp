#pragma once

// The functions that rules call, for lanes: libmvec's where it is there and listed in libmvec.hpp; else xsimd's where
// they are right within 4 ulp, corrected where they are not at the ends; else the C library's, one element at a time.
// tests/autograd/kernels_functions_test.cpp holds each to its bound.

#include <xtape/autograd/kernels/lane.hpp>
#include <xtape/autograd/kernels/libmvec.hpp>

namespace xtape::XTAPE_ARCH {

// f of every element; the precision is that of f's overload for T.
template <class T, class F>
[[gnu::always_inline]] inline Lane<T> each(Lane<T> x, F f) {
    alignas(64) T a[Lane<T>::size];
    x.v.store_aligned(a);
    for (size_t i = 0; i < Lane<T>::size; ++i) {
        a[i] = f(a[i]);
    }
    return Lane<T>(Lane<T>::Batch::load_aligned(a));
}
template <class T, class F>
[[gnu::always_inline]] inline Lane<T> each(Lane<T> x, Lane<T> y, F f) {
    alignas(64) T a[Lane<T>::size];
    alignas(64) T b[Lane<T>::size];
    x.v.store_aligned(a);
    y.v.store_aligned(b);
    for (size_t i = 0; i < Lane<T>::size; ++i) {
        a[i] = f(a[i], b[i]);
    }
    return Lane<T>(Lane<T>::Batch::load_aligned(a));
}

// By the C library.
#define XTAPE_LIBM(name)                                    \
    inline float c_##name(float x) { return ::name##f(x); } \
    inline double c_##name(double x) { return ::name(x); }  \
    template <class T>                                      \
    Lane<T> name(Lane<T> x) {                               \
        return each(x, [](T e) { return c_##name(e); });    \
    }
#define XTAPE_LIBM2(name)                                               \
    inline float c_##name(float x, float y) { return ::name##f(x, y); } \
    inline double c_##name(double x, double y) { return ::name(x, y); } \
    template <class T>                                                  \
    Lane<T> name(Lane<T> x, Lane<T> y) {                                \
        return each(x, y, [](T a, T b) { return c_##name(a, b); });     \
    }

XTAPE_LIBM(log2)
XTAPE_LIBM(log10)
XTAPE_LIBM(cbrt)
XTAPE_LIBM(erf)
XTAPE_LIBM(erfc)
XTAPE_LIBM2(atan2)
XTAPE_LIBM2(pow)  // xsimd 8.1's loses NaNs, pow(0, 0) and up to 969 ulp

inline float c_fmod(float x, float y) { return ::fmodf(x, y); }
inline double c_fmod(double x, double y) { return ::fmod(x, y); }

#undef XTAPE_LIBM
#undef XTAPE_LIBM2

// By xsimd.
#define XTAPE_XSIMD(name, function)           \
    template <class T>                        \
    Lane<T> name(Lane<T> x) {                 \
        return Lane<T>(xsimd::function(x.v)); \
    }

XTAPE_XSIMD(sin, sin)
XTAPE_XSIMD(cos, cos)
XTAPE_XSIMD(tan, tan)
XTAPE_XSIMD(asin, asin)
XTAPE_XSIMD(acos, acos)
XTAPE_XSIMD(atan, atan)
XTAPE_XSIMD(tanh, tanh)
XTAPE_XSIMD(asinh, asinh)
XTAPE_XSIMD(atanh, atanh)

#undef XTAPE_XSIMD

template <class T>
struct LanePair {
    Lane<T> first;
    Lane<T> second;
};
// Bit for bit sin and cos.
template <class T>
LanePair<T> sin_and_cos(Lane<T> x) {
#if XTAPE_LIBMVEC
    return {sin(x), cos(x)};
#else
    const auto both = xsimd::sincos(x.v);
    return {Lane<T>(both.first), Lane<T>(both.second)};
#endif
}

// Rounding keeps the sign, a zero's too, which xsimd 8.1's forgets without SSE4.1.
#define XTAPE_ROUNDING(name, function)                              \
    template <class T>                                              \
    Lane<T> name(Lane<T> x) {                                       \
        return Lane<T>(xsimd::copysign(xsimd::function(x.v), x.v)); \
    }

XTAPE_ROUNDING(floor, floor)
XTAPE_ROUNDING(ceil, ceil)
XTAPE_ROUNDING(trunc, trunc)
XTAPE_ROUNDING(round, nearbyint)  // halves to even

#undef XTAPE_ROUNDING

// Where exponentials come near the ends of T's range.
template <class T>
inline constexpr double far_out = sizeof(T) == sizeof(float) ? 87 : 708;

// xsimd 8.1's exp is infinite early, and 0 for results below the smallest normal number: far out, the square of
// exp(x / 2).
template <class T>
Lane<T> exp(Lane<T> x) {
    const auto far = is_greater(abs(x), far_out<T>);
    if (!xsimd::any(far.m)) [[likely]] {
        return Lane<T>(xsimd::exp(x.v));
    }
    const Lane<T> y(xsimd::exp(select(far, x * 0.5, x).v));
    return select(far, y * y, y);
}
#if defined(__AVX512F__)
// exp(x) = 2^n exp(r) with n whole and |r| <= log(2) / 2: exp(r) is the best polynomial of degree 6 (to 2e-9, by
// Chebyshev's points), and scaling by 2^n rounds once, whether the result is infinite, subnormal or 0. Overload
// resolution prefers this one.
inline Lane<float> exp(Lane<float> x) {
    // The ends keep n's difference from x finite; a NaN stays, being the second operand.
    const __m512 bounded = _mm512_min_ps(_mm512_set1_ps(90), _mm512_max_ps(_mm512_set1_ps(-110), x.v));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(bounded, _mm512_set1_ps(1.44269504F)), 0);
    const __m512 rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), bounded);  // log(2) in two parts: n times the
    const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), rest);     // first is exact
    __m512 p = _mm512_set1_ps(1.39411189e-3F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.37513477e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.16663528e-2F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.66664154e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.500000005F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.00000004F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return Lane<float>(Lane<float>::Batch(_mm512_scalef_ps(p, n)));
}
#endif
template <class T>
Lane<T> exp2(Lane<T> x) {
    const auto far = is_greater(abs(x), far_out<T> * 1.4426950408889634);
    const Lane<T> y(xsimd::exp2(select(far, x * 0.5, x).v));
    return select(far, y * y, y);
}
template <class T>
Lane<T> expm1(Lane<T> x) {
    const Lane<T> y = select(is_greater(x, 0.5 * far_out<T>), exp(x), Lane<T>(xsimd::expm1(x.v)));
    return select(is_equal(x, 0.0), x, y);  // its sign too
}
template <class T>
Lane<T> log1p(Lane<T> x) {
    return select(is_equal(x, 0.0), x, Lane<T>(xsimd::log1p(x.v)));  // its sign too
}
template <class T>
Lane<T> cosh(Lane<T> x) {
    const Lane<T> half = exp(0.5 * abs(x));
    return select(is_greater(abs(x), 0.5 * far_out<T>), 0.5 * half * half, Lane<T>(xsimd::cosh(x.v)));
}
template <class T>
Lane<T> sinh(Lane<T> x) {
    const Lane<T> half = exp(0.5 * abs(x));
    const Lane<T> large = 0.5 * half * half;
    return select(is_greater(abs(x), 0.5 * far_out<T>), select(is_less(x, 0.0), -large, large),
                  Lane<T>(xsimd::sinh(x.v)));
}
// xsimd 8.1's log of a double below the smallest normal number is wrong: there log(2^54 x) - 54 log 2.
template <class T>
Lane<T> log(Lane<T> x) {
    if constexpr (sizeof(T) == sizeof(float)) {
        return Lane<T>(xsimd::log(x.v));
    } else {
        const auto tiny = is_less(x, __DBL_MIN__);
        const Lane<T> y(xsimd::log(select(tiny, x * 0x1p54, x).v));
        return select(tiny, y - 37.429947750237047, y);
    }
}
// xsimd 8.1's is not NaN everywhere below 1.
template <class T>
Lane<T> acosh(Lane<T> x) {
    return select(is_less(x, 1.0), constant(x, __builtin_nan("")), Lane<T>(xsimd::acosh(x.v)));
}
// With the larger leg outside the root nothing overflows; an infinite leg wins over a NaN, as IEEE has it.
template <class T>
Lane<T> hypot(Lane<T> x, Lane<T> y) {
    const Lane<T> a = abs(x);
    const Lane<T> b = abs(y);
    const auto a_larger = is_greater(a, b);
    const Lane<T> larger = select(a_larger, a, b);
    const Lane<T> ratio = select(a_larger, b, a) / larger;
    const Lane<T> length = select(is_equal(a + b, 0.0), larger, larger * sqrt(1.0 + ratio * ratio));
    constexpr double infinity = __builtin_inf();
    return select(is_equal(a, infinity), a, select(is_equal(b, infinity), b, length));
}

// What a has left after b was taken from it as often as it goes in. Where the quotient's whole part is exact, that is
// one fused operation and exact: rounded up to a whole number, the quotient may be one too many, never one too few.
#if defined(__FMA__)
template <class T>
Lane<T> fmod(Lane<T> a, Lane<T> b) {
    constexpr double whole_numbers = sizeof(T) == sizeof(float) ? 0x1p24 : 0x1p53;
    const Lane<T> x = abs(a);
    const Lane<T> y = abs(b);
    const Lane<T> times(xsimd::trunc((x / y).v));
    Lane<T> rest = minus_product(x, times, y);
    rest = select(is_less(rest, 0.0), rest + y, rest);
    rest = select(is_less(x, y), x, rest);  // y may be infinite
    const LaneMask<T> exact{is_less(times, whole_numbers).m | is_less(x, y).m};
    return xsimd::all(exact.m) ? Lane<T>(xsimd::copysign(rest.v, a.v))
                               : each(a, b, [](T e, T f) { return c_fmod(e, f); });
}
#else
template <class T>
Lane<T> fmod(Lane<T> a, Lane<T> b) {
    return each(a, b, [](T e, T f) { return c_fmod(e, f); });
}
#endif

}  // namespace xtape::XTAPE_ARCH

#include <xtape/autograd/kernels/lane_special.hpp>
