#include <cmath>
#include <limits>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction_impl.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// Halves multiplied elementwise until one is left: only products, so that gradients of every order are exact at zeros.
template <class T>
Tensor<T> prod(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    Tensor<T> rows = as_rows(x, reduction);
    const auto part = [&](std::size_t start, std::size_t stop) {
        return view(rows, xt::ellipsis(), xt::range(start, stop));
    };
    for (std::size_t n = reduction.count; n > 1; n = (n + 1) / 2) {
        const Tensor<T> product = part(0, n / 2) * part(n / 2, n / 2 * 2);
        rows = n % 2 == 0 ? product : concatenate({product, part(n - 1, n)}, -1);
    }
    if (reduction.count == 0) {
        rows = sum(rows, Axes{-1}, keep_dims) + T(1);
    }
    return reshape(rows, Axes(keep ? reduction.kept : reduction.dropped));
}

template <class T>
Tensor<T> norm_l1(const Tensor<T>& x, Shape axes, bool keep) {
    return keep ? sum(abs(x), Axes(axes), keep_dims) : sum(abs(x), Axes(axes));
}

template <class T>
Tensor<T> norm_sq(const Tensor<T>& x, Shape axes, bool keep) {
    return keep ? sum(square(x), Axes(axes), keep_dims) : sum(square(x), Axes(axes));
}

template <class T>
struct NormL2Rule {
    static constexpr const char* name = "norm_l2";
    Shape kept;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0);
        const Tensor<T> y = context.output<T>();
        const Tensor<T> share = select(is_equal(y, 0.0), 0.0, context.gradient<T>() / y);
        context.give(0, strong(broadcast_to(reshape(share, Axes(kept)), x.shape()), x));
    }
};

template <class T>
Tensor<T> norm_l2(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), axes);
    if (axes.empty()) {
        return abs(x);
    }
    const Tensor<T> data = x.detach();
    Tensor<T> y = sqrt(norm_sq(data, axes, keep));
    // Squares that leave T's range: again, with the largest magnitude outside the root.
    const bool in_range = std::all_of(y.data(), y.data() + y.size(), [](T length) {
        return length < std::sqrt(std::numeric_limits<T>::max()) &&
               length > std::sqrt(std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon());
    });
    if (!in_range && reduction.count > 0) {
        const Tensor<T> largest = amax(abs(data), Axes(axes), keep_dims);
        const Tensor<T> scale = select(is_equal(largest, 0.0), 1.0, largest);
        y = reshape(scale * sqrt(norm_sq(data / scale, axes, true)), Axes(y.shape()));
        y = select(is_equal(reshape(largest, Axes(y.shape())), std::numeric_limits<double>::infinity()),
                   std::numeric_limits<double>::infinity(), y);
    }
    if (records(x)) {
        record(NormL2Rule<T>{reduction.kept}, y.body(), {{x, true}}, true);
    }
    return y;
}

template <class T>
Tensor<T> centred(const Tensor<T>& x, const Shape& axes) {
    return x - mean(x, Axes(axes), keep_dims);
}

template <class T>
T degrees_of_freedom(const Reduction& reduction, std::size_t ddof) {
    return static_cast<T>(reduction.count > ddof ? reduction.count - ddof : 0);
}

template <class T>
Tensor<T> variance(const Tensor<T>& x, const Shape& axes, std::size_t ddof, bool keep) {
    return norm_sq(centred(x, axes), axes, keep) / degrees_of_freedom<T>(Reduction(x.shape(), axes), ddof);
}

// Not the root of the variance: a norm has gradient 0 where the elements are all the same.
template <class T>
Tensor<T> stddev(const Tensor<T>& x, const Shape& axes, std::size_t ddof, bool keep) {
    return norm_l2(centred(x, axes), axes, keep) / std::sqrt(degrees_of_freedom<T>(Reduction(x.shape(), axes), ddof));
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
