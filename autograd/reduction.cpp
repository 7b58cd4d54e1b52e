#include <xtape/autograd/reduction.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction_impl.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// Runs stage(from, to, extents) until every reduced axis is gone, innermost axes first; neighbours that are reduced
// together count as one.
template <class T, class Stage>
Tensor<T> in_stages(const Tensor<T>& x, const Reduction& reduction, bool keep, Stage stage) {
    const Shape& shape = x.shape();
    std::size_t axis = shape.size();
    const auto join = [&](bool reduced) {
        std::size_t extent = 1;
        while (axis > 0 && (shape[axis - 1] == 1 || reduction.is_reduced(axis - 1) == reduced)) {
            extent *= shape[--axis];
        }
        return extent;
    };
    kernels::Extents extents{.outer = 1, .extent = 1, .inner = 1};
    Tensor<T> from = x;
    for (;;) {
        extents.inner *= join(false);
        extents.extent = join(true);
        extents.outer = 1;
        Shape partly = reduction.kept;
        bool last = true;
        for (std::size_t left = 0; left < axis; ++left) {
            extents.outer *= shape[left];
            partly[left] = shape[left];
            last = last && (shape[left] == 1 || !reduction.is_reduced(left));
        }
        Tensor<T> to = Tensor<T>::uninitialized(!last ? partly : keep ? reduction.kept : reduction.dropped);
        stage(from, to, extents);
        if (last) {
            return to;
        }
        from = std::move(to);
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

template <class T, bool largest>
struct ExtremeRule {
    static constexpr const char* name = largest ? "amax" : "amin";
    Shape kept;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0).detach();
        const Tensor<T> y = reshape(context.output<T>().detach(), Axes(kept));
        // Where a NaN won, all the NaNs share; elsewhere all that equal the extreme.
        const Tensor<T> chosen = select(is_nan(broadcast_to(y, x.shape())), is_nan(x).holds, is_equal(x, y).holds);
        const Tensor<T> winners = broadcast_to(reduce_to(chosen, kept), x.shape());
        const Tensor<T> g = broadcast_to(reshape(context.gradient<T>(), Axes(kept)), x.shape());
        context.give(0, select(TensorMask<T>{chosen}, g / winners, 0.0));
    }
};

template <class T>
struct LogsumexpRule {
    static constexpr const char* name = "logsumexp";
    Shape axes;
    void operator()(RuleContext& context) const {
        const Tensor<T> x = context.input<T>(0);
        const Reduction reduction(x.shape(), axes);
        const Rows rows(x.shape(), reduction);
        context.give(0, strong(reshape(context.gradient<T>(), Axes(reduction.kept)),
                               rows.back(logsumexp_weights(rows.from(x)))));
    }
};

template <class T>
Tensor<T> sum(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    Tensor<T> y = folded(x, reduction, keep, kernels::active<T>().reduce.sum);
    if (records(x)) {
        record(SumRule<T>{reduction.kept}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> mean(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    Tensor<T> y = folded(x, reduction, keep, kernels::active<T>().reduce.sum);
    const auto count = static_cast<T>(reduction.count);
    std::transform(raw(y), raw(y) + y.size(), raw(y), [count](T total) { return total / count; });
    if (records(x)) {
        record(MeanRule<T>{reduction.kept, T(1) / count}, y.body(), {{x}});
    }
    return y;
}

template <bool largest, class T>
Tensor<T> extreme(const Tensor<T>& x, Shape axes, bool keep) {
    using Rule = ExtremeRule<T, largest>;
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    if (reduction.count == 0) {
        throw ValueError(fmt::format("{}: shape {} has no elements along the reduced axes, and nothing has no {}",
                                     Rule::name, to_string(x.shape()), largest ? "largest" : "smallest"));
    }
    const auto& reduce = kernels::active<T>().reduce;
    Tensor<T> y = folded(x, reduction, keep, largest ? reduce.largest : reduce.smallest);
    if (records(x)) {
        record(Rule{reduction.kept}, y.body(), {{x, true}}, true);
    }
    return y;
}

template <class T>
Tensor<T> amax(const Tensor<T>& x, Shape axes, bool keep) {
    return extreme<true>(x, std::move(axes), keep);
}

template <class T>
Tensor<T> amin(const Tensor<T>& x, Shape axes, bool keep) {
    return extreme<false>(x, std::move(axes), keep);
}

template <class T>
Tensor<T> logsumexp(const Tensor<T>& x, Shape axes, bool keep) {
    const Reduction reduction(x.shape(), std::move(axes));
    if (reduction.axes.empty()) {
        return x;
    }
    const auto kernel = kernels::active<T>().rows.logsumexp;
    Tensor<T> y =
        in_stages(x, reduction, keep, [kernel](const Tensor<T>& from, const Tensor<T>& to, kernels::Extents extents) {
            kernel(from.data(), raw(to), extents);
        });
    if (records(x)) {
        record(LogsumexpRule<T>{reduction.axes}, y.body(), {{x, true}});
    }
    return y;
}

}  // namespace

namespace {
// One fold on several threads: of many results each thread makes some; of few, whose elements are many, the elements
// are folded in pieces whose number does not depend on the threads, and then the pieces.
template <class T, class Kernel>
void fold_on_threads(Kernel kernel, const kernels::Fold<T>& fold, const T* x, const T* centre, T* out,
                     kernels::Extents extents) {
    const auto [outer, extent, inner] = extents;
    constexpr std::size_t piece = 64 * 1024;  // elements
    if (outer == 1 && extent * inner >= 4 * piece && inner <= piece / 16) {
        const std::size_t rows = piece / inner;
        const std::size_t pieces = (extent + rows - 1) / rows;
        const Tensor<T> parts = Tensor<T>::uninitialized({pieces, inner});
        parallel::for_ranges(pieces, piece, [=, parts = raw(parts)](std::size_t first, std::size_t end) {
            for (std::size_t i = first; i < end; ++i) {
                kernel(x + i * rows * inner, centre, parts + i * inner, {1, std::min(rows, extent - i * rows), inner});
            }
        });
        fold.results(parts.data(), nullptr, out, {1, pieces, inner});
        return;
    }
    parallel::for_ranges(outer, extent * inner, [=](std::size_t first, std::size_t end) {
        kernel(x + first * extent * inner, centre == nullptr ? nullptr : centre + first * inner, out + first * inner,
               {end - first, extent, inner});
    });
}
}  // namespace

template <class T>
Tensor<T> folded(const Tensor<T>& x, const Reduction& reduction, bool keep, const kernels::Fold<T>& fold,
                 const Tensor<T>* centre) {
    auto kernel = fold.elements;
    return in_stages(x, reduction, keep, [&](const Tensor<T>& from, const Tensor<T>& to, kernels::Extents extents) {
        if (centre == nullptr) {
            fold_on_threads<T>(kernel, fold, from.data(), nullptr, raw(to), extents);
        } else {
            const bool final = centre->size() == to.size();
            const Tensor<T> centres = final ? *centre : broadcast_to(*centre, to.shape());
            fold_on_threads<T>(kernel, fold, from.data(), centres.data(), raw(to), extents);
            centre = nullptr;
        }
        kernel = fold.results;
    });
}
template Tensor<float> folded(const Tensor<float>&, const Reduction&, bool, const kernels::Fold<float>&,
                              const Tensor<float>*);
template Tensor<double> folded(const Tensor<double>&, const Reduction&, bool, const kernels::Fold<double>&,
                               const Tensor<double>*);

XTAPE_REDUCTION(sum)
XTAPE_REDUCTION(mean)
XTAPE_REDUCTION(amax)
XTAPE_REDUCTION(amin)
XTAPE_REDUCTION(logsumexp)
#undef XTAPE_REDUCTION

}  // namespace xtape
