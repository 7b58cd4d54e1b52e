#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane_functions.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

template <class T>
T sum_of(Lane<T> lanes) {
    alignas(64) T parts[Lane<T>::size];
    lanes.v.store_aligned(parts);
    for (size_t width = Lane<T>::size / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; ++i) {
            parts[i] += parts[i + width];
        }
    }
    return parts[0];
}

template <class T>
T largest_of(const T* x, size_t n) {
    T largest = -static_cast<T>(__builtin_inf());
    for (size_t i = 0; i < n; ++i) {
        largest = largest != largest || largest > x[i] ? largest : x[i];
    }
    return largest;
}

// f(lane) summed over a row; what lies beyond the row's end counts nothing.
template <class T, class F>
[[gnu::always_inline]] inline T sum_row(size_t n, F f) {
    using V = Lane<T>;
    V acc(T(0));
    size_t j = 0;
    for (; j + V::size <= n; j += V::size) {
        acc = acc + f([j](const T* p) { return V::load(p + j); }, [j](V lane, T* p) { lane.store(p + j); });
    }
    T total = sum_of(acc);
    if (j < n) {
        const size_t count = n - j;
        const V last = f([j, count](const T* p) { return V::load_partial(p + j, count); },
                         [j, count](V lane, T* p) { lane.store_partial(p + j, count); });
        alignas(64) T parts[V::size];
        last.v.store_aligned(parts);
        for (size_t i = 0; i < count; ++i) {
            total += parts[i];
        }
    }
    return total;
}

template <class T>
T log_of(T x) {
    if constexpr (sizeof(T) == sizeof(float)) {
        return ::logf(x);
    } else {
        return ::log(x);
    }
}

template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());

// The sum over j of exp(x[j] - shift).
template <class T>
T shifted_total(const T* x, size_t n, T shift) {
    return sum_row<T>(n, [=](auto load, auto) { return exp(load(x) - Lane<T>(shift)); });
}

// Shifted by the row's largest, so that nothing overflows; an infinite largest is the result.
template <class T>
T row_logsumexp(const T* x, size_t n) {
    const T largest = largest_of(x, n);
    if (largest == infinity<T> || largest == -infinity<T>) {
        return largest;
    }
    return largest + log_of(shifted_total(x, n, largest));
}

template <class T>
void logsumexp(const T* x, T* lse, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; ++i) {
        lse[i] = row_logsumexp(x + i * columns, columns);
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
        const T largest = largest_of(x, columns);
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
        const T largest = largest_of(x, columns);
        loss[i] = (largest - x[labels[i]]) + log_of(shifted_total(x, columns, largest));
    }
}

template <class T>
void scaled_softmax(const T* x, const T* g, T* out, size_t rows, size_t columns, bool add) {
    for (size_t i = 0; i < rows; ++i, x += columns, out += columns) {
        const T largest = largest_of(x, columns);
        const Lane<T> shift(largest);
        const Lane<T> scale(g[i] == T(0) ? T(0) : g[i] / shifted_total(x, columns, largest));
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
            const Lane<T> gradient = load(y) * (load(g) - dot);
            store(add ? load(out) + gradient : gradient, out);
        });
    }
}

template <class T>
void log_softmax(const T* x, T* y, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; ++i, x += columns, y += columns) {
        // Both shifts apart: log_softmax of (1e4, 0) must not lose the small one's digits to the large.
        const T largest = largest_of(x, columns);
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
            const Lane<T> gradient = load(g) - exp(load(y)) * total;
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
