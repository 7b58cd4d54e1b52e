#pragma once

#include <cstddef>
#include <vector>

namespace xtape::lapack {

// LAPACK and BLAS on single matrices, as the ops of linalg.hpp need them: row-major, contiguous, and no extent 0. Where
// a routine of theirs reads columns first, what is said here is already about rows.

/// P A = L U, with partial pivoting. A zero on U's diagonal is left there, and solving by it gives infinities and NaNs.
template <class T>
class LU {
public:
    LU(const T* a, std::size_t n);

    /// The first zero on U's diagonal; n if there is none.
    [[nodiscard]] std::size_t zero_pivot() const { return zero_pivot_; }
    [[nodiscard]] T pivot(std::size_t i) const { return factors_[i * n_ + i]; }
    /// Whether the rows were exchanged an odd number of times.
    [[nodiscard]] bool is_odd() const;
    /// x (n, columns) becomes A⁻¹x, or A⁻ᵀx.
    void solve(T* x, std::size_t columns, bool transposed) const;

private:
    std::size_t n_;
    std::vector<T> factors_;  // (LU)ᵀ, which is LU by columns
    std::vector<int> exchanges_;
    std::size_t zero_pivot_;
};

/// Which part of a triangular matrix is read, and how.
struct Triangle {
    bool lower;
    bool transposed;
    bool unit_diagonal;
};

/// x (n, columns) becomes T⁻¹x, or T⁻ᵀx. A zero on the diagonal gives infinities and NaNs.
template <class T>
void solve_triangular(const T* triangle, Triangle kind, T* x, std::size_t n, std::size_t columns);

/// A symmetric matrix becomes its lower Cholesky factor, with zeros above. Returns the first pivot that is not positive
/// (what is left in `a` then means nothing), n if there is none.
template <class T>
[[nodiscard]] std::size_t cholesky(T* a, std::size_t n);

/// a (m, n) = q (m, k) r (k, n), where k is the lesser of m and n.
template <class T>
void qr(const T* a, std::size_t m, std::size_t n, T* q, T* r);

/// a (m, n) = u (m, k) diag(s) vt (k, n), where k is the lesser of m and n; s descends. False if it does not converge,
/// which only elements that are not finite were ever seen to bring about.
template <class T>
[[nodiscard]] bool svd(const T* a, std::size_t m, std::size_t n, T* u, T* s, T* vt);

/// a, symmetric, = v diag(w) vᵀ; w ascends. False if it does not converge.
template <class T>
[[nodiscard]] bool eigh(const T* a, std::size_t n, T* w, T* v);

}  // namespace xtape::lapack
