#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

/// A matrix as its element (i, j) is found: data[i * row + j * step].
template <class T>
struct Strided {
    const T* data;
    size_t row;
    size_t step;

    [[nodiscard]] Strided from_row(size_t i) const { return {data + i * row, row, step}; }
};

/// `rows` rows, one lane wide, of c = or += a b; b's and c's rows are n apart. Each row of a lane is a sum of its own,
/// so that none waits for another.
template <int rows, class T, class Load, class Store>
[[gnu::always_inline]] inline void add_up(Strided<T> a, const T* b, T* c, size_t n, size_t k, bool add, Load load,
                                          Store store) {
    using Batch = typename Lane<T>::Batch;
    Batch sums[rows];
    for (int i = 0; i < rows; ++i) {
        sums[i] = add ? load(c + static_cast<size_t>(i) * n).v : Batch(T(0));
    }
    for (size_t l = 0; l < k; ++l) {
        const Batch of_b = load(b + l * n).v;
        for (int i = 0; i < rows; ++i) {
            sums[i] = xsimd::fma(Batch(a.data[static_cast<size_t>(i) * a.row + l * a.step]), of_b, sums[i]);
        }
    }
    for (int i = 0; i < rows; ++i) {
        store(Lane<T>(sums[i]), c + static_cast<size_t>(i) * n);
    }
}

template <class T>
void multiply(Strided<T> a, const T* b, T* c, size_t m, size_t n, size_t k, bool add) {
    for_each_lane<T>(n, [=](auto load, auto store) {
        size_t i = 0;
        for (; i + 8 <= m; i += 8) {
            add_up<8>(a.from_row(i), b, c + i * n, n, k, add, load, store);
        }
        if (i + 4 <= m) {
            add_up<4>(a.from_row(i), b, c + i * n, n, k, add, load, store);
            i += 4;
        }
        for (; i < m; ++i) {
            add_up<1>(a.from_row(i), b, c + i * n, n, k, add, load, store);
        }
    });
}

/// As many rows and columns are turned at once.
template <class T>
constexpr size_t block = 16 / sizeof(T);

#if defined(__SSE2__)
[[gnu::always_inline]] inline void turn_block(const float* from, size_t columns, float* to, size_t rows) {
    __m128 a = _mm_loadu_ps(from);
    __m128 b = _mm_loadu_ps(from + columns);
    __m128 c = _mm_loadu_ps(from + 2 * columns);
    __m128 d = _mm_loadu_ps(from + 3 * columns);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + rows, b);
    _mm_storeu_ps(to + 2 * rows, c);
    _mm_storeu_ps(to + 3 * rows, d);
}
[[gnu::always_inline]] inline void turn_block(const double* from, size_t columns, double* to, size_t rows) {
    const __m128d a = _mm_loadu_pd(from);
    const __m128d b = _mm_loadu_pd(from + columns);
    _mm_storeu_pd(to, _mm_unpacklo_pd(a, b));
    _mm_storeu_pd(to + rows, _mm_unpackhi_pd(a, b));
}
#else
template <class T>
void turn_block(const T* from, size_t columns, T* to, size_t rows) {
    for (size_t i = 0; i < block<T>; ++i) {
        for (size_t j = 0; j < block<T>; ++j) {
            to[j * rows + i] = from[i * columns + j];
        }
    }
}
#endif

/// x (rows, columns) transposed.
template <class T>
void turn(const T* x, size_t rows, size_t columns, T* to) {
    const size_t whole_rows = rows / block<T> * block<T>;
    const size_t whole_columns = columns / block<T> * block<T>;
    for (size_t i = 0; i < whole_rows; i += block<T>) {
        for (size_t j = 0; j < whole_columns; j += block<T>) {
            turn_block(x + i * columns + j, columns, to + j * rows + i, rows);
        }
    }
    for (size_t i = 0; i < rows; ++i) {
        for (size_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
            to[j * rows + i] = x[i * columns + j];
        }
    }
}

template <class T>
void small_product(const T* a, bool a_transposed, const T* b, bool b_transposed, T* c, size_t m, size_t n, size_t k,
                   bool add) {
    const Strided<T> left = a_transposed ? Strided<T>{a, 1, m} : Strided<T>{a, k, 1};
    if (!b_transposed) {
        multiply(left, b, c, m, n, k, add);
        return;
    }
    alignas(64) T turned[kernels::largest_small_operand];
    turn(b, n, k, turned);
    multiply(left, turned, c, m, n, k, add);
}

}  // namespace

template <class T>
kernels::ProductKernels<T> product_kernels() {
    return {small_product<T>};
}
template kernels::ProductKernels<float> product_kernels();
template kernels::ProductKernels<double> product_kernels();

}  // namespace xtape::XTAPE_ARCH
