#pragma once

// glibc's vector functions, libmvec (x86-64). From version 2.35 on they are right at special values and within 4 ulp
// (tests/autograd/kernels_functions_test.cpp). Compilers call them in loops under -ffast-math; here they are called by
// the names that the x86 vector function ABI gives them. Overload resolution prefers them to the templates of
// lane_functions.hpp, which therefore says what is computed where they are absent or not listed: xsimd's function is
// as fast and closer there.

#include <xtape/autograd/kernels/lane.hpp>

#if XTAPE_LIBMVEC

namespace xtape::XTAPE_ARCH {

#if defined(__AVX512F__)
#define XTAPE_FLOATS "_ZGVeN16"
#define XTAPE_DOUBLES "_ZGVeN8"
#elif defined(__AVX2__)
#define XTAPE_FLOATS "_ZGVdN8"
#define XTAPE_DOUBLES "_ZGVdN4"
#else
#define XTAPE_FLOATS "_ZGVbN4"
#define XTAPE_DOUBLES "_ZGVbN2"
#endif

#define XTAPE_VECTOR_FUNCTION(T, name, symbol)                                                   \
    Lane<T>::Batch::register_type libmvec_##name(Lane<T>::Batch::register_type) __asm__(symbol); \
    inline Lane<T> name(Lane<T> x) { return Lane<T>(Lane<T>::Batch(libmvec_##name(x.v))); }
#define XTAPE_VECTOR_FUNCTION2(T, name, symbol)                                                  \
    Lane<T>::Batch::register_type libmvec_##name(Lane<T>::Batch::register_type,                  \
                                                 Lane<T>::Batch::register_type) __asm__(symbol); \
    inline Lane<T> name(Lane<T> x, Lane<T> y) { return Lane<T>(Lane<T>::Batch(libmvec_##name(x.v, y.v))); }
#define XTAPE_IN_FLOAT(name) XTAPE_VECTOR_FUNCTION(float, name, XTAPE_FLOATS "v_" #name "f")
#define XTAPE_IN_DOUBLE(name) XTAPE_VECTOR_FUNCTION(double, name, XTAPE_DOUBLES "v_" #name)
#define XTAPE_IN_BOTH(name) \
    XTAPE_IN_FLOAT(name)    \
    XTAPE_IN_DOUBLE(name)
#define XTAPE_IN_BOTH2(name)                                          \
    XTAPE_VECTOR_FUNCTION2(float, name, XTAPE_FLOATS "vv_" #name "f") \
    XTAPE_VECTOR_FUNCTION2(double, name, XTAPE_DOUBLES "vv_" #name)

XTAPE_IN_DOUBLE(exp)
XTAPE_IN_BOTH(expm1)
XTAPE_IN_DOUBLE(log)
XTAPE_IN_BOTH(log2)
XTAPE_IN_BOTH(log10)
XTAPE_IN_BOTH(log1p)
XTAPE_IN_BOTH(cbrt)
XTAPE_IN_BOTH(acos)
XTAPE_IN_BOTH(sinh)
XTAPE_IN_BOTH(cosh)
XTAPE_IN_BOTH(atanh)
XTAPE_IN_DOUBLE(erf)
XTAPE_IN_BOTH(erfc)
XTAPE_IN_BOTH(sin)
XTAPE_IN_BOTH(cos)
XTAPE_IN_BOTH2(pow)
XTAPE_IN_BOTH2(atan2)
XTAPE_IN_FLOAT(tanh)
XTAPE_IN_DOUBLE(asinh)
#if defined(__AVX512F__)
XTAPE_IN_FLOAT(asinh)
XTAPE_IN_DOUBLE(exp2)
XTAPE_IN_DOUBLE(asin)
XTAPE_IN_DOUBLE(atan)
XTAPE_IN_DOUBLE(tan)
XTAPE_VECTOR_FUNCTION2(double, hypot, XTAPE_DOUBLES "vv_hypot")
// The one for AVX-512 errs by 4.0 ulp near 1; the one for AVX2, twice, takes no longer and errs by 1.9.
__m256 libmvec_erf(__m256) __asm__("_ZGVdN8v_erff");
inline Lane<float> erf(Lane<float> x) {
    const __m256 low = libmvec_erf(_mm512_castps512_ps256(x.v));
    const __m256 high = libmvec_erf(_mm512_extractf32x8_ps(x.v, 1));
    return Lane<float>(Lane<float>::Batch(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1)));
}
#else
XTAPE_IN_BOTH2(hypot)
XTAPE_IN_FLOAT(erf)
XTAPE_IN_FLOAT(exp)
XTAPE_IN_BOTH(exp2)
XTAPE_IN_BOTH(tan)
XTAPE_IN_BOTH(atan)
XTAPE_IN_BOTH(acosh)
XTAPE_IN_DOUBLE(tanh)
#endif

#undef XTAPE_FLOATS
#undef XTAPE_DOUBLES
#undef XTAPE_VECTOR_FUNCTION
#undef XTAPE_VECTOR_FUNCTION2
#undef XTAPE_IN_FLOAT
#undef XTAPE_IN_DOUBLE
#undef XTAPE_IN_BOTH
#undef XTAPE_IN_BOTH2

}  // namespace xtape::XTAPE_ARCH

#endif
