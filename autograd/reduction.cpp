#include <xtape/autograd/reduction.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction_impl.hpp>
#include <xtape/autograd/softmax.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// Neighbouring axes that are both reduced or both kept, as one; outermost first.

struct Groups {
    SmallVector<std::size_t> extents;
    SmallVector<std::size_t> reduced;

    Groups(const Shape& shape, const Reduction& reduction) {
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            const std::size_t is_reduced = reduction.is_reduced(axis) ? 1 : 0;
            if (!extents.empty() && reduced.back() == is_reduced) {
                extents[extents.size() - 1] *= shape[axis];
            } else {
                extents.push_back(shape[axis]);
                reduced.push_back(is_reduced);
            }
        }
        if (extents.empty()) {
            extents.push_back(1);
            reduced.push_back(1);
        }
    }
};

// Folds x into `out`, which holds the fold of nothing. `row` folds one run of contiguous elements to a number and
// `combine` adds it in; `columns` folds a matrix down its rows into a run.
template <class T, class Row, class Combine, class Columns>
void fold(const T* x, T* out, const Groups& groups, std::size_t group, Row row, Combine combine, Columns columns) {
    const std::size_t left = groups.extents.size() - group;
    const std::size_t extent = groups.extents[group];
    const bool reduced = groups.reduced[group] != 0;
    if (left == 1 && reduced) {
        *out = combine(*out, row(x, extent));
        return;
    }
    if (left == 1) {
        columns(x, out, 1, extent);
        return;
    }
    if (left == 2 && reduced) {
        columns(x, out, extent, groups.extents[group + 1]);
        return;
    }
    std::size_t inner = 1;
    std::size_t inner_out = 1;
    for (std::size_t g = group + 1; g < groups.extents.size(); ++g) {
        inner *= groups.extents[g];
        inner_out *= groups.reduced[g] != 0 ? 1 : groups.extents[g];
    }
    for (std::size_t i = 0; i < extent; ++i) {
        fold(x + i * inner, out + (reduced ? 0 : i * inner_out), groups, group + 1, row, combine, columns);
    }
}

// out = or += scale * g, repeated along the reduced axes.
template <class T>
void spread(const T* g, const Shape& kept, const Shape& shape, T scale, Accumulator<T> out) {
    const BroadcastPlan<1> plan(shape, {&kept});
    plan.for_each_row([&](std::size_t at, const std::array<std::size_t, 1>& offset) {
        const T* from = g + offset[0];
        T* to = out.data + at;
        const std::size_t step = plan.inner_steps[0];
        for (std::size_t i = 0; i < plan.inner; ++i) {
            to[i] = (out.add ? to[i] : T(0)) + scale * from[i * step];
        }
    });
}

template <class T>
struct SumRule {
    static constexpr const char* name = "sum";
    Shape kept;
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            context.give(0, broadcast_to(reshape(context.gradient<T>(), Axes(kept)), context.input_shape(0)));
        } else {
            spread(context.gradient_data<T>(), kept, context.input_shape(0), T(1), context.accumulator<T>(0));
        }
    }
};

template <class T>
struct MeanRule {
    static constexpr const char* name = "mean";
    Shape kept;
    T scale;
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            context.give(0, broadcast_to(reshape(context.gradient<T>() * scale, Axes(kept)), context.input_shape(0)));
        } else {
            spread(context.gradient_data<T>(), kept, context.input_shape(0), scale, context.accumulator<T>(0));
        }
    }
};

template <class T>
struct AmaxRule {
    static constexpr const char* name = "amax";
    Shape kept;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0).detach();
        const Tensor<T> y = reshape(context.output<T>().detach(), Axes(kept));
        // Where a NaN won, all the NaNs share; elsewhere all that equal the largest.
        const Tensor<T> chosen = select(is_nan(broadcast_to(y, x.shape())), is_nan(x).holds, is_equal(x, y).holds);
        const Tensor<T> winners = broadcast_to(reduce_to(chosen, kept), x.shape());
        const Tensor<T> g = broadcast_to(reshape(context.gradient<T>(), Axes(kept)), x.shape());
        context.give(0, select(TensorMask<T>{chosen}, g / winners, 0.0));
    }
};

template <class T>
Tensor<T> sum_over(const Tensor<T>& x, const Reduction& reduction, bool keep) {
    if (reduction.axes.empty()) {
        return x;
    }
    Tensor<T> y = Tensor<T>::uninitialized(keep ? reduction.kept : reduction.dropped);
    std::fill_n(raw(y), y.size(), T(0));
    const auto& kernels = kernels::active<T>().reduce;
    fold(
        x.data(), raw(y), Groups(x.shape(), reduction), 0, kernels.sum, [](T a, T b) { return a + b; },
        kernels.add_columns);
    return y;
}

template <class T>
Tensor<T> sum(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    Tensor<T> y = sum_over(x, reduction, keep);
    if (!reduction.axes.empty() && records(x)) {
        record(SumRule<T>{reduction.kept}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> mean(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    Tensor<T> y = sum_over(x, reduction, keep);
    if (reduction.axes.empty()) {
        return y;
    }
    const auto count = static_cast<T>(reduction.count);
    std::transform(raw(y), raw(y) + y.size(), raw(y), [count](T total) { return total / count; });
    if (records(x)) {
        record(MeanRule<T>{reduction.kept, T(1) / count}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> amax(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    if (reduction.count == 0) {
        throw ValueError(fmt::format(
            "amax: shape {} has no elements along the reduced axes, and nothing has no largest", to_string(x.shape())));
    }
    Tensor<T> y = Tensor<T>::uninitialized(keep ? reduction.kept : reduction.dropped);
    std::fill_n(raw(y), y.size(), -std::numeric_limits<T>::infinity());
    const auto& kernels = kernels::active<T>().reduce;
    fold(
        x.data(), raw(y), Groups(x.shape(), reduction), 0, kernels.amax,
        [](T a, T b) { return a != a || a > b ? a : b; }, kernels.amax_columns);
    if (records(x)) {
        record(AmaxRule<T>{reduction.kept}, y.body(), {{x, true}}, true);
    }
    return y;
}

template <class T>
Tensor<T> amin(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), axes);
    if (reduction.count == 0 && !reduction.axes.empty()) {
        throw ValueError(
            fmt::format("amin: shape {} has no elements along the reduced axes, and nothing has no smallest",
                        to_string(x.shape())));
    }
    return -amax(-x, std::move(axes), keep);
}

template <class T>
Tensor<T> logsumexp(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    const Tensor<T> y = logsumexp_rows(as_rows(x, reduction));
    return keep ? reshape(y, Axes(reduction.kept)) : y;
}

}  // namespace

XTAPE_REDUCTION(sum)
XTAPE_REDUCTION(mean)
XTAPE_REDUCTION(amax)
XTAPE_REDUCTION(amin)
XTAPE_REDUCTION(logsumexp)
#undef XTAPE_REDUCTION

}  // namespace xtape
