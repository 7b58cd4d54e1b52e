#pragma once

#include <cstddef>
#include <cstdint>

#include <xtape/autograd/rules.hpp>

/// Loops over raw memory, compiled once per instruction set and chosen when the program first needs one. They know no
/// tape.
namespace xtape::kernels {

template <class T>
struct UnaryKernels {
    /// y[i] = f(x[i])
    void (*forward)(const T* x, T* y, std::size_t n);
    /// out[i] = or += g[i] f'(x[i]); x or y is null where the rule does not need it; out may be g.
    void (*backward)(const T* g, const T* x, const T* y, T* out, std::size_t n, bool add);
};

/// How two operands advance along a row: 1, or 0 for one that is the same in the whole row. (In one register.)
struct Steps {
    std::uint32_t a;
    std::uint32_t b;
};

template <class T>
struct BinaryKernels {
    void (*forward)(const T* a, const T* b, T* y, std::size_t n, Steps steps);
    /// out[i] = or += the gradient by a or b at each place of the output; operands that the rule does not need are
    /// null.
    void (*left)(const T* g, const T* a, const T* b, const T* y, T* out, std::size_t n, Steps steps, bool add);
    void (*right)(const T* g, const T* a, const T* b, const T* y, T* out, std::size_t n, Steps steps, bool add);
};

template <class T>
struct ElementwiseKernels {
    UnaryKernels<T> unary[UnaryRules::size];
    BinaryKernels<T> binary[BinaryRules::size];
    /// sine[i] = sin(x[i]) and cosine[i] = cos(x[i]), in little more time than one of them
    void (*sine_and_cosine)(const T* x, T* sine, T* cosine, std::size_t n);
    /// y[i] = condition[i] != 0 ? a[i] : b[i]
    void (*select)(const T* condition, const T* a, const T* b, T* y, std::size_t n, Steps steps);
    /// y[i] = x[i], or the bound that it is beyond
    void (*clip)(const T* x, T* y, std::size_t n, T lo, T hi);
    /// out[i] = or += g[i] where x[i] is within the bounds; out may be g.
    void (*clip_backward)(const T* g, const T* x, T* out, std::size_t n, T lo, T hi, bool add);
};

/// An array (outer, extent, inner) that is reduced along its middle axis, to (outer, inner).
struct Extents {
    std::size_t outer;
    std::size_t extent;
    std::size_t inner;
};

/// A fold of the numbers along an axis to one: a sum, or the like. Long sums are taken pairwise.
template <class T>
struct Fold {
    /// out[i, k] = the fold of x[i, j, k] over j; of deviations, those from centre[i, k], which the others don't read.
    void (*elements)(const T* x, const T* centre, T* out, Extents extents);
    /// The same for results of `elements` in the place of numbers.
    void (*results)(const T* x, const T* centre, T* out, Extents extents);
};

template <class T>
struct ReduceKernels {
    Fold<T> sum;
    Fold<T> product;
    Fold<T> largest;   // -inf of nothing; NaN if any is
    Fold<T> smallest;  // likewise
    Fold<T> magnitudes;
    Fold<T> squares;
    Fold<T> deviations;
    Fold<T> squared_deviations;
    /// out[j] += sum over i of x[i][j]
    void (*add_columns)(const T* x, T* out, std::size_t rows, std::size_t columns);
};

/// What the entries of an all-infinite row weigh in softmax_rows.
enum class Infinite {
    nan,     // softmax by its definition
    shared,  // the derivative of logsumexp: nothing at -inf, equal shares of +inf
};

template <class T>
struct RowKernels {
    /// out[i, k] = log(sum over j of exp(x[i, j, k])): -inf of nothing, +inf if one is and none is NaN
    void (*logsumexp)(const T* x, T* out, Extents extents);
    /// y[i][j] = exp(x[i][j]) / sum over j
    void (*softmax)(const T* x, T* y, std::size_t rows, std::size_t columns, Infinite infinite);
    /// loss[i] = -log softmax(x)[i][labels[i]], exact however large x is
    void (*cross_entropy)(const T* x, const std::int64_t* labels, T* loss, std::size_t rows, std::size_t columns);
    /// out[i][j] = or += g[i] softmax(x)[i][j], 0 where g[i] is
    void (*scaled_softmax)(const T* x, const T* g, T* out, std::size_t rows, std::size_t columns, bool add);
    /// out = or += y (g - sum over j of g y)
    void (*softmax_backward)(const T* g, const T* y, T* out, std::size_t rows, std::size_t columns, bool add);
    /// y[i][j] = x[i][j] - lse[i]
    void (*log_softmax)(const T* x, T* y, std::size_t rows, std::size_t columns);
    /// out = or += g - exp(y) sum over j of g
    void (*log_softmax_backward)(const T* g, const T* y, T* out, std::size_t rows, std::size_t columns, bool add);
};

/// As many elements may the right operand of a small product have.
inline constexpr std::size_t largest_small_operand = 1024;

template <class T>
struct ProductKernels {
    /// c (m, n) = or += a (m, k) b (k, n), row-major, a and b read transposed if asked: for products so small that what
    /// BLAS does before it begins takes longer than they do.
    void (*small)(const T* a, bool a_transposed, const T* b, bool b_transposed, T* c, std::size_t m, std::size_t n,
                  std::size_t k, bool add);
};

/// One step of momentum SGD on one parameter.
struct SgdStep {
    double lr;
    double momentum;
    double dampening;
    double weight_decay;
    bool nesterov;
    bool first;             // then the velocity is the gradient
    bool maximize = false;  // then the gradient counts with the other sign, here and below
};

/// One step of Adam or AdamW on one parameter, at its t-th step.
struct AdamStep {
    double step_size;   // lr / (1 - beta1^t)
    double root_scale;  // 1 / sqrt(1 - beta2^t)
    double beta1;
    double beta2;
    double eps;
    double weight_decay;  // into the gradient
    double shrink;        // what the parameter is multiplied by beforehand: the decoupled weight decay
    bool maximize;
};

struct RmspropStep {
    double lr;
    double alpha;
    double eps;
    double weight_decay;
    double momentum;
    bool maximize;
};

struct AdagradStep {
    double lr;  // decayed
    double eps;
    double weight_decay;
    bool maximize;
};

template <class T>
struct UpdateKernels {
    /// theta and velocity (null without momentum) from the gradient, in one pass.
    void (*sgd)(T* theta, T* velocity, const T* gradient, std::size_t n, SgdStep step);
    /// Likewise, with averages of gradients and of their squares; `largest` (of the squares' averages so far) is null
    /// unless AMSGrad is wanted.
    void (*adam)(T* theta, T* average, T* square_average, T* largest, const T* gradient, std::size_t n, AdamStep step);
    /// `velocity` is null without momentum, `average` unless the squares are to be centred.
    void (*rmsprop)(T* theta, T* square_average, T* velocity, T* average, const T* gradient, std::size_t n,
                    RmspropStep step);
    void (*adagrad)(T* theta, T* square_sum, const T* gradient, std::size_t n, AdagradStep step);
};

template <class T>
struct Kernels {
    ElementwiseKernels<T> elementwise;
    ReduceKernels<T> reduce;
    RowKernels<T> rows;
    ProductKernels<T> product;
    UpdateKernels<T> update;
};

namespace detail {
template <class T>
inline constinit const Kernels<T>* chosen = nullptr;
template <class T>
const Kernels<T>& choose();
}  // namespace detail

/// The kernels of the widest instruction set that this processor has, or of the one that the environment's XTAPE_SIMD
/// names (sse2, avx2, avx512). Throws ValueError if that one is unknown or missing here.
template <class T>
[[nodiscard]] inline const Kernels<T>& active() {
    const Kernels<T>* chosen = __atomic_load_n(&detail::chosen<T>, __ATOMIC_ACQUIRE);
    return chosen != nullptr ? *chosen : detail::choose<T>();
}

template <class Rule, class T>
[[nodiscard]] const UnaryKernels<T>& unary() {
    return active<T>().elementwise.unary[UnaryRules::index_of<Rule>];
}
template <class Rule, class T>
[[nodiscard]] const BinaryKernels<T>& binary() {
    return active<T>().elementwise.binary[BinaryRules::index_of<Rule>];
}

/// "sse2", "avx2", "avx512" or "generic": what `active` chose.
[[nodiscard]] const char* instruction_set();

}  // namespace xtape::kernels
