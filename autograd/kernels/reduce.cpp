#include <xtape/autograd/kernels/folds.hpp>
#include <xtape/autograd/kernels/kernels.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

// Narrow matrices: some rows are read as one wide row, and what those come to is folded once more.
template <class Fold, class T>
void fold_narrow(const T* x, const T* centre, T* out, size_t rows, size_t columns, size_t together) {
    alignas(64) T centres[tile];
    alignas(64) T parts[tile];
    const size_t width = together * columns;
    for (size_t i = 0; i < width && centre != nullptr; ++i) {
        centres[i] = centre[i % columns];
    }
    const size_t wide_rows = rows / together;
    fold_down<Fold>(x, width, centre != nullptr ? centres : nullptr, parts, wide_rows, width);
    fold_down<typename Fold::Results>(parts, columns, static_cast<const T*>(nullptr), out, together, columns);
    if (const size_t left = rows - wide_rows * together; left > 0) {
        fold_down<Fold>(x + wide_rows * width, columns, centre, parts, left, columns);
        for (size_t j = 0; j < columns; ++j) {
            out[j] = Fold::combine(out[j], parts[j]);
        }
    }
}

// out[j] = or += the fold of column j of a matrix of at least one row.
template <class Fold, class T>
void fold_columns(const T* x, const T* centre, T* out, size_t rows, size_t columns, bool add = false) {
    constexpr size_t wide = 16 * Lane<T>::size;
    static_assert(wide <= tile);
    const size_t fit = wide / columns;
    const size_t together = fit < rows / 8 ? fit : rows / 8;
    for (size_t j = 0; j < columns; j += tile) {
        const size_t width = columns - j < tile ? columns - j : tile;
        alignas(64) T sums[tile];
        T* to = add ? sums : out + j;
        if (together > 1) {
            fold_narrow<Fold>(x, centre, to, rows, columns, together);
        } else {
            fold_down<Fold>(x + j, columns, centre != nullptr ? centre + j : nullptr, to, rows, width);
        }
        for (size_t k = 0; k < width && add; ++k) {
            out[j + k] += sums[k];
        }
    }
}

template <class Fold, class T>
void fold(const T* x, const T* centre, T* out, kernels::Extents extents) {
    const auto [outer, extent, inner] = extents;
    if (extent == 0) {
        for (size_t i = 0; i < outer * inner; ++i) {
            out[i] = T(Fold::start);
        }
    } else if (inner == 1) {
        for (size_t i = 0; i < outer; ++i) {
            out[i] = fold_row<Fold>(x + i * extent, extent, centre != nullptr ? centre[i] : T(0));
        }
    } else if (inner > 0) {
        for (size_t i = 0; i < outer; ++i) {
            fold_columns<Fold>(x + i * extent * inner, centre != nullptr ? centre + i * inner : nullptr,
                               out + i * inner, extent, inner);
        }
    }
}

template <class Fold, class T>
kernels::Fold<T> both() {
    return {fold<Fold, T>, fold<typename Fold::Results, T>};
}

template <class T>
void add_columns(const T* x, T* out, size_t rows, size_t columns) {
    if (rows > 0 && columns > 0) {
        fold_columns<Sum>(x, static_cast<const T*>(nullptr), out, rows, columns, true);
    }
}

}  // namespace

template <class T>
kernels::ReduceKernels<T> reduce_kernels() {
    return {.sum = both<Sum, T>(),
            .product = both<Product, T>(),
            .largest = both<Largest, T>(),
            .smallest = both<Smallest, T>(),
            .magnitudes = both<SumOfMagnitudes, T>(),
            .squares = both<SumOfSquares, T>(),
            .deviations = both<SumOfDeviations, T>(),
            .squared_deviations = both<SumOfSquaredDeviations, T>(),
            .add_columns = add_columns<T>};
}
template kernels::ReduceKernels<float> reduce_kernels<float>();
template kernels::ReduceKernels<double> reduce_kernels<double>();

}  // namespace xtape::XTAPE_ARCH
