#include <xtape/autograd/lapack.hpp>

#include <algorithm>
#include <array>
#include <concepts>

#include <xtape/autograd/xtensor.hpp>

// xlapack.hpp needs the ASSERT that xblas.hpp defines; with it comes a cblas.h that admits no other.
// clang-format off
#include <xtensor-blas/xblas.hpp>
#include <xtensor-blas/xlapack.hpp>
// clang-format on

namespace xtape::lapack {
namespace {

using Extents = std::array<std::size_t, 2>;

template <class T>
using ByColumns = xt::xtensor<T, 2, xt::layout_type::column_major>;

// A row-major matrix with its elements in LAPACK's order.
template <class T>
ByColumns<T> by_columns(const T* a, std::size_t rows, std::size_t columns) {
    ByColumns<T> copy(Extents{rows, columns});
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            copy.data()[j * rows + i] = a[i * columns + j];
        }
    }
    return copy;
}

// The same memory as LAPACK reads it: of a row-major matrix, the transpose.
template <class T>
auto transposed_in_place(T* a, std::size_t rows, std::size_t columns) {
    return xt::adapt<xt::layout_type::column_major>(a, rows * columns, xt::no_ownership(), Extents{columns, rows});
}

}  // namespace

template <class T>
LU<T>::LU(const T* a, std::size_t n) : n_(n), factors_(n * n), exchanges_(n) {
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            factors_[j * n + i] = a[i * n + j];
        }
    }
    auto factors = transposed_in_place(factors_.data(), n, n);
    const int info = xt::lapack::getrf(factors, exchanges_);
    zero_pivot_ = info > 0 ? static_cast<std::size_t>(info - 1) : n;
}

template <class T>
bool LU<T>::is_odd() const {
    bool odd = false;
    for (std::size_t i = 0; i < n_; ++i) {
        odd = odd != (exchanges_[i] != static_cast<int>(i + 1));
    }
    return odd;
}

template <class T>
void LU<T>::solve(T* x, std::size_t columns, bool transposed) const {
    const auto exchange = [&](std::size_t i) {
        const auto other = static_cast<std::size_t>(exchanges_[i] - 1);
        if (other != i) {
            std::swap_ranges(x + i * columns, x + (i + 1) * columns, x + other * columns);
        }
    };
    const Triangle l{.lower = false, .transposed = !transposed, .unit_diagonal = true};
    const Triangle u{.lower = true, .transposed = !transposed, .unit_diagonal = false};
    if (transposed) {  // Aᵀ = Uᵀ Lᵀ P
        solve_triangular(factors_.data(), u, x, n_, columns);
        solve_triangular(factors_.data(), l, x, n_, columns);
        for (std::size_t i = n_; i-- > 0;) {
            exchange(i);
        }
    } else {
        for (std::size_t i = 0; i < n_; ++i) {
            exchange(i);
        }
        solve_triangular(factors_.data(), l, x, n_, columns);
        solve_triangular(factors_.data(), u, x, n_, columns);
    }
}

template <class T>
void solve_triangular(const T* triangle, Triangle kind, T* x, std::size_t n, std::size_t columns) {
    const auto order = static_cast<int>(n);
    const auto count = static_cast<int>(columns);
    const CBLAS_UPLO part = kind.lower ? CblasLower : CblasUpper;
    const CBLAS_TRANSPOSE transpose = kind.transposed ? CblasTrans : CblasNoTrans;
    const CBLAS_DIAG diagonal = kind.unit_diagonal ? CblasUnit : CblasNonUnit;
    if constexpr (std::same_as<T, float>) {
        cblas_strsm(CblasRowMajor, CblasLeft, part, transpose, diagonal, order, count, 1.0F, triangle, order, x, count);
    } else {
        cblas_dtrsm(CblasRowMajor, CblasLeft, part, transpose, diagonal, order, count, 1.0, triangle, order, x, count);
    }
}

template <class T>
std::size_t cholesky(T* a, std::size_t n) {
    auto symmetric = transposed_in_place(a, n, n);
    const int info = xt::lapack::potr(symmetric, 'U');  // the upper factor by columns is the lower one by rows
    for (std::size_t i = 0; i < n; ++i) {
        std::fill(a + i * n + i + 1, a + (i + 1) * n, T(0));
    }
    std::size_t pivot = info > 0 ? static_cast<std::size_t>(info - 1) : n;
    for (std::size_t i = 0; i < pivot; ++i) {
        if (!(a[i * n + i] > T(0))) {  // OpenBLAS goes on past NaNs
            pivot = i;
        }
    }
    return pivot;
}

template <class T>
void qr(const T* a, std::size_t m, std::size_t n, T* q, T* r) {
    const std::size_t k = std::min(m, n);
    auto factors = by_columns(a, m, n);
    xt::xtensor<T, 1> tau(std::array<std::size_t, 1>{k});
    xt::lapack::geqrf(factors, tau);
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            r[i * n + j] = j < i ? T(0) : factors.data()[j * m + i];
        }
    }
    xt::lapack::orgqr(factors, tau, static_cast<xt::blas_index_t>(k));
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < k; ++j) {
            q[i * k + j] = factors.data()[j * m + i];
        }
    }
}

template <class T>
bool svd(const T* a, std::size_t m, std::size_t n, T* u, T* s, T* vt) {
    // Aᵀ = V S Uᵀ, whose factors by columns are the wanted ones by rows.
    std::vector<T> copy(a, a + m * n);
    auto transposed = transposed_in_place(copy.data(), m, n);
    const auto [info, left, values, right] = xt::lapack::gesdd(transposed, 'S');
    const std::size_t k = std::min(m, n);
    std::copy_n(left.data(), n * k, vt);
    std::copy_n(values.data(), k, s);
    std::copy_n(right.data(), k * m, u);
    return info == 0;
}

template <class T>
bool eigh(const T* a, std::size_t n, T* w, T* v) {
    auto vectors = by_columns(a, n, n);
    xt::xtensor<T, 1> values(std::array<std::size_t, 1>{n});
    // Not the lower triangle: OpenBLAS 0.3.21's ssymv for old processors adds to it what the call before left in its
    // buffer, times zero, so that a NaN there lives on.
    const int info = xt::lapack::syevd(vectors, 'V', 'U', values);
    std::copy_n(values.data(), n, w);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            v[i * n + j] = vectors.data()[j * n + i];
        }
    }
    return info == 0;
}

#define XTAPE_INSTANTIATE(T)                                                          \
    template class LU<T>;                                                             \
    template void solve_triangular(const T*, Triangle, T*, std::size_t, std::size_t); \
    template std::size_t cholesky(T*, std::size_t);                                   \
    template void qr(const T*, std::size_t, std::size_t, T*, T*);                     \
    template bool svd(const T*, std::size_t, std::size_t, T*, T*, T*);                \
    template bool eigh(const T*, std::size_t, T*, T*);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::lapack
