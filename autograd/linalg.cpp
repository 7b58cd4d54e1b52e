#include <xtape/autograd/linalg.hpp>

#include <algorithm>
#include <limits>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/lapack.hpp>
#include <xtape/autograd/linalg_stacks.hpp>
#include <xtape/autograd/recording.hpp>

// Solving and inverting. The derivatives are those of Giles, "Collected matrix derivative results for forward and
// reverse mode algorithmic differentiation" (2008), sections 2.2 and 2.3, written in recorded ops: right to every
// order.

namespace xtape::linalg {
namespace {

[[noreturn]] void throw_singular(const char* op, const Shape& batch, std::size_t index, std::size_t pivot) {
    throw ValueError(fmt::format("{}: {} is singular: pivot {} is 0", op, which_matrix(batch, index), pivot));
}

// a and b with their batches broadcast to each other, and b as a stack of columns.
template <class T>
struct System {
    Tensor<T> a;
    Tensor<T> b;
    bool of_vectors;

    System(const char* op, const Tensor<T>& matrices, const Tensor<T>& right) : a(matrices), b(right) {
        const Stack stack = square_stack_of(op, a.shape());
        const Shape without_last(a.shape().begin(), a.shape().end() - 1);
        of_vectors = b.dimension() == 1 || b.shape() == without_last;
        if (b.dimension() == 0 || b.shape()[b.dimension() - (of_vectors ? 1 : 2)] != stack.rows) {
            throw ShapeError(fmt::format("{}: the right-hand side {} does not fit matrices {}: it takes (..., {}, k), "
                                         "or vectors of {}",
                                         op, to_string(right.shape()), to_string(a.shape()), stack.rows, stack.rows));
        }
        if (of_vectors) {
            b = expand_dims(b, -1);
        }
        const Stack columns = stack_of(op, b.shape());
        const Shape batch = broadcast_shapes(op, stack.batch, columns.batch);
        a = broadcast_to(a, shape_of(batch, {stack.rows, stack.rows}));
        b = broadcast_to(b, shape_of(batch, {columns.rows, columns.columns}));
    }

    [[nodiscard]] Tensor<T> as_given(const Tensor<T>& x) const { return of_vectors ? squeeze(x, {-1}) : x; }
};

// op(A)⁻¹ B for stacks of the same batch, where op may transpose.
template <class T>
Tensor<T> solve_stacks(const Tensor<T>& a, const Tensor<T>& b, bool transposed);

template <class T>
struct SolveRule {
    static constexpr const char* name = "solve";
    bool a_transposed;
    // B̄ = op(A)⁻ᵀ X̄, and Ā = -B̄ Xᵀ, or its transpose (Giles 2.3.1).
    void operator()(RuleContext& context) const {
        const Tensor<T> by_b = solve_stacks(context.input<T>(0), context.gradient<T>(), !a_transposed);
        if (context.wants(0)) {
            const Tensor<T> x = context.output<T>();
            context.give(0, -(a_transposed ? times_transposed(x, by_b) : times_transposed(by_b, x)));
        }
        if (context.wants(1)) {
            context.give(1, by_b);
        }
    }
};

template <class T>
Tensor<T> solve_stacks(const Tensor<T>& a, const Tensor<T>& b, bool transposed) {
    const Stack stack = stack_of("solve", b.shape());
    const std::size_t n = stack.rows;
    Tensor<T> x = Tensor<T>::uninitialized(b.shape());
    std::copy_n(b.data(), b.size(), raw(x));
    for (std::size_t i = 0; b.size() != 0 && i < stack.count(); ++i) {
        const lapack::LU<T> factors(a.data() + i * n * n, n);
        if (factors.zero_pivot() != n) {
            throw_singular("solve", stack.batch, i, factors.zero_pivot());
        }
        factors.solve(raw(x) + i * n * stack.columns, stack.columns, transposed);
    }
    if (records(a, b)) {
        record(SolveRule<T>{transposed}, x.body(), {{a, true}, {b}}, a.requires_grad());
    }
    return x;
}

// 1 in the triangle, 0 elsewhere.
template <class T>
Tensor<T> triangle(std::size_t n, bool lower, bool with_diagonal) {
    return matrix_of<T>(n, n,
                        [=](std::size_t i, std::size_t j) { return i == j ? with_diagonal : (lower ? i > j : i < j); });
}

template <class T>
struct SolveTriangularRule {
    static constexpr const char* name = "solve_triangular";
    lapack::Triangle kind;
    // As for solve, within the triangle.
    void operator()(RuleContext& context) const {
        const Tensor<T> by_b = solve_triangular_unchecked(context.input<T>(0), context.gradient<T>(), kind.lower,
                                                          !kind.transposed, kind.unit_diagonal);
        if (context.wants(0)) {
            const Tensor<T> x = context.output<T>();
            const Tensor<T> by_a = kind.transposed ? times_transposed(x, by_b) : times_transposed(by_b, x);
            const std::size_t n = context.input_shape(0).back();
            context.give(0, by_a * -triangle<T>(n, kind.lower, !kind.unit_diagonal));
        }
        if (context.wants(1)) {
            context.give(1, by_b);
        }
    }
};

template <class T>
struct InverseRule {
    static constexpr const char* name = "inv";
    // Ā = -Yᵀ Ȳ Yᵀ (Giles 2.2.3).
    void operator()(RuleContext& context) const {
        const Tensor<T> y = context.output<T>();
        context.give(0, -times_transposed(transposed_times(y, context.gradient<T>()), y));
    }
};

// The inverses; a singular matrix throws, or gives NaNs.
template <class T>
Tensor<T> inverse(const Tensor<T>& a, bool throws) {
    const Stack stack = square_stack_of("inv", a.shape());
    const std::size_t n = stack.rows;
    Tensor<T> y = Tensor<T>::uninitialized(a.shape());
    for (std::size_t i = 0; n != 0 && i < stack.count(); ++i) {
        const lapack::LU<T> factors(a.data() + i * n * n, n);
        T* one = raw(y) + i * n * n;
        if (factors.zero_pivot() == n) {
            std::fill_n(one, n * n, T(0));
            for (std::size_t k = 0; k < n; ++k) {
                one[k * n + k] = T(1);
            }
            factors.solve(one, n, false);
        } else if (throws) {
            throw_singular("inv", stack.batch, i, factors.zero_pivot());
        } else {
            std::fill_n(one, n * n, std::numeric_limits<T>::quiet_NaN());
        }
    }
    if (records(a)) {
        record(InverseRule<T>{}, y.body(), {{a}}, true);
    }
    return y;
}

}  // namespace

template <class T>
Tensor<T> detail::solve(const Tensor<T>& a, const Tensor<T>& b) {
    const System<T> system("solve", a, b);
    return system.as_given(solve_stacks(system.a, system.b, false));
}

template <class T>
Tensor<T> solve_triangular_unchecked(const Tensor<T>& a, const Tensor<T>& b, bool lower, bool transpose,
                                     bool unit_diagonal) {
    const Stack stack = stack_of("solve_triangular", b.shape());
    const std::size_t n = stack.rows;
    const lapack::Triangle kind{lower, transpose, unit_diagonal};
    Tensor<T> x = Tensor<T>::uninitialized(b.shape());
    std::copy_n(b.data(), b.size(), raw(x));
    for (std::size_t i = 0; b.size() != 0 && i < stack.count(); ++i) {
        lapack::solve_triangular(a.data() + i * n * n, kind, raw(x) + i * n * stack.columns, n, stack.columns);
    }
    if (records(a, b)) {
        record(SolveTriangularRule<T>{kind}, x.body(), {{a, true}, {b}}, a.requires_grad());
    }
    return x;
}

template <class T>
Tensor<T> detail::solve_triangular(const Tensor<T>& a, const Tensor<T>& b, TriangularOptions options) {
    const System<T> system("solve_triangular", a, b);
    const Stack stack = stack_of("solve_triangular", system.a.shape());
    const std::size_t n = stack.rows;
    for (std::size_t i = 0; !options.unit_diagonal && i < stack.count() * n; ++i) {
        if (system.a.data()[i / n * n * n + i % n * (n + 1)] == T(0)) {
            throw_singular("solve_triangular", stack.batch, i / n, i % n);
        }
    }
    return system.as_given(
        solve_triangular_unchecked(system.a, system.b, options.lower, options.transpose, options.unit_diagonal));
}

template <class T>
Tensor<T> inv(const Tensor<T>& a) {
    return inverse(a, true);
}

template <class T>
Tensor<T> inverse_or_nan(const Tensor<T>& a) {
    return inverse(a, false);
}

#define XTAPE_INSTANTIATE(T)                                                                             \
    template Tensor<T> detail::solve(const Tensor<T>&, const Tensor<T>&);                                \
    template Tensor<T> detail::solve_triangular(const Tensor<T>&, const Tensor<T>&, TriangularOptions);  \
    template Tensor<T> solve_triangular_unchecked(const Tensor<T>&, const Tensor<T>&, bool, bool, bool); \
    template Tensor<T> inv(const Tensor<T>&);                                                            \
    template Tensor<T> inverse_or_nan(const Tensor<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::linalg
