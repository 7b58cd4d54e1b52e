#pragma once

#include <cstddef>

namespace xtape {

/// A matrix in memory, row-major and contiguous, read transposed if asked.
template <class T>
struct Matrix {
    const T* data;
    bool transposed;
};

/// c (m, n) = or += a (m, k) b (k, n), through BLAS unless it is small, on contiguous row-major memory. Empty products
/// are zeros. Throws ShapeError where an extent does not fit BLAS's int.
template <class T>
void gemm(Matrix<T> a, Matrix<T> b, T* c, std::size_t m, std::size_t n, std::size_t k, bool add);

}  // namespace xtape
