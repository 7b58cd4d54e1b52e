#pragma once

#include <tuple>
#include <utility>

#include <xtape/autograd/operands.hpp>
#include <xtape/autograd/reduction.hpp>

/// Linear algebra on matrices and on stacks of them: the last two axes are a matrix's, those before count matrices, and
/// each op works on every matrix by itself. A matrix may be empty, and so may a stack.
namespace xtape::linalg {

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> solve(const Tensor<T>& a, const Tensor<T>& b);
}

/// The x of a x = b. b is one vector (n), a vector for each matrix (b's shape is a's without its last axis), or (...,
/// n, k): k right-hand sides as columns. The axes that count matrices broadcast. Throws ShapeError where a is not
/// square or b does not fit, ValueError naming matrix and pivot where a is singular.
template <class A, class B>
requires ArrayOperands<A, B>
[[nodiscard]] auto solve(A&& a, B&& b) { return detail::solve(operand<A, B>(a), operand<A, B>(b)); }

/// Which triangle of a matrix is meant, and how it is read.
struct TriangularOptions {
    bool lower = true;           ///< the lower triangle; else the upper one
    bool transpose = false;      ///< solve aᵀ x = b
    bool unit_diagonal = false;  ///< take the diagonal to be ones, whatever is there
};

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> solve_triangular(const Tensor<T>& a, const Tensor<T>& b, TriangularOptions options);
}

/// The x of a x = b where a is triangular; what lies outside the triangle is not read, and its gradient is 0. Shapes
/// are as for `solve`. Throws ShapeError, and ValueError naming matrix and pivot for a zero on the diagonal.
template <class A, class B>
requires ArrayOperands<A, B>
[[nodiscard]] auto solve_triangular(A&& a, B&& b, TriangularOptions options = {}) {
    return detail::solve_triangular(operand<A, B>(a), operand<A, B>(b), options);
}

/// The inverse. Throws ShapeError unless a is square, ValueError naming matrix and pivot where it is singular.
template <class T>
[[nodiscard]] Tensor<T> inv(const Tensor<T>& a);

/// The Moore-Penrose pseudo-inverse, (..., n, m) of (..., m, n). Singular values up to `rcond` times the largest count
/// as 0; a negative `rcond` means max(m, n) times the precision of T. Its gradient takes the rank to stay as it is.
/// Throws ShapeError, and ValueError for elements that are not finite.
template <class T>
[[nodiscard]] Tensor<T> pinv(const Tensor<T>& a, double rcond = -1);

/// The determinant; 1 of a 0 x 0 matrix. Its gradient is the matrix of cofactors, at singular matrices too, and so is
/// that of any order. Throws ShapeError unless a is square.
template <class T>
[[nodiscard]] Tensor<T> det(const Tensor<T>& a);

/// The sign of the determinant (a constant) and the logarithm of its magnitude. Of a singular matrix: 0 and -inf, with
/// a gradient of NaNs. Throws ShapeError unless a is square.
template <class T>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> slogdet(const Tensor<T>& a);

/// The lower factor L of (a + aᵀ)/2 = L Lᵀ; the gradient by a is symmetric. Throws ShapeError unless a is square,
/// ValueError naming matrix and pivot where it is not positive definite.
template <class T>
[[nodiscard]] Tensor<T> cholesky(const Tensor<T>& a);

/// Q (..., m, k) with orthonormal columns and R (..., k, n), upper triangular, with a = Q R, where k is the lesser of m
/// and n. R's diagonal has the signs that Householder's reflections give it. The gradient is that of a matrix whose
/// first k columns are independent; where they are not, it is not finite. Throws ShapeError.
template <class T>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> qr(const Tensor<T>& a);

// Singular vectors are determined up to a sign, and those of equal singular values up to a rotation (so for
// eigenvectors). A function that does not depend on that choice has a finite gradient, one that does gets NaNs where
// values are equal. Values that differ by roundoff only are equal. What a function mixes of values and vectors, such as
// V diag(f(w)) Vᵀ for an f other than constant, can't be told from their gradients there: where values may be equal,
// write it without vectors.

/// The thin singular value decomposition a = U diag(s) Vt: U (..., m, k), s (..., k) descending, Vt (..., k, n), where
/// k is the lesser of m and n. Throws ShapeError, and ValueError for elements that are not finite.
template <class T>
[[nodiscard]] std::tuple<Tensor<T>, Tensor<T>, Tensor<T>> svd(const Tensor<T>& a);

/// Eigenvalues w, ascending, and eigenvectors, V's columns, of (a + aᵀ)/2 = V diag(w) Vᵀ; the gradient by a is
/// symmetric. Throws ShapeError unless a is square, ValueError for elements that are not finite.
template <class T>
[[nodiscard]] std::pair<Tensor<T>, Tensor<T>> eigh(const Tensor<T>& a);

/// Which norm. Of a vector: `one`, `two` and `inf`; `fro` is `two`. Of a matrix all of them.
enum class Norm {
    one,  ///< the sum of magnitudes; of a matrix the largest such sum of a column
    two,  ///< the root of the sum of squares; of a matrix the largest singular value
    inf,  ///< the largest magnitude; of a matrix the largest sum of magnitudes of a row
    fro,  ///< the root of the sum of squares
    nuc,  ///< the sum of the singular values
};

// Where a norm has no derivative, its gradient is the subgradient of least norm: 0 at 0, ties shared. Of nothing a norm
// is 0.

/// The root of the sum of squares of all elements.
template <class T>
[[nodiscard]] Tensor<T> norm(const Tensor<T>& x);
/// The norm of a vector, or of the matrices in the last two axes.
template <class T>
[[nodiscard]] Tensor<T> norm(const Tensor<T>& x, Norm order);
/// Along one axis, vectors' norms; along two, those of the matrices whose rows the first axis counts. Throws ShapeError
/// for other numbers of axes, ValueError for `nuc` of vectors.
template <class T>
[[nodiscard]] Tensor<T> norm(const Tensor<T>& x, Norm order, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> norm(const Tensor<T>& x, Norm order, const Axes& axes, KeepDims);

}  // namespace xtape::linalg
