#include <xtape/autograd/linalg.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/einsum.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/lapack.hpp>
#include <xtape/autograd/linalg_stacks.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::linalg {
namespace {

// The gradient of det is the matrix of cofactors, which is det(A) A⁻ᵀ where A has an inverse (Giles 2008, 2.2.4) and a
// polynomial in A's elements everywhere. What follows computes it without dividing by det, in recorded ops, so that
// derivatives of every order are right at singular matrices too:
//   - up to 3 x 3 by minors;
//   - det(A) A⁻ᵀ where A is well-conditioned;
//   - else in the basis of A's singular vectors, which stand still: there A is a well-conditioned block, and a small
//     Schur complement of it that is expanded in turn. (Cofactors by the SVD alone: Stewart, "On the adjugate matrix",
//     1998; here the SVD chooses the basis and is not differentiated.)
//   - a block of zeros by Faddeev's and LeVerrier's recurrence.

template <class T>
struct Expansion {
    Tensor<T> det;
    Tensor<T> cofactors;
};

template <class T>
Tensor<T> cofactors_of(const Tensor<T>& a, const Tensor<T>& determinant);

// The rows of the identity, moved up by `steps`, cyclically.
template <class T>
Tensor<T> cyclic(std::size_t n, std::size_t steps) {
    return matrix_of<T>(n, n, [=](std::size_t i, std::size_t j) { return j == (i + steps) % n; });
}

// (i, j) -> a(i + down, j + across), modulo n.
template <class T>
Tensor<T> moved(const Tensor<T>& a, std::size_t down, std::size_t across) {
    const std::size_t n = a.shape().back();
    return times_transposed(matmul(cyclic<T>(n, down), a), cyclic<T>(n, across));
}

// Of matrices up to 3 x 3.
template <class T>
Tensor<T> minors(const Tensor<T>& a) {
    const std::size_t n = a.shape().back();
    if (n < 2) {
        return ones_like(a);
    }
    if (n == 2) {
        return moved(a, 1, 1) * matrix_of<T>(2, 2, [](std::size_t i, std::size_t j) { return i == j ? 1 : -1; });
    }
    return moved(a, 1, 1) * moved(a, 2, 2) - moved(a, 1, 2) * moved(a, 2, 1);
}

// M₁ = I, Mₖ₊₁ = A Mₖ - tr(A Mₖ)/k I; then det(A) is tr(A Mₙ)/n and the adjugate is Mₙ, but for the sign (-1)ⁿ⁻¹.
template <class T>
Expansion<T> faddeev_leverrier(const Tensor<T>& a) {
    const std::size_t n = a.shape().back();
    const Tensor<T> one = eye<T>(n);
    Tensor<T> m = one;
    for (std::size_t k = 1; k < n; ++k) {
        const Tensor<T> product = matmul(a, m);
        m = product - trace(product) / static_cast<double>(k) * one;
    }
    const double sign = n % 2 == 1 ? 1.0 : -1.0;
    return {trace(matmul(a, m)) * (sign / static_cast<double>(n)), transpose(m) * sign};
}

template <class T>
T sign_of_orthogonal(const Tensor<T>& q) {
    const std::size_t n = q.shape().back();
    const lapack::LU<T> factors(q.data(), n);
    T product = factors.is_odd() ? T(-1) : T(1);
    for (std::size_t i = 0; i < n; ++i) {
        product = factors.pivot(i) < T(0) ? -product : product;
    }
    return product;
}

// Up to this condition number inverses are good for second derivatives.
template <class T>
const T largest_condition = T(1) / std::cbrt(std::numeric_limits<T>::epsilon());

// Of one square matrix, however badly conditioned; its elements are finite.
template <class T>
Expansion<T> expand(const Tensor<T>& a) {
    const std::size_t n = a.shape().back();
    if (n <= 3) {
        const Tensor<T> c = minors(a);
        return {n == 0 ? Tensor<T>(T(1)) : sum(view(a, 0) * view(c, 0)), c};
    }
    const auto [u, s, vt] = svd(a.detach());
    if (!(s.data()[0] > std::numeric_limits<T>::min())) {
        return faddeev_leverrier(a);
    }
    const T sign = sign_of_orthogonal(u) * sign_of_orthogonal(vt);
    const T smallest = s.data()[0] / largest_condition<T>;
    const auto large = std::count_if(s.data(), s.data() + n, [=](T value) { return value > smallest; });
    const Tensor<T> u1 = view(u, xt::all(), xt::range(0, large));
    const Tensor<T> v1 = transpose(view(vt, xt::range(0, large)));
    const Tensor<T> u2 = view(u, xt::all(), xt::range(large, n));
    const Tensor<T> v2 = transpose(view(vt, xt::range(large, n)));
    const auto block = [&](const Tensor<T>& left, const Tensor<T>& right) {
        return matmul(transposed_times(left, a), right);
    };
    // UᵀAV = [X B; C D], with det(UᵀAV) = det(X) det(D - C X⁻¹ B).
    const Tensor<T> x = block(u1, v1);
    const Tensor<T> x_inverse = inverse_or_nan(x);
    const Tensor<T> right = matmul(x_inverse, block(u1, v2));
    const Tensor<T> left = matmul(block(u2, v1), x_inverse);
    const Tensor<T> of_x = det(x) * sign;
    const Expansion<T> rest = expand(block(u2, v2) - matmul(block(u2, v1), right));
    // The cofactors of the blocks, back in A's own basis.
    const Tensor<T> from_x = times_transposed(matmul(u1, transpose(x_inverse)), v1) * rest.det;
    const Tensor<T> from_rest =
        times_transposed(matmul(u2 - matmul(u1, transpose(left)), rest.cofactors), v2 - matmul(v1, right));
    return {of_x * rest.det, of_x * (from_x + from_rest)};
}

// ‖A‖₁ ‖A⁻¹‖₁ within n times the bound, which it is if the singular values are within the bound; or NaN, which is to
// come out as NaN.
template <class T>
bool is_well_conditioned(const T* a, const T* inverse, std::size_t n) {
    const auto norm_one = [n](const T* x) {
        T largest = 0;
        for (std::size_t j = 0; j < n; ++j) {
            T column = 0;
            for (std::size_t i = 0; i < n; ++i) {
                column += std::abs(x[i * n + j]);
            }
            largest = column > largest || std::isnan(column) ? column : largest;
        }
        return largest;
    };
    const T of_a = norm_one(a);
    return !std::isfinite(of_a) || of_a * norm_one(inverse) <= static_cast<T>(n) * largest_condition<T>;
}

// The cofactors of each matrix; `determinant` is det(a).
template <class T>
Tensor<T> cofactors_of(const Tensor<T>& a, const Tensor<T>& determinant) {
    const Stack stack = stack_of("det", a.shape());
    const std::size_t n = stack.rows;
    if (n <= 3 || a.size() == 0) {
        return minors(a);
    }
    const Tensor<T> inverse = inverse_or_nan(a);
    bool all_well = true;
    for (std::size_t i = 0; i < stack.count(); ++i) {
        all_well = all_well && is_well_conditioned(a.data() + i * n * n, inverse.data() + i * n * n, n);
    }
    if (all_well) {
        return for_each_matrix(determinant) * transposed(inverse);
    }
    if (stack.count() == 1) {
        return reshape(expand(reshape(a, {n, n})).cofactors, Axes(a.shape()));
    }
    // One by one, so that what one matrix needs costs the others nothing.
    const Tensor<T> matrices = reshape(a, {stack.count(), n, n});
    const Tensor<T> determinants = reshape(determinant, {stack.count()});
    std::vector<Tensor<T>> each;
    for (std::size_t i = 0; i < stack.count(); ++i) {
        each.push_back(cofactors_of(view(matrices, xt::range(i, i + 1)), view(determinants, xt::range(i, i + 1))));
    }
    return reshape(concatenate(each), Axes(a.shape()));
}

template <class T>
struct DetRule {
    static constexpr const char* name = "det";
    void operator()(RuleContext& context) const {
        context.give(0,
                     for_each_matrix(context.gradient<T>()) * cofactors_of(context.input<T>(0), context.output<T>()));
    }
};

template <class T>
struct SlogdetRule {
    static constexpr const char* name = "slogdet";
    // Ā = A⁻ᵀ by log|det| (Giles 2008, 2.2.4).
    void operator()(RuleContext& context) const {
        const Tensor<T> inverse = inverse_or_nan(context.input<T>(0));
        context.give(0, for_each_matrix(context.gradient<T>()) * transposed(inverse));
    }
};

}  // namespace

template <class T>
Tensor<T> det(const Tensor<T>& a) {
    const Stack stack = square_stack_of("det", a.shape());
    const std::size_t n = stack.rows;
    Tensor<T> y = Tensor<T>::uninitialized(stack.batch);
    std::fill_n(raw(y), y.size(), T(1));
    for (std::size_t i = 0; n != 0 && i < y.size(); ++i) {
        const lapack::LU<T> factors(a.data() + i * n * n, n);
        T product = factors.is_odd() ? T(-1) : T(1);
        for (std::size_t k = 0; k < n; ++k) {
            product *= factors.pivot(k);
        }
        raw(y)[i] = product;
    }
    if (records(a)) {
        record(DetRule<T>{}, y.body(), {{a, true}}, true);
    }
    return y;
}

template <class T>
std::pair<Tensor<T>, Tensor<T>> slogdet(const Tensor<T>& a) {
    const Stack stack = square_stack_of("slogdet", a.shape());
    const std::size_t n = stack.rows;
    Tensor<T> sign = Tensor<T>::uninitialized(stack.batch);
    Tensor<T> log_magnitude = Tensor<T>::uninitialized(stack.batch);
    for (std::size_t i = 0; i < sign.size(); ++i) {
        T s = 1;
        T total = 0;
        if (n != 0) {
            const lapack::LU<T> factors(a.data() + i * n * n, n);
            s = factors.is_odd() ? T(-1) : T(1);
            for (std::size_t k = 0; k < n; ++k) {
                const T pivot = factors.pivot(k);
                s = pivot < T(0) ? -s : (pivot > T(0) ? s : s * pivot);  // 0 and NaN as they are
                total += std::log(std::abs(pivot));
            }
        }
        raw(sign)[i] = s == T(0) ? T(0) : s;
        raw(log_magnitude)[i] = total;
    }
    if (records(a)) {
        record(SlogdetRule<T>{}, log_magnitude.body(), {{a, true}});
    }
    return {sign, log_magnitude};
}

#define XTAPE_INSTANTIATE(T)                  \
    template Tensor<T> det(const Tensor<T>&); \
    template std::pair<Tensor<T>, Tensor<T>> slogdet(const Tensor<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::linalg
