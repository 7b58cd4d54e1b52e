#include <xtape/autograd/gemm.hpp>

#include <algorithm>
#include <concepts>
#include <limits>

#include <cblas.h>
#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/kernels/kernels.hpp>

namespace xtape {
namespace {

// Up to here our own product takes about as long as OpenBLAS's with its AVX-512 kernels, and half as long as with its
// Haswell ones; from there on OpenBLAS gains.
bool is_small(std::size_t m, std::size_t n, std::size_t k) {
    constexpr std::size_t most_products = 8192;
    return m <= most_products && n <= most_products && k <= most_products && m * n * k <= most_products &&
           n * k <= kernels::largest_small_operand;
}

}  // namespace

template <class T>
void gemm(Matrix<T> a, Matrix<T> b, T* c, std::size_t m, std::size_t n, std::size_t k, bool add) {
    if (m == 0 || n == 0) {
        return;
    }
    if (k == 0) {
        if (!add) {
            std::fill_n(c, m * n, T(0));
        }
        return;
    }
    if (is_small(m, n, k)) {
        kernels::active<T>().product.small(a.data, a.transposed, b.data, b.transposed, c, m, n, k, add);
        return;
    }
    constexpr auto largest = static_cast<std::size_t>(std::numeric_limits<int>::max());
    if (m > largest || n > largest || k > largest) {
        throw ShapeError(
            fmt::format("matmul: ({}, {}) times ({}, {}) has an extent beyond BLAS's int; split it", m, k, k, n));
    }
    const auto rows = static_cast<int>(m);
    const auto columns = static_cast<int>(n);
    const auto inner = static_cast<int>(k);
    const CBLAS_TRANSPOSE transpose_a = a.transposed ? CblasTrans : CblasNoTrans;
    const CBLAS_TRANSPOSE transpose_b = b.transposed ? CblasTrans : CblasNoTrans;
    const int lda = a.transposed ? rows : inner;
    const int ldb = b.transposed ? inner : columns;
    if constexpr (std::same_as<T, float>) {
        cblas_sgemm(CblasRowMajor, transpose_a, transpose_b, rows, columns, inner, 1.0F, a.data, lda, b.data, ldb,
                    add ? 1.0F : 0.0F, c, columns);
    } else {
        cblas_dgemm(CblasRowMajor, transpose_a, transpose_b, rows, columns, inner, 1.0, a.data, lda, b.data, ldb,
                    add ? 1.0 : 0.0, c, columns);
    }
}

template void gemm(Matrix<float>, Matrix<float>, float*, std::size_t, std::size_t, std::size_t, bool);
template void gemm(Matrix<double>, Matrix<double>, double*, std::size_t, std::size_t, std::size_t, bool);

}  // namespace xtape
