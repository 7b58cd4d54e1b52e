#include <xtape/autograd/kernels/folds.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane_functions.hpp>
#include <xtape/autograd/mutation.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

// f(lane) summed over a row; what lies beyond the row's end counts nothing.
template <class T, class F>
[[gnu::always_inline]] inline T sum_row(size_t n, F f) {
    using V = Lane<T>;
    V acc(T(0));
    size_t j = 0;
    for (; j + V::size <= n; j += V::size) {
        acc = acc + f(LoadWhole<T>{j}, [j](V lane, T* p) { lane.store(p + j); });
    }
    T total = fold_lanes<Sum>(acc);
    if (j < n) {
        const size_t count = n - j;
        const V last = f(LoadPartial<T>{j, count}, [j, count](V lane, T* p) { lane.store_partial(p + j, count); });
        alignas(64) T parts[V::size];
        last.v.store_aligned(parts);
        for (size_t i = 0; i < count; ++i) {
            total += parts[i];
        }
    }
    return total;
}

inline float log_of(float x) { return ::logf(x); }
inline double log_of(double x) { return ::log(x); }
inline float exp_of(float x) { return ::expf(x); }
inline double exp_of(double x) { return ::exp(x); }

// The sum over j of exp(x[j] - shift), where shift is the largest. The numbers after these are fetched meanwhile:
// whoever looks for their largest then need not wait for them.
template <class T>
[[gnu::flatten]] T shifted_total(const T* x, size_t n, T shift) {
    return sum_row<T>(n, [=](auto load, auto) {
        load.prefetch(x + n);
        return exp(load(x) - Lane<T>(shift));
    });
}

// logsumexp subtracts the largest first, so that nothing overflows; an infinite largest is the result. The largest is
// that of a block still in cache: when the next block holds a larger one, the total is scaled down to it (the online
// normaliser of Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018, by blocks). A NaN, which
// LargestNumber may miss, shows in the total.

template <class T>
bool is_infinite(T x) {
    return x == infinity<T> || x == -infinity<T>;
}

template <class T>
T row_logsumexp(const T* x, size_t n) {
    constexpr size_t block = 2048;
    T largest = -infinity<T>;
    T total = T(0);
    for (size_t first = 0; first < n; first += block) {
        const size_t count = n - first < block ? n - first : block;
        const T before = largest;
        largest = larger(largest, fold_row<LargestNumber>(x + first, count));
        if (!is_infinite(largest)) {
            const T scale = total == T(0) ? T(0) : exp_of(before - largest);
            total = total * scale + shifted_total(x + first, count, largest);
        }
    }
    return is_infinite(largest) ? fold_row<Largest>(x, n) : largest + log_of(total);
}

template <class T>
[[gnu::flatten]] void logsumexp_down(const T* x, size_t stride, T* out, size_t rows, size_t width) {
    using V = Lane<T>;
    constexpr size_t block = 64;
    alignas(64) T buffers[4][tile];
    T* const largest = buffers[0];
    T* const shift = buffers[1];  // the largest, or 0 where that is infinite: no infinity meets another
    T* const total = buffers[2];
    T* const part = buffers[3];  // of the total, of one block: small terms are added among themselves first
    const auto is_infinite = [](V lane) { return is_equal(abs(lane), __builtin_inf()); };
    for_each_lane<T>(width, [=](auto, auto store) {
        store(V(-infinity<T>), largest);
        store(V(T(0)), total);
    });
    for (size_t first = 0; first < rows; first += block) {
        const size_t end = rows - first < block ? rows : first + block;
        T* const high = shift;
        fold_down<LargestNumber>(x + first * stride, stride, static_cast<const T*>(nullptr), high, end - first, width);
        for_each_lane<T>(width, [=](auto load, auto store) {
            const V now = larger(load(largest), load(high));
            const V finite = select(is_infinite(now), 0.0, now);
            store(load(total) * exp(load(largest) - finite), total);
            store(now, largest);
            store(finite, shift);
            store(V(T(0)), part);
        });
        for (size_t i = first; i < end; ++i) {
            const T* const row = x + i * stride;
            for_each_lane<T>(width, [=](auto load, auto store) {
                load.prefetch(row + block * stride);  // the next block, for the fold that reads it first
                store(load(part) + exp(load(row) - load(shift)), part);
            });
        }
        for_each_lane<T>(width, [=](auto load, auto store) { store(load(total) + load(part), total); });
    }
    for_each_lane<T>(width, [=](auto load, auto store) {
        const V most = load(largest);
        const V sum = load(total);
        store(select(is_infinite(most), select(is_nan(sum), sum, most), most + log(sum)), out);
    });
}

template <class T>
void logsumexp(const T* x, T* out, kernels::Extents extents) {
    const auto [outer, extent, inner] = extents;
    for (size_t i = 0; i < outer; ++i, x += extent * inner, out += inner) {
        if (inner == 1) {
            *out = row_logsumexp(x, extent);
            continue;
        }
        for (size_t j = 0; j < inner; j += tile) {
            logsumexp_down(x + j, inner, out + j, extent, inner - j < tile ? inner - j : tile);
        }
    }
}

template <class T>
void share_infinite_row(const T* x, T* y, size_t n, T largest) {
    size_t count = 0;
    for (size_t j = 0; j < n; ++j) {
        count += x[j] == infinity<T> ? 1 : 0;
    }
    for (size_t j = 0; j < n; ++j) {
        y[j] = largest == infinity<T> && x[j] == infinity<T> ? T(1) / static_cast<T>(count) : T(0);
    }
}

template <class T>
void softmax(const T* x, T* y, size_t rows, size_t columns, kernels::Infinite infinite) {
    for (size_t i = 0; i < rows; ++i, x += columns, y += columns) {
        const T largest = fold_row<Largest>(x, columns);
        if (infinite == kernels::Infinite::shared && (largest == infinity<T> || largest == -infinity<T>)) {
            share_infinite_row(x, y, columns, largest);
            continue;
        }
        const T total = sum_row<T>(columns, [=](auto load, auto store) {
            const Lane<T> e = exp(load(x) - Lane<T>(largest));
            store(e, y);
            return e;
        });
        const Lane<T> scale(T(1) / total);
        for_each_lane<T>(columns, [=](auto load, auto store) { store(load(y) * scale, y); });
    }
}

// By the largest and the rest apart, since their sum would round the small one's digits away.
template <class T>
void cross_entropy(const T* x, const int64_t* labels, T* loss, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; ++i, x += columns) {
        const T largest = fold_row<Largest>(x, columns);
        loss[i] = (largest - x[labels[i]]) + log_of(shifted_total(x, columns, largest));
    }
}

template <class T>
void scaled_softmax(const T* x, const T* g, T* out, size_t rows, size_t columns, bool add) {
    for (size_t i = 0; i < rows; ++i, x += columns, out += columns) {
        const T largest = fold_row<Largest>(x, columns);
        const Lane<T> shift(largest);
        const Lane<T> scale(mutation::guard(g[i] == T(0)) ? T(0) : g[i] / shifted_total(x, columns, largest));
        for_each_lane<T>(columns, [=](auto load, auto store) {
            const Lane<T> gradient = strong_product(scale, exp(load(x) - shift));
            store(add ? load(out) + gradient : gradient, out);
        });
    }
}

template <class T>
void softmax_backward(const T* g, const T* y, T* out, size_t rows, size_t columns, bool add) {
    for (size_t i = 0; i < rows; ++i, g += columns, y += columns, out += columns) {
        const Lane<T> dot(sum_row<T>(columns, [=](auto load, auto) { return load(g) * load(y); }));
        for_each_lane<T>(columns, [=](auto load, auto store) {
            const Lane<T> gradient = load(y) * (load(g) - mutation::term(dot));
            store(add ? load(out) + gradient : gradient, out);
        });
    }
}

template <class T>
void log_softmax(const T* x, T* y, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; ++i, x += columns, y += columns) {
        // Both shifts apart: log_softmax of (1e4, 0) must not lose the small one's digits to the large.
        const T largest = fold_row<Largest>(x, columns);
        const Lane<T> shift(largest);
        const Lane<T> log_total(log_of(shifted_total(x, columns, largest)));
        for_each_lane<T>(columns, [=](auto load, auto store) { store((load(x) - shift) - log_total, y); });
    }
}

template <class T>
void log_softmax_backward(const T* g, const T* y, T* out, size_t rows, size_t columns, bool add) {
    for (size_t i = 0; i < rows; ++i, g += columns, y += columns, out += columns) {
        const Lane<T> total(sum_row<T>(columns, [=](auto load, auto) { return load(g); }));
        for_each_lane<T>(columns, [=](auto load, auto store) {
            const Lane<T> gradient = load(g) - mutation::term(exp(load(y)) * total);
            store(add ? load(out) + gradient : gradient, out);
        });
    }
}

}  // namespace

template <class T>
kernels::RowKernels<T> row_kernels() {
    return {logsumexp<T>,        softmax<T>,     cross_entropy<T>,       scaled_softmax<T>,
            softmax_backward<T>, log_softmax<T>, log_softmax_backward<T>};
}
template kernels::RowKernels<float> row_kernels<float>();
template kernels::RowKernels<double> row_kernels<double>();

}  // namespace xtape::XTAPE_ARCH
