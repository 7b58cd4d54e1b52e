#pragma once

// Included only by the files of this folder that are compiled once per instruction set, with XTAPE_ARCH naming it and
// `xsimd` renamed after it: whatever lands in a weak symbol then carries the instruction set in its name.

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <xsimd/xsimd.hpp>

namespace xtape::XTAPE_ARCH {

#if defined(__AVX512BW__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__) && defined(__FMA__)
using Arch = xsimd::fma3<xsimd::avx2>;
#elif defined(__SSE2__)
using Arch = xsimd::sse2;
#else
using Arch = xsimd::default_arch;
#endif

template <class T>
struct LaneMask {
    xsimd::batch_bool<T, Arch> m;
};

/// A batch of `T`, with the operations that derivative rules use. The type is ours so that a rule's unqualified
/// `exp(x)` means what xtape promises, not what xsimd happens to do.
template <class T>
struct Lane {
    using Batch = xsimd::batch<T, Arch>;
    static constexpr size_t size = Batch::size;

    Batch v;

    Lane() = default;
    explicit Lane(Batch batch) : v(batch) {}
    explicit Lane(T scalar) : v(scalar) {}

    static Lane load(const T* p) { return Lane(Batch::load_unaligned(p)); }
    void store(T* p) const { v.store_unaligned(p); }

    // The first `count` < size elements, at least one. The others repeat the first, so that no function takes a detour
    // for an element that isn't there (libmvec's log of 0); they are not written.
    static Lane load_partial(const T* p, size_t count);
    void store_partial(T* p, size_t count) const;

    friend Lane operator+(Lane a, Lane b) { return Lane(a.v + b.v); }
    friend Lane operator-(Lane a, Lane b) { return Lane(a.v - b.v); }
    friend Lane operator*(Lane a, Lane b) { return Lane(a.v * b.v); }
    friend Lane operator/(Lane a, Lane b) { return Lane(a.v / b.v); }
    // Not -a.v, which is +0 at +0 in xsimd 8.1 on AVX-512.
    friend Lane operator-(Lane a) { return Lane(T(-0.0)) - a; }
    friend Lane operator+(double a, Lane b) { return Lane(T(a)) + b; }
    friend Lane operator-(double a, Lane b) { return Lane(T(a)) - b; }
    friend Lane operator*(double a, Lane b) { return Lane(T(a)) * b; }
    friend Lane operator/(double a, Lane b) { return Lane(T(a)) / b; }
    friend Lane operator+(Lane a, double b) { return a + Lane(T(b)); }
    friend Lane operator-(Lane a, double b) { return a - Lane(T(b)); }
    friend Lane operator*(Lane a, double b) { return a * Lane(T(b)); }
    friend Lane operator/(Lane a, double b) { return a / Lane(T(b)); }

    friend LaneMask<T> is_less(Lane a, Lane b) { return {a.v < b.v}; }
    friend LaneMask<T> is_less(Lane a, double b) { return is_less(a, Lane(T(b))); }
    friend LaneMask<T> is_greater(Lane a, Lane b) { return {a.v > b.v}; }
    friend LaneMask<T> is_greater(Lane a, double b) { return is_greater(a, Lane(T(b))); }
    friend LaneMask<T> is_equal(Lane a, Lane b) { return {a.v == b.v}; }
    friend LaneMask<T> is_equal(Lane a, double b) { return is_equal(a, Lane(T(b))); }
    // Not a.v != a.v, which is false for NaNs in xsimd 8.1 on AVX.
    friend LaneMask<T> is_nan(Lane a) { return {!(a.v == a.v)}; }
    friend Lane select(LaneMask<T> mask, Lane a, Lane b) { return Lane(xsimd::select(mask.m, a.v, b.v)); }
    friend Lane select(LaneMask<T> mask, double a, Lane b) { return select(mask, Lane(T(a)), b); }
    friend Lane select(LaneMask<T> mask, Lane a, double b) { return select(mask, a, Lane(T(b))); }

    friend Lane abs(Lane x) { return Lane(xsimd::abs(x.v)); }
    friend Lane sqrt(Lane x) { return Lane(xsimd::sqrt(x.v)); }
    friend Lane constant(Lane, double c) { return Lane(T(c)); }
};

// One element goes by scalar moves: what a masked store wrote can't be forwarded to the next load, and chains of
// one-element ops would wait for memory.
#if defined(__AVX512F__)
template <>
inline Lane<float> Lane<float>::load_partial(const float* p, size_t count) {
    const auto first = _mm512_set1_ps(*p);
    return Lane(Batch(count == 1 ? first : _mm512_mask_loadu_ps(first, static_cast<__mmask16>((1U << count) - 1U), p)));
}
template <>
inline void Lane<float>::store_partial(float* p, size_t count) const {
    count == 1 ? _mm_store_ss(p, _mm512_castps512_ps128(v))
               : _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << count) - 1U), v);
}
template <>
inline Lane<double> Lane<double>::load_partial(const double* p, size_t count) {
    const auto first = _mm512_set1_pd(*p);
    return Lane(Batch(count == 1 ? first : _mm512_mask_loadu_pd(first, static_cast<__mmask8>((1U << count) - 1U), p)));
}
template <>
inline void Lane<double>::store_partial(double* p, size_t count) const {
    count == 1 ? _mm_store_sd(p, _mm512_castpd512_pd128(v))
               : _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1U << count) - 1U), v);
}
#elif defined(__AVX2__)
alignas(32) static const int32_t partial_mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
static inline __m256i mask_of_words(size_t words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(partial_mask + 8 - words));
}
template <>
inline Lane<float> Lane<float>::load_partial(const float* p, size_t count) {
    const auto first = _mm256_set1_ps(*p);
    const auto mask = mask_of_words(count);
    return Lane(
        Batch(count == 1 ? first : _mm256_blendv_ps(first, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask))));
}
template <>
inline void Lane<float>::store_partial(float* p, size_t count) const {
    count == 1 ? _mm_store_ss(p, _mm256_castps256_ps128(v)) : _mm256_maskstore_ps(p, mask_of_words(count), v);
}
template <>
inline Lane<double> Lane<double>::load_partial(const double* p, size_t count) {
    const auto first = _mm256_set1_pd(*p);
    const auto mask = mask_of_words(2 * count);
    return Lane(
        Batch(count == 1 ? first : _mm256_blendv_pd(first, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask))));
}
template <>
inline void Lane<double>::store_partial(double* p, size_t count) const {
    count == 1 ? _mm_store_sd(p, _mm256_castpd256_pd128(v)) : _mm256_maskstore_pd(p, mask_of_words(2 * count), v);
}
#else
template <class T>
Lane<T> Lane<T>::load_partial(const T* p, size_t count) {
    alignas(64) T whole[size];
    for (size_t i = 0; i < size; ++i) {
        whole[i] = p[i < count ? i : 0];
    }
    return Lane(Batch::load_aligned(whole));
}
template <class T>
void Lane<T>::store_partial(T* p, size_t count) const {
    alignas(64) T whole[size];
    v.store_aligned(whole);
    for (size_t i = 0; i < count; ++i) {
        p[i] = whole[i];
    }
}
#endif

// c - a * b, rounded once.
#if defined(__AVX512F__)
inline Lane<float> minus_product(Lane<float> c, Lane<float> a, Lane<float> b) {
    return Lane<float>(Lane<float>::Batch(_mm512_fnmadd_ps(a.v, b.v, c.v)));
}
inline Lane<double> minus_product(Lane<double> c, Lane<double> a, Lane<double> b) {
    return Lane<double>(Lane<double>::Batch(_mm512_fnmadd_pd(a.v, b.v, c.v)));
}
#elif defined(__FMA__)
inline Lane<float> minus_product(Lane<float> c, Lane<float> a, Lane<float> b) {
    return Lane<float>(Lane<float>::Batch(_mm256_fnmadd_ps(a.v, b.v, c.v)));
}
inline Lane<double> minus_product(Lane<double> c, Lane<double> a, Lane<double> b) {
    return Lane<double>(Lane<double>::Batch(_mm256_fnmadd_pd(a.v, b.v, c.v)));
}
#endif

/// Reads the whole lane at place `i` of an array.
template <class T>
struct LoadWhole {
    size_t i;
    Lane<T> operator()(const T* p) const { return Lane<T>::load(p + i); }
    /// Asks for a lane of `p`, which may end before it, ahead of its use.
    void prefetch(const T* p) const { __builtin_prefetch(p + i); }
};
/// The same for the last `count` elements, which are no whole lane.
template <class T>
struct LoadPartial {
    size_t i;
    size_t count;
    Lane<T> operator()(const T* p) const { return Lane<T>::load_partial(p + i, count); }
    void prefetch(const T*) const {}
};

/// Runs f(load, store) over 0..n: whole lanes first, then what is left. `load(p)` reads the lane at the current place
/// of an array, `store(lane, p)` writes it.
template <class T, class F>
[[gnu::always_inline]] inline void for_each_lane(size_t n, F f) {
    using V = Lane<T>;
    size_t i = 0;
    for (; i + V::size <= n; i += V::size) {
        f(LoadWhole<T>{i}, [i](V lane, T* p) { lane.store(p + i); });
    }
    if (i < n) {
        const size_t count = n - i;
        f(LoadPartial<T>{i, count}, [i, count](V lane, T* p) { lane.store_partial(p + i, count); });
    }
}

}  // namespace xtape::XTAPE_ARCH
