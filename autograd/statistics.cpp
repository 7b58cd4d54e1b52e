#include <algorithm>
#include <cmath>
#include <limits>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction_impl.hpp>
#include <xtape/autograd/strided.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// The gradient by each element of rows, from that by their products: down the tree whose leaves are the elements and
// whose nodes are products of two. Nothing is divided, so that zeros are exact to every order.
template <class T>
Tensor<T> pull_products(const Tensor<T>& rows, const Tensor<T>& g) {
    const std::size_t n = rows.shape().back();
    if (n <= 1) {
        return g;
    }
    const auto part = [](const Tensor<T>& of, std::size_t start, std::size_t stop) {
        return view(of, xt::ellipsis(), xt::range(start, stop));
    };
    const std::size_t half = n / 2;
    const Tensor<T> left = part(rows, 0, half);
    const Tensor<T> right = part(rows, half, 2 * half);
    if (n % 2 == 0) {
        const Tensor<T> by_product = n == 2 ? g : pull_products(left * right, g);
        return concatenate({strong(by_product, right), strong(by_product, left)}, -1);
    }
    const Tensor<T> by_node = pull_products(concatenate({left * right, part(rows, n - 1, n)}, -1), g);
    const Tensor<T> by_product = part(by_node, 0, half);
    return concatenate({strong(by_product, right), strong(by_product, left), part(by_node, half, half + 1)}, -1);
}

template <class T>
struct ProductRule {
    static constexpr const char* name = "prod";
    Shape axes;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0);
        const Tensor<T> g = context.gradient<T>();
        const Reduction reduction(x.shape(), axes);
        const Rows rows(x.shape(), reduction);
        context.give(
            0, reduction.count == 0
                   ? broadcast_to(reshape(g, Axes(reduction.kept)), x.shape())
                   : rows.back(pull_products(rows.from(x), expand_dims(reshape(g, Axes(reduction.dropped)), -1))));
    }
};

template <class T>
Tensor<T> prod(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    Tensor<T> y = folded(x, reduction, keep, kernels::active<T>().reduce.product);
    if (records(x)) {
        record(ProductRule<T>{reduction.axes}, y.body(), {{x, true}});
    }
    return y;
}

// Of Σ f(x), by f's elementwise rule.
template <class Rule, class T>
struct SumOfRule {
    static constexpr const char* name = __is_same(Rule, Abs) ? "norm_l1" : "norm_sq";
    Shape kept;
    void operator()(RuleContext& context) const {
        const Tensor<T> g = broadcast_to(reshape(context.gradient<T>(), Axes(kept)), context.input_shape(0));
        if (context.creates_graph()) {
            const Tensor<T> x = context.input<T>(0);
            if constexpr (requires { Rule::pullback(g, x, x); }) {
                context.give(0, Rule::pullback(g, x, x));
            } else {
                context.give(0, strong(g, Rule::derivative(x, x)));
            }
            return;
        }
        const Accumulator<T> out = context.accumulator<T>(0);
        kernels::unary<Rule, T>().backward(g.data(), context.saved_data<T>(0), nullptr, out.data, g.size(), out.add);
    }
};

template <class Rule, class T>
Tensor<T> sum_of(const Tensor<T>& x, Shape axes, bool keep, const kernels::Fold<T>& fold) {
    const Reduction reduction(x.shape(), std::move(axes));
    Tensor<T> y = folded(x, reduction, keep, fold);
    if (records(x)) {
        record(SumOfRule<Rule, T>{reduction.kept}, y.body(), {{x, true}});
    }
    return y;
}

template <class T>
Tensor<T> norm_l1(const Tensor<T>& x, Shape axes, bool keep) {
    return sum_of<Abs>(x, std::move(axes), keep, kernels::active<T>().reduce.magnitudes);
}

template <class T>
Tensor<T> norm_sq(const Tensor<T>& x, Shape axes, bool keep) {
    return sum_of<Square>(x, std::move(axes), keep, kernels::active<T>().reduce.squares);
}

template <class T>
Tensor<T> centred(const Tensor<T>& x, const Shape& axes) {
    return x - mean(x, Axes(axes), keep_dims);
}

// Of the length of x, or of x - mean.
template <class T>
struct LengthRule {
    static constexpr const char* name = "norm_l2";
    Shape axes;
    bool about_mean;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0);
        const Tensor<T> y = context.output<T>();
        const Tensor<T> share = select(is_equal(y, 0.0), 0.0, context.gradient<T>() / y);
        context.give(0,
                     strong(reshape(share, Axes(Reduction(x.shape(), axes).kept)), about_mean ? centred(x, axes) : x));
    }
};

// The roots of sums of squares of data - centre; where those left T's range, again with the largest magnitude outside
// the root.
template <class T>
void take_roots(Tensor<T>& y, const Tensor<T>& data, const Tensor<T>& centre, const Reduction& reduction) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const T most = std::sqrt(std::numeric_limits<T>::max());
    const T least = std::sqrt(std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon());
    std::transform(raw(y), raw(y) + y.size(), raw(y), [](T squares) { return std::sqrt(squares); });
    const auto in_range = [=](T length) { return length < most && length > least; };
    if (reduction.count == 0 || std::all_of(y.data(), y.data() + y.size(), in_range)) {
        return;
    }
    const Tensor<T> x = data - centre;
    const Tensor<T> largest = amax(abs(x), Axes(reduction.axes), keep_dims);
    const Tensor<T> scale = select(is_equal(largest, 0.0), 1.0, largest);
    const Tensor<T> length = scale * sqrt(norm_sq(x / scale, Axes(reduction.axes), keep_dims));
    std::transform(largest.data(), largest.data() + y.size(), length.data(), raw(y),
                   [](T peak, T root) { return peak == infinity ? infinity : root; });
}

template <class T>
Tensor<T> norm_l2(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return abs(x);
    }
    Tensor<T> y = folded(x, reduction, keep, kernels::active<T>().reduce.squares);
    take_roots(y, x.detach(), Tensor<T>(T(0)), reduction);
    if (records(x)) {
        record(LengthRule<T>{reduction.axes, false}, y.body(), {{x, true}}, true);
    }
    return y;
}

// Σ (x - mean)², and the means, by two passes over x. The means come from deviations from each first element, so that
// equal elements give 0 exactly; what the means' rounding adds to the squares is taken off again (Chan, Golub and
// LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983).
template <class T>
struct Deviations {
    Tensor<T> means;
    Tensor<T> squares;

    Deviations(const Tensor<T>& x, const Reduction& reduction, bool keep) {
        const auto& reduce = kernels::active<T>().reduce;
        if (reduction.count == 0) {
            squares = folded(x, reduction, keep, reduce.sum);
            return;
        }
        const auto count = static_cast<T>(reduction.count);
        const Tensor<T> first = gather(x, {.extents = reduction.kept, .strides = contiguous_strides(x.shape())});
        const Tensor<T> offset = folded(x, reduction, true, reduce.deviations, &first) / count;
        means = first + offset;
        squares = folded(x, reduction, keep, reduce.squared_deviations, &means);
        const Tensor<T> rest = (first - means) + offset;
        for (std::size_t i = 0; i < rest.size(); ++i) {
            const T excess = count * rest.data()[i] * rest.data()[i];
            raw(squares)[i] -= std::isfinite(excess) ? excess : T(0);
        }
    }
};

template <class T>
struct VarianceRule {
    static constexpr const char* name = "variance";
    Shape axes;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0);
        const Tensor<T> g = reshape(context.gradient<T>(), Axes(Reduction(x.shape(), axes).kept));
        context.give(0, strong(g, 2.0 * centred(x, axes)));
    }
};

// What degrees of freedom divide.
template <class T>
T degrees_of_freedom(const Reduction& reduction, std::size_t ddof) {
    return static_cast<T>(reduction.count > ddof ? reduction.count - ddof : 0);
}

template <class T>
Tensor<T> variance(const Tensor<T>& x, Shape axes, std::size_t ddof, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    const Tensor<T> y = Deviations<T>(x.detach(), reduction, keep).squares;
    if (records(x)) {
        record(VarianceRule<T>{reduction.axes}, y.body(), {{x, true}});
    }
    return y / degrees_of_freedom<T>(reduction, ddof);
}

// Not the root of the variance: a length has gradient 0 where the elements are all the same.
template <class T>
Tensor<T> stddev(const Tensor<T>& x, Shape axes, std::size_t ddof, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    Deviations<T> deviations(x.detach(), reduction, keep);
    Tensor<T>& y = deviations.squares;
    take_roots(y, x.detach(), deviations.means, reduction);
    if (records(x)) {
        record(LengthRule<T>{reduction.axes, true}, y.body(), {{x, true}}, true);
    }
    return y / std::sqrt(degrees_of_freedom<T>(reduction, ddof));
}

}  // namespace

XTAPE_REDUCTION(prod)
XTAPE_REDUCTION(norm_l1)
XTAPE_REDUCTION(norm_l2)
XTAPE_REDUCTION(norm_sq)

#define XTAPE_MOMENT(op)                                                                 \
    template <class T>                                                                   \
    Tensor<T> op(const Tensor<T>& x) {                                                   \
        return op(x, all_axes(x.shape()), 0, false);                                     \
    }                                                                                    \
    template <class T>                                                                   \
    Tensor<T> op(const Tensor<T>& x, const Axes& axes, std::size_t ddof) {               \
        return op(x, normalize_axes(#op, axes, x.shape()), ddof, false);                 \
    }                                                                                    \
    template <class T>                                                                   \
    Tensor<T> op(const Tensor<T>& x, const Axes& axes, std::size_t ddof, KeepDims) {     \
        return op(x, normalize_axes(#op, axes, x.shape()), ddof, true);                  \
    }                                                                                    \
    template Tensor<float> op(const Tensor<float>&);                                     \
    template Tensor<float> op(const Tensor<float>&, const Axes&, std::size_t);           \
    template Tensor<float> op(const Tensor<float>&, const Axes&, std::size_t, KeepDims); \
    template Tensor<double> op(const Tensor<double>&);                                   \
    template Tensor<double> op(const Tensor<double>&, const Axes&, std::size_t);         \
    template Tensor<double> op(const Tensor<double>&, const Axes&, std::size_t, KeepDims);

XTAPE_MOMENT(variance)
XTAPE_MOMENT(stddev)
#undef XTAPE_MOMENT

}  // namespace xtape
