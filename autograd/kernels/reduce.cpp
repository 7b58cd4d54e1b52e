#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

struct Sum {
    template <class V>
    static V combine(V a, V b) {
        return a + b;
    }
    static constexpr double start = 0;
};

struct Largest {
    template <class V>
    static V combine(V a, V b) {
        return Maximum::forward(a, b);
    }
    static constexpr double start = -__builtin_inf();
};

template <class Fold, class T>
T fold_lanes(Lane<T> lanes) {
    alignas(64) T parts[Lane<T>::size];
    lanes.v.store_aligned(parts);
    for (size_t width = Lane<T>::size / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; ++i) {
            if constexpr (__is_same(Fold, Sum)) {
                parts[i] += parts[i + width];
            } else {
                parts[i] = parts[i] != parts[i] || parts[i] > parts[i + width] ? parts[i] : parts[i + width];
            }
        }
    }
    return parts[0];
}

// Four accumulators hide the latency of an addition.
template <class Fold, class T>
T fold_block(const T* x, size_t n) {
    using V = Lane<T>;
    constexpr size_t step = 4 * V::size;
    V acc[4] = {V(T(Fold::start)), V(T(Fold::start)), V(T(Fold::start)), V(T(Fold::start))};
    size_t i = 0;
    for (; i + step <= n; i += step) {
        for (size_t k = 0; k < 4; ++k) {
            acc[k] = Fold::combine(acc[k], V::load(x + i + k * V::size));
        }
    }
    for (; i + V::size <= n; i += V::size) {
        acc[0] = Fold::combine(acc[0], V::load(x + i));
    }
    T tail = T(Fold::start);
    for (; i < n; ++i) {
        if constexpr (__is_same(Fold, Sum)) {
            tail += x[i];
        } else {
            tail = tail != tail || tail > x[i] ? tail : x[i];
        }
    }
    const T folded = fold_lanes<Fold>(Fold::combine(Fold::combine(acc[0], acc[1]), Fold::combine(acc[2], acc[3])));
    if constexpr (__is_same(Fold, Sum)) {
        return folded + tail;
    } else {
        return folded != folded || folded > tail ? folded : tail;
    }
}

constexpr size_t block = 2048;

template <class T>
T sum(const T* x, size_t n) {
    if (n <= block) {
        return fold_block<Sum>(x, n);
    }
    const size_t half = (n / 2 + block - 1) / block * block;
    return sum(x, half) + sum(x + half, n - half);
}

template <class T>
T amax(const T* x, size_t n) {
    return fold_block<Largest>(x, n);
}

// A strip of columns at a time stays in registers down the rows; blocks of rows keep a long sum's error small.
template <class Fold, class T>
void fold_columns(const T* x, T* out, size_t rows, size_t columns) {
    using V = Lane<T>;
    constexpr size_t strip = 4;
    constexpr size_t row_block = 512;
    for (size_t first = 0; first < rows; first += row_block) {
        const size_t count = rows - first < row_block ? rows - first : row_block;
        const T* from = x + first * columns;
        size_t j = 0;
        for (; j + strip * V::size <= columns; j += strip * V::size) {
            V acc[strip];
            for (size_t k = 0; k < strip; ++k) {
                acc[k] = V::load(from + j + k * V::size);
            }
            for (size_t i = 1; i < count; ++i) {
                for (size_t k = 0; k < strip; ++k) {
                    acc[k] = Fold::combine(acc[k], V::load(from + i * columns + j + k * V::size));
                }
            }
            for (size_t k = 0; k < strip; ++k) {
                Fold::combine(V::load(out + j + k * V::size), acc[k]).store(out + j + k * V::size);
            }
        }
        for (; j < columns; j += V::size) {
            const size_t width = columns - j < V::size ? columns - j : V::size;
            const auto load = [=](const T* p) { return width == V::size ? V::load(p) : V::load_partial(p, width); };
            V acc = load(from + j);
            for (size_t i = 1; i < count; ++i) {
                acc = Fold::combine(acc, load(from + i * columns + j));
            }
            const V folded = Fold::combine(load(out + j), acc);
            width == V::size ? folded.store(out + j) : folded.store_partial(out + j, width);
        }
    }
}

template <class T>
void add_columns(const T* x, T* out, size_t rows, size_t columns) {
    fold_columns<Sum>(x, out, rows, columns);
}

template <class T>
void amax_columns(const T* x, T* out, size_t rows, size_t columns) {
    fold_columns<Largest>(x, out, rows, columns);
}

}  // namespace

template <class T>
kernels::ReduceKernels<T> reduce_kernels() {
    return {sum<T>, amax<T>, add_columns<T>, amax_columns<T>};
}
template kernels::ReduceKernels<float> reduce_kernels<float>();
template kernels::ReduceKernels<double> reduce_kernels<double>();

}  // namespace xtape::XTAPE_ARCH
