#include <xtape/autograd/linalg.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/lapack.hpp>
#include <xtape/autograd/linalg_stacks.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

// Every rule is written in recorded ops, and so right to every order.

namespace xtape::linalg {
namespace {

// Writes (A + Aᵀ)/2.
template <class T>
void symmetrize(const T* a, T* out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            out[i * n + j] = (a[i * n + j] + a[j * n + i]) / T(2);
        }
    }
}

template <class T>
Tensor<T> symmetric_part(const Tensor<T>& a) {
    return 0.5 * (a + transposed(a));
}

// Takes the lower triangle, with the diagonal halved: Φ of Murray (2016).
template <class T>
Tensor<T> halved_lower(const Tensor<T>& a) {
    const std::size_t n = a.shape().back();
    return a * matrix_of<T>(n, n, [](std::size_t i, std::size_t j) { return i == j ? 0.5 : (i > j ? 1.0 : 0.0); });
}

template <class T>
void check_finite(const char* op, const Tensor<T>& a, const Stack& stack) {
    const auto found = std::find_if(a.data(), a.data() + a.size(), [](T x) { return !std::isfinite(x); });
    if (found != a.data() + a.size()) {
        const auto index = static_cast<std::size_t>(found - a.data()) / (stack.rows * stack.columns);
        throw ValueError(fmt::format("{}: {} has an element that is {}; all must be finite", op,
                                     which_matrix(stack.batch, index), static_cast<double>(*found)));
    }
}

void check_converged(const char* op, bool converged, const Stack& stack, std::size_t index) {
    if (!converged) {
        throw ValueError(
            fmt::format("{}: {}: LAPACK's iteration did not converge", op, which_matrix(stack.batch, index)));
    }
}

// ------------------------------------------------------------------------------------------------- Cholesky

template <class T>
struct CholeskyRule {
    static constexpr const char* name = "cholesky";
    // Murray, "Differentiation of the Cholesky decomposition" (2016), equation 10: the symmetric part of
    // L⁻ᵀ Φ(Lᵀ L̄) L⁻¹.
    void operator()(RuleContext& context) const {
        const Tensor<T> l = context.output<T>();
        const Tensor<T> inner = halved_lower(transposed_times(l, context.gradient<T>()));
        const Tensor<T> left = solve_triangular_unchecked(l, inner, true, true);
        context.give(0, symmetric_part(solve_triangular_unchecked(l, transposed(left), true, true)));
    }
};

// ------------------------------------------------------------------------------------------------- QR

struct QRParts {
    Part q;
    Part r;
    std::size_t size;

    explicit QRParts(const Stack& stack) {
        const std::size_t k = std::min(stack.rows, stack.columns);
        q = {0, stack.rows, k};
        r = {stack.rows * k, k, stack.columns};
        size = k * (stack.rows + stack.columns);
    }
};

template <class T>
struct QRRule {
    static constexpr const char* name = "qr";
    QRParts parts;

    // Walter and Lehmann, "On evaluating higher-order derivatives of the QR decomposition of tall matrices" (2010), and
    // Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020), for wide ones: there the
    // columns after the first k are Y = Q V, and their part of the gradient is taken off first.
    void operator()(RuleContext& context) const {
        const Tensor<T> packed = context.output<T>();
        const Tensor<T> g = context.gradient<T>();
        const Tensor<T> q = unpack(packed, parts.q);
        const Tensor<T> r = unpack(packed, parts.r);
        const Tensor<T> by_q = unpack(g, parts.q);
        const Tensor<T> by_r = unpack(g, parts.r);
        const std::size_t k = parts.r.rows;
        if (parts.r.columns <= k) {
            context.give(0, tall(q, r, by_q, by_r));
            return;
        }
        const auto first = [k](const Tensor<T>& x) { return view(x, xt::ellipsis(), xt::range(std::size_t{0}, k)); };
        const auto rest = [k, this](const Tensor<T>& x) {
            return view(x, xt::ellipsis(), xt::range(k, parts.r.columns));
        };
        const Tensor<T> through_v = by_q + times_transposed(matmul(q, rest(r)), rest(by_r));
        const Tensor<T> by_x = tall(q, first(r), through_v, first(by_r));
        context.give(0, concatenate({by_x, matmul(q, rest(by_r))}, -1));
    }

private:
    // (Q̄ + Q copyltu(M)) R⁻ᵀ with M = R R̄ᵀ - Q̄ᵀ Q, where copyltu mirrors the lower triangle.
    static Tensor<T> tall(const Tensor<T>& q, const Tensor<T>& r, const Tensor<T>& by_q, const Tensor<T>& by_r) {
        const Tensor<T> m = halved_lower(times_transposed(r, by_r) - transposed_times(by_q, q));
        const Tensor<T> inner = by_q + matmul(q, m + transposed(m));
        return transposed(solve_triangular_unchecked(r, transposed(inner), false, false));
    }
};

// ------------------------------------------------------------------------------------------------- spectra

// n / d where d vanishes only where singular values or eigenvalues coincide. There the gradient of a function that
// doesn't depend on the choice of vectors has n = 0, and takes no part; any other n is NaN. Both are meant up to
// roundoff, relative to the sizes given for each matrix.
template <class T>
Tensor<T> quotient(const Tensor<T>& numerator, const Tensor<T>& denominator, const Tensor<T>& numerator_size,
                   const Tensor<T>& denominator_size) {
    const Tensor<T> n = numerator.detach();
    const Tensor<T> d = broadcast_to(denominator.detach(), n.shape());
    const Stack stack = stack_of("linalg", n.shape());
    const std::size_t elements = stack.rows * stack.columns;
    const T roundoff = std::numeric_limits<T>::epsilon() * static_cast<T>(std::max(stack.rows, stack.columns));
    const Tensor<T> weight = Tensor<T>::uninitialized(n.shape());
    const Tensor<T> vanishing = Tensor<T>::uninitialized(n.shape());
    for (std::size_t i = 0; i < n.size(); ++i) {
        const T n_size = numerator_size.data()[i / elements];
        const T d_size = denominator_size.data()[i / elements];
        const bool vanishes = mutation::guard(std::abs(d.data()[i]) <= 8 * roundoff * d_size);
        const bool is_free = mutation::guard(std::abs(n.data()[i]) <= 64 * roundoff * n_size);
        raw(weight)[i] = vanishes ? (is_free ? T(0) : std::numeric_limits<T>::quiet_NaN()) : T(1);
        raw(vanishing)[i] = vanishes ? T(1) : T(0);
    }
    return numerator * (weight / select(TensorMask<T>{vanishing}, 1.0, denominator));
}

// The largest magnitude in each matrix, or each vector of values; 0 in an empty one. Not part of a graph.
template <class T>
Tensor<T> sizes(const Tensor<T>& x, const Shape& batch) {
    const Tensor<T> largest = zeros<T>(batch);
    const std::size_t each = largest.size() == 0 ? 1 : x.size() / largest.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
        T& so_far = raw(largest)[i / each];
        so_far = std::max(so_far, std::abs(x.data()[i]));
    }
    return largest;
}

// A - Aᵀ, halved.
template <class T>
Tensor<T> skew_part(const Tensor<T>& a) {
    return 0.5 * (a - transposed(a));
}

// (i, j) -> values[j] + sign values[i].
template <class T>
Tensor<T> pairwise(const Tensor<T>& values, double sign) {
    return expand_dims(values, -2) + sign * expand_dims(values, -1);
}

template <class T>
struct EighRule {
    static constexpr const char* name = "eigh";
    Part w;
    Part v;

    // Giles (2008), section 3.1: V (diag(w̄) + F ∘ VᵀV̄) Vᵀ with F = 1/(wⱼ - wᵢ), of which the symmetric part is F
    // times the skew part.
    void operator()(RuleContext& context) const {
        const Tensor<T> packed = context.output<T>();
        const Tensor<T> values = unpack_row(packed, w);
        const Tensor<T> vectors = unpack(packed, v);
        const Tensor<T> g = context.gradient<T>();
        const Tensor<T> turned = transposed_times(vectors, unpack(g, v));
        const Shape batch(packed.shape().begin(), packed.shape().end() - 1);
        const Tensor<T> rotation =
            quotient(skew_part(turned), pairwise(values, -1.0), sizes(turned, batch), sizes(values, batch));
        const Tensor<T> inner = matmul(vectors, rotation) + vectors * unpack(g, w);
        context.give(0, symmetric_part(times_transposed(inner, vectors)));
    }
};

struct SVDParts {
    Part u;
    Part s;
    Part vt;
    std::size_t size;

    explicit SVDParts(const Stack& stack) {
        const std::size_t k = std::min(stack.rows, stack.columns);
        u = {0, stack.rows, k};
        s = {stack.rows * k, 1, k};
        vt = {s.offset + k, k, stack.columns};
        size = k * (stack.rows + stack.columns + 1);
    }
};

template <class T>
struct SVDRule {
    static constexpr const char* name = "svd";
    SVDParts parts;

    // Giles (2008), section 3.2, with the terms of Townsend, "Differentiating the singular value decomposition" (2016),
    // for thin factors. With X and Y the skew parts of UᵀŪ and VᵀV̄, his (X S + S Y) ∘ 2/(sⱼ² - sᵢ²) is taken apart
    // into (X + Y)/(sⱼ - sᵢ) + (X - Y)/(sⱼ + sᵢ): turning U and V together changes nothing where sᵢ = sⱼ, and only
    // X + Y feels it; what remains has its derivative there.
    void operator()(RuleContext& context) const {
        const Tensor<T> packed = context.output<T>();
        const Tensor<T> g = context.gradient<T>();
        const Tensor<T> u = unpack(packed, parts.u);
        const Tensor<T> s = unpack_row(packed, parts.s);
        const Tensor<T> v = transposed(unpack(packed, parts.vt));
        const Tensor<T> by_u = unpack(g, parts.u);
        const Tensor<T> by_v = transposed(unpack(g, parts.vt));
        const Shape batch(packed.shape().begin(), packed.shape().end() - 1);
        const Tensor<T> largest = sizes(s, batch);

        const Tensor<T> in_u = transposed_times(u, by_u);
        const Tensor<T> in_v = transposed_times(v, by_v);
        const Tensor<T> in_both = elementwise::maximum(sizes(in_u, batch), sizes(in_v, batch));
        const Tensor<T> x = skew_part(in_u);
        const Tensor<T> y = skew_part(in_v);
        const Tensor<T> rotation =
            quotient(x + y, pairwise(s, -1.0), in_both, largest) + quotient(x - y, pairwise(s, 1.0), in_both, largest);
        Tensor<T> by_a = times_transposed(matmul(u, rotation) + u * unpack(g, parts.s), v);
        // What leaves the space that the thin U, or V, spans.
        const std::size_t k = parts.u.columns;
        const Tensor<T> divisor = expand_dims(s, -2);
        if (parts.u.rows > k) {
            const Tensor<T> outside = by_u - matmul(u, in_u);
            by_a = by_a + times_transposed(quotient(outside, divisor, sizes(by_u, batch), largest), v);
        }
        if (parts.vt.columns > k) {
            const Tensor<T> outside = by_v - matmul(v, in_v);
            by_a = by_a + times_transposed(u, quotient(outside, divisor, sizes(by_v, batch), largest));
        }
        context.give(0, by_a);
    }
};

template <class T>
struct PinvRule {
    static constexpr const char* name = "pinv";
    // Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
    // separate" (1973), equation 4.12, transposed: with P = A⁺,
    // Ā = -Pᵀ P̄ Pᵀ + (I - A P) P̄ᵀ P Pᵀ + Pᵀ P P̄ᵀ (I - P A).
    void operator()(RuleContext& context) const {
        const Tensor<T> a = context.input<T>(0);
        const Tensor<T> p = context.output<T>();
        const Tensor<T> g = context.gradient<T>();
        const Tensor<T> inner = times_transposed(transposed_times(p, g), p);
        const Tensor<T> left = transposed(matmul(times_transposed(p, p), g));   // P̄ᵀ P Pᵀ
        const Tensor<T> right = transposed(matmul(g, transposed_times(p, p)));  // Pᵀ P P̄ᵀ
        context.give(0, left - matmul(a, matmul(p, left)) + right - matmul(matmul(right, p), a) - inner);
    }
};

}  // namespace

template <class T>
Tensor<T> cholesky(const Tensor<T>& a) {
    const Stack stack = square_stack_of("cholesky", a.shape());
    const std::size_t n = stack.rows;
    Tensor<T> l = Tensor<T>::uninitialized(a.shape());
    for (std::size_t i = 0; n != 0 && i < stack.count(); ++i) {
        T* one = raw(l) + i * n * n;
        symmetrize(a.data() + i * n * n, one, n);
        const std::size_t pivot = lapack::cholesky(one, n);
        if (pivot != n) {
            throw ValueError(fmt::format("cholesky: {} is not positive definite: pivot {} is not positive",
                                         which_matrix(stack.batch, i), pivot));
        }
    }
    if (records(a)) {
        record(CholeskyRule<T>{}, l.body(), {{a}}, true);
    }
    return l;
}

template <class T>
std::pair<Tensor<T>, Tensor<T>> qr(const Tensor<T>& a) {
    const Stack stack = stack_of("qr", a.shape());
    const QRParts parts(stack);
    Tensor<T> packed = Tensor<T>::uninitialized(shape_of(stack.batch, {parts.size}));
    for (std::size_t i = 0; parts.size != 0 && i < stack.count(); ++i) {
        T* one = raw(packed) + i * parts.size;
        lapack::qr(a.data() + i * stack.rows * stack.columns, stack.rows, stack.columns, one + parts.q.offset,
                   one + parts.r.offset);
    }
    if (records(a)) {
        record(QRRule<T>{parts}, packed.body(), {{a}}, true);
    }
    return {unpack(packed, parts.q), unpack(packed, parts.r)};
}

template <class T>
std::tuple<Tensor<T>, Tensor<T>, Tensor<T>> svd(const Tensor<T>& a) {
    const Stack stack = stack_of("svd", a.shape());
    check_finite("svd", a, stack);
    const SVDParts parts(stack);
    Tensor<T> packed = Tensor<T>::uninitialized(shape_of(stack.batch, {parts.size}));
    for (std::size_t i = 0; parts.size != 0 && i < stack.count(); ++i) {
        T* one = raw(packed) + i * parts.size;
        const bool converged = lapack::svd(a.data() + i * stack.rows * stack.columns, stack.rows, stack.columns,
                                           one + parts.u.offset, one + parts.s.offset, one + parts.vt.offset);
        check_converged("svd", converged, stack, i);
    }
    if (records(a)) {
        record(SVDRule<T>{parts}, packed.body(), {{a}}, true);
    }
    return {unpack(packed, parts.u), unpack_row(packed, parts.s), unpack(packed, parts.vt)};
}

template <class T>
std::pair<Tensor<T>, Tensor<T>> eigh(const Tensor<T>& a) {
    const Stack stack = square_stack_of("eigh", a.shape());
    check_finite("eigh", a, stack);
    const std::size_t n = stack.rows;
    const Part w{0, 1, n};
    const Part v{n, n, n};
    const std::size_t size = n * (n + 1);
    Tensor<T> packed = Tensor<T>::uninitialized(shape_of(stack.batch, {size}));
    const Tensor<T> symmetric = Tensor<T>::uninitialized({n, n});
    for (std::size_t i = 0; n != 0 && i < stack.count(); ++i) {
        symmetrize(a.data() + i * n * n, raw(symmetric), n);
        T* one = raw(packed) + i * size;
        check_converged("eigh", lapack::eigh(symmetric.data(), n, one + w.offset, one + v.offset), stack, i);
    }
    if (records(a)) {
        record(EighRule<T>{w, v}, packed.body(), {{a}}, true);
    }
    return {unpack_row(packed, w), unpack(packed, v)};
}

template <class T>
Tensor<T> pinv(const Tensor<T>& a, double rcond) {
    const Stack stack = stack_of("pinv", a.shape());
    check_finite("pinv", a, stack);
    const auto [u, s, vt] = svd(a.detach());
    const T cutoff = rcond >= 0
                         ? static_cast<T>(rcond)
                         : std::numeric_limits<T>::epsilon() * static_cast<T>(std::max(stack.rows, stack.columns));
    const Tensor<T> largest = sizes(s, stack.batch);
    Tensor<T> inverted = Tensor<T>::uninitialized(s.shape());
    const std::size_t k = std::min(stack.rows, stack.columns);
    for (std::size_t i = 0; i < s.size(); ++i) {
        const T value = s.data()[i];
        raw(inverted)[i] = value > cutoff * largest.data()[i / k] ? T(1) / value : T(0);
    }
    Tensor<T> p = matmul_transposed(vt * expand_dims(inverted, -1), true, u, true);
    if (records(a)) {
        record(PinvRule<T>{}, p.body(), {{a, true}}, true);
    }
    return p;
}

#define XTAPE_INSTANTIATE(T)                                                    \
    template Tensor<T> cholesky(const Tensor<T>&);                              \
    template std::pair<Tensor<T>, Tensor<T>> qr(const Tensor<T>&);              \
    template std::tuple<Tensor<T>, Tensor<T>, Tensor<T>> svd(const Tensor<T>&); \
    template std::pair<Tensor<T>, Tensor<T>> eigh(const Tensor<T>&);            \
    template Tensor<T> pinv(const Tensor<T>&, double);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::linalg
