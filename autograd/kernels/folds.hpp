#pragma once

// Folds of many numbers to one, and the two loops that every reduction is made of: along a row, and down columns.
//
// A fold says what a number counts (`take`, which sees the fold's centre where there is one), how two results combine,
// and which fold combines results (`Results`). Both loops halve what is long and combine the halves: the error of a sum
// then grows with the logarithm of its length.

#include <xtape/autograd/kernels/lane.hpp>

namespace xtape::XTAPE_ARCH {

template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());

// For lanes and for single numbers: the second where they can't be compared.
template <class T>
Lane<T> larger(Lane<T> a, Lane<T> b) {
    return Lane<T>(xsimd::max(a.v, b.v));
}
template <class T>
Lane<T> smaller(Lane<T> a, Lane<T> b) {
    return Lane<T>(xsimd::min(a.v, b.v));
}
inline float larger(float a, float b) { return a > b ? a : b; }
inline double larger(double a, double b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }
inline double smaller(double a, double b) { return a < b ? a : b; }

template <class T>
Lane<T> unless_nan(Lane<T> x, Lane<T> otherwise) {
    return select(is_nan(x), x, otherwise);
}
inline float unless_nan(float x, float otherwise) { return x != x ? x : otherwise; }
inline double unless_nan(double x, double otherwise) { return x != x ? x : otherwise; }

template <class T>
Lane<T> magnitude(Lane<T> x) {
    return abs(x);
}
inline float magnitude(float x) { return __builtin_fabsf(x); }
inline double magnitude(double x) { return __builtin_fabs(x); }

struct Sum {
    using Results = Sum;
    static constexpr double start = 0;
    template <class V>
    static V take(V x, V) {
        return x;
    }
    template <class V>
    static V combine(V a, V b) {
        return a + b;
    }
};

struct Product {
    using Results = Product;
    static constexpr double start = 1;
    template <class V>
    static V take(V x, V) {
        return x;
    }
    template <class V>
    static V combine(V a, V b) {
        return a * b;
    }
};

// NaN if any is.
struct Largest {
    using Results = Largest;
    static constexpr double start = -__builtin_inf();
    template <class V>
    static V take(V x, V) {
        return x;
    }
    template <class V>
    static V combine(V a, V b) {
        return unless_nan(b, larger(b, a));
    }
};

// Largest where there is no NaN, else any number: for those who notice NaNs by themselves.
struct LargestNumber : Largest {
    using Results = LargestNumber;
    template <class V>
    static V combine(V a, V b) {
        return larger(a, b);
    }
};

struct Smallest {
    using Results = Smallest;
    static constexpr double start = __builtin_inf();
    template <class V>
    static V take(V x, V) {
        return x;
    }
    template <class V>
    static V combine(V a, V b) {
        return unless_nan(b, smaller(b, a));
    }
};

// Sums of something else than the numbers themselves.
#define XTAPE_SUM_OF(Fold, what)                                         \
    struct Fold {                                                        \
        using Results = Sum;                                             \
        static constexpr double start = 0;                               \
        template <class V>                                               \
        static V take([[maybe_unused]] V x, [[maybe_unused]] V centre) { \
            return what;                                                 \
        }                                                                \
        template <class V>                                               \
        static V combine(V a, V b) {                                     \
            return a + b;                                                \
        }                                                                \
    };

XTAPE_SUM_OF(SumOfMagnitudes, magnitude(x))
XTAPE_SUM_OF(SumOfSquares, x* x)
XTAPE_SUM_OF(SumOfDeviations, x - centre)
XTAPE_SUM_OF(SumOfSquaredDeviations, (x - centre) * (x - centre))

#undef XTAPE_SUM_OF

// The lanes of one batch, halved until one is left.
template <class Fold, class T>
T fold_lanes(Lane<T> lanes) {
    alignas(64) T parts[Lane<T>::size];
    lanes.v.store_aligned(parts);
    for (size_t width = Lane<T>::size / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; ++i) {
            parts[i] = Fold::combine(parts[i], parts[i + width]);
        }
    }
    return parts[0];
}

template <class Fold, class T>
T fold_row(const T* x, size_t n, T centre = T(0)) {
    using V = Lane<T>;
    constexpr size_t step = 4 * V::size;
    constexpr size_t block = 64 * step;
    if (n > block) {
        const size_t half = (n / 2 + block - 1) / block * block;
        return Fold::combine(fold_row<Fold>(x, half, centre), fold_row<Fold>(x + half, n - half, centre));
    }
    T folded = T(Fold::start);
    size_t i = 0;
    if (n >= V::size) {
        const V c(centre);
        V acc[4] = {V(folded), V(folded), V(folded), V(folded)};  // four, to hide the latency of an addition
        for (; i + step <= n; i += step) {
            for (size_t k = 0; k < 4; ++k) {
                acc[k] = Fold::combine(acc[k], Fold::take(V::load(x + i + k * V::size), c));
            }
        }
        for (; i + V::size <= n; i += V::size) {
            acc[0] = Fold::combine(acc[0], Fold::take(V::load(x + i), c));
        }
        folded = fold_lanes<Fold>(Fold::combine(Fold::combine(acc[0], acc[1]), Fold::combine(acc[2], acc[3])));
    }
    for (; i < n; ++i) {
        folded = Fold::combine(folded, Fold::take(x[i], centre));
    }
    return folded;
}

// Columns that are worked on together: what they come to stays in the innermost cache.
constexpr size_t tile = 1024;

// out[j] = the fold of x[i * stride + j] over 0 < rows, for j < width <= tile. The rows are read in their order, four
// at a time, so that memory is read as it lies and `out` only once in a while.
template <class Fold, class T>
void fold_down(const T* x, size_t stride, const T* centre, T* out, size_t rows, size_t width) {
    using V = Lane<T>;
    constexpr size_t block = 64;
    if (rows > block) {
        const size_t half = (rows / 2 + block - 1) / block * block;
        alignas(64) T second[tile];
        fold_down<Fold>(x, stride, centre, out, half, width);
        fold_down<Fold>(x + half * stride, stride, centre, second, rows - half, width);
        const T* other = second;
        for_each_lane<T>(width, [=](auto load, auto store) { store(Fold::combine(load(out), load(other)), out); });
        return;
    }
    const auto centre_of = [centre](auto load) { return centre == nullptr ? V(T(0)) : load(centre); };
    size_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * stride) {
        for_each_lane<T>(width, [=](auto load, auto store) {
            const V c = centre_of(load);
            const V first = Fold::combine(Fold::take(load(x), c), Fold::take(load(x + stride), c));
            const V rest = Fold::combine(Fold::take(load(x + 2 * stride), c), Fold::take(load(x + 3 * stride), c));
            const V four = Fold::combine(first, rest);
            store(i == 0 ? four : Fold::combine(load(out), four), out);
        });
    }
    for (; i < rows; ++i, x += stride) {
        for_each_lane<T>(width, [=](auto load, auto store) {
            const V one = Fold::take(load(x), centre_of(load));
            store(i == 0 ? one : Fold::combine(load(out), one), out);
        });
    }
}

}  // namespace xtape::XTAPE_ARCH
