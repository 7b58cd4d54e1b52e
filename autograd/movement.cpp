#include <xtape/autograd/movement.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape {
namespace {

template <class T>
struct ReshapeRule {
    static constexpr const char* name = "reshape";
    void operator()(RuleContext& context) const {
        context.give(0, reshape(context.gradient<T>(), Axes(context.input_shape(0))));
    }
};

// The same buffer under another shape.
template <class T>
Tensor<T> reshaped(const Tensor<T>& x, const Shape& shape) {
    Tensor<T> y(bodies::make(dtype_of<T>, shape, x.body().storage));
    if (records(x)) {
        record(ReshapeRule<T>{}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> copy_strided(const Tensor<T>& x, const StridedLayout& layout) {
    Tensor<T> y = Tensor<T>::uninitialized(layout.extents);
    for_each_strided(x.data(), layout, raw(y), [](const T& from, T& to) { to = from; });
    return y;
}

Axes inverse(const Axes& permutation) {
    Axes inverted = permutation;
    for (std::size_t i = 0; i < permutation.size(); ++i) {
        inverted[static_cast<std::size_t>(permutation[i])] = static_cast<std::ptrdiff_t>(i);
    }
    return inverted;
}

template <class T>
struct TransposeRule {
    static constexpr const char* name = "transpose";
    Axes permutation;
    void operator()(RuleContext& context) const {
        context.give(0, transpose(context.gradient<T>(), inverse(permutation)));
    }
};

template <class T>
struct BroadcastRule {
    static constexpr const char* name = "broadcast_to";
    // The engine sums a gradient back to its input's shape.
    void operator()(RuleContext& context) const { context.give(0, context.gradient<T>()); }
};

template <class T>
struct GatherRule {
    static constexpr const char* name = "view";
    StridedLayout layout;
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            context.give(0, scatter(context.gradient<T>(), layout, context.input_shape(0)));
            return;
        }
        const Accumulator<T> out = context.accumulator<T>(0);
        if (!out.add) {
            std::fill_n(out.data, element_count(context.input_shape(0)), T(0));
        }
        for_each_strided(out.data, layout, context.gradient_data<T>(), [](T& to, const T& from) { to += from; });
    }
};

template <class T>
struct ScatterRule {
    static constexpr const char* name = "scatter";
    StridedLayout layout;
    void operator()(RuleContext& context) const { context.give(0, gather(context.gradient<T>(), layout)); }
};

template <class T>
struct ConcatenateRule {
    static constexpr const char* name = "concatenate";
    std::size_t axis;
    Shape lengths;  // of the inputs, along the axis
    void operator()(RuleContext& context) const {
        const Tensor<T> g = context.gradient<T>();
        StridedLayout part{.extents = g.shape(), .strides = contiguous_strides(g.shape()), .offset = 0};
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            part.extents[axis] = lengths[i];
            if (context.wants(i)) {
                context.give(i, gather(g, part));
            }
            part.offset += static_cast<std::ptrdiff_t>(lengths[i]) * part.strides[axis];
        }
    }
};

}  // namespace

template <class T>
Tensor<T> reshape(const Tensor<T>& x, const Axes& wanted) {
    Shape shape;
    std::size_t open = wanted.size();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] < -1 || (wanted[i] == -1 && open != wanted.size())) {
            throw ShapeError(fmt::format("reshape: {} to {}: one extent at most may be -1, and none less",
                                         to_string(x.shape()), to_string(wanted)));
        }
        if (wanted[i] == -1) {
            open = i;
            shape.push_back(1);
        } else {
            shape.push_back(static_cast<std::size_t>(wanted[i]));
        }
    }
    const std::size_t known = element_count(shape);
    if (open != wanted.size() && known != 0) {
        shape[open] = x.size() / known;
    }
    if (element_count(shape) != x.size() || (open != wanted.size() && known == 0)) {
        throw ShapeError(fmt::format("reshape: {} has {} elements and can't become {}", to_string(x.shape()), x.size(),
                                     to_string(wanted)));
    }
    return shape == x.shape() ? x : reshaped(x, shape);
}

template <class T>
Tensor<T> transpose(const Tensor<T>& x) {
    Axes reversed = Axes::filled(x.dimension(), 0);
    for (std::size_t i = 0; i < reversed.size(); ++i) {
        reversed[i] = static_cast<std::ptrdiff_t>(reversed.size() - 1 - i);
    }
    return transpose(x, reversed);
}

template <class T>
Tensor<T> transpose(const Tensor<T>& x, const Axes& permutation) {
    if (normalize_axes("transpose", permutation, x.shape()).size() != x.dimension()) {
        throw ShapeError(fmt::format("transpose: {} is no permutation of the {} axes of shape {}",
                                     to_string(permutation), x.dimension(), to_string(x.shape())));
    }
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout layout{.extents = x.shape(), .strides = strides, .offset = 0};
    Axes positive = permutation;
    bool identity = true;
    for (std::size_t i = 0; i < permutation.size(); ++i) {
        const std::size_t from = normalize_axis("transpose", permutation[i], x.shape());
        positive[i] = static_cast<std::ptrdiff_t>(from);
        layout.extents[i] = x.shape()[from];
        layout.strides[i] = strides[from];
        identity = identity && from == i;
    }
    if (identity) {
        return x;
    }
    Tensor<T> y = copy_strided(x, layout);
    if (records(x)) {
        record(TransposeRule<T>{std::move(positive)}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> broadcast_to(const Tensor<T>& x, const Shape& shape) {
    if (x.shape() == shape) {
        return x;
    }
    if (x.dimension() > shape.size() || broadcast_shapes("broadcast_to", x.shape(), shape) != shape) {
        throw ShapeError(
            fmt::format("broadcast_to: shape {} can't be broadcast to {}", to_string(x.shape()), to_string(shape)));
    }
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout layout{.extents = shape, .strides = Axes::filled(shape.size(), 0), .offset = 0};
    const std::size_t lead = shape.size() - x.dimension();
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        layout.strides[lead + axis] = x.shape()[axis] == 1 ? 0 : strides[axis];
    }
    Tensor<T> y = copy_strided(x, layout);
    if (records(x)) {
        record(BroadcastRule<T>{}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> reduce_to(const Tensor<T>& x, const Shape& shape) {
    Axes axes;
    const std::size_t lead = x.dimension() - shape.size();
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        if (axis < lead || (shape[axis - lead] == 1 && x.shape()[axis] != 1)) {
            axes.push_back(static_cast<std::ptrdiff_t>(axis));
        }
    }
    return reshape(sum(x, axes), Axes(shape));
}

template <class T>
Tensor<T> expand_dims(const Tensor<T>& x, std::ptrdiff_t axis) {
    Shape shape = x.shape();
    shape.push_back(1);
    const std::size_t at = normalize_axis("expand_dims", axis, shape);
    for (std::size_t i = shape.size() - 1; i > at; --i) {
        shape[i] = shape[i - 1];
    }
    shape[at] = 1;
    return reshaped(x, shape);
}

template <class T>
Tensor<T> squeeze(const Tensor<T>& x) {
    Axes axes;
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        if (x.shape()[axis] == 1) {
            axes.push_back(static_cast<std::ptrdiff_t>(axis));
        }
    }
    return squeeze(x, axes);
}

template <class T>
Tensor<T> squeeze(const Tensor<T>& x, const Axes& axes) {
    const Shape dropped = normalize_axes("squeeze", axes, x.shape());
    Shape shape;
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        if (std::ranges::find(dropped, axis) == dropped.end()) {
            shape.push_back(x.shape()[axis]);
        } else if (x.shape()[axis] != 1) {
            throw ShapeError(
                fmt::format("squeeze: axis {} of shape {} is {}, not 1", axis, to_string(x.shape()), x.shape()[axis]));
        }
    }
    return reshaped(x, shape);
}

template <class T>
Tensor<T> concatenate(std::span<const Tensor<T>> tensors, std::ptrdiff_t axis) {
    if (tensors.empty()) {
        throw ValueError("concatenate: no tensors given; at least one is needed");
    }
    Shape shape = tensors.front().shape();
    const std::size_t along = normalize_axis("concatenate", axis, shape);
    for (std::size_t i = 1; i < tensors.size(); ++i) {
        Shape other = tensors[i].shape();
        const std::size_t extent = other.size() == shape.size() ? other[along] : 0;
        if (other.size() == shape.size()) {
            other[along] = shape[along];
        }
        if (other != shape) {
            throw ShapeError(fmt::format("concatenate: shapes {} and {} differ elsewhere than along axis {}",
                                         to_string(tensors.front().shape()), to_string(tensors[i].shape()), along));
        }
        shape[along] += extent;
    }
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    // Each tensor contributes runs of contiguous elements: all that lies within one index of the axes before `along`.
    std::size_t outer = 1;
    for (std::size_t i = 0; i < along; ++i) {
        outer *= shape[i];
    }
    T* to = raw(y);
    for (std::size_t block = 0; block < outer; ++block) {
        for (const Tensor<T>& tensor : tensors) {
            const std::size_t run = tensor.size() / outer;
            to = std::copy_n(tensor.data() + block * run, run, to);
        }
    }
    if (std::ranges::any_of(tensors, [](const Tensor<T>& tensor) { return records(tensor); })) {
        const std::vector<RecordedInput> inputs(tensors.begin(), tensors.end());
        Shape lengths;
        for (const Tensor<T>& tensor : tensors) {
            lengths.push_back(tensor.shape()[along]);
        }
        record(ConcatenateRule<T>{along, std::move(lengths)}, y.body(), std::span<const RecordedInput>(inputs));
    }
    return y;
}

template <class T>
Tensor<T> gather(const Tensor<T>& x, const StridedLayout& layout) {
    Tensor<T> y = copy_strided(x, layout);
    if (records(x)) {
        record(GatherRule<T>{layout}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> scatter(const Tensor<T>& g, const StridedLayout& layout, const Shape& shape) {
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    std::fill_n(raw(y), y.size(), T(0));
    for_each_strided(raw(y), layout, g.data(), [](T& to, const T& from) { to += from; });
    if (records(g)) {
        record(ScatterRule<T>{layout}, y.body(), {{g}});
    }
    return y;
}

namespace {

// A slice of an axis as xtensor and Python read it: negative bounds count from the end, and bounds beyond it are cut.
void append_range(StridedLayout& layout, const Slice& slice, std::size_t extent, std::ptrdiff_t stride) {
    const auto size = static_cast<std::ptrdiff_t>(extent);
    if (slice.step == 0) {
        throw ValueError("view: a range's step is 0; it must be positive or negative");
    }
    const bool forward = slice.step > 0;
    const std::ptrdiff_t low = forward ? 0 : -1;
    const std::ptrdiff_t high = forward ? size : size - 1;
    const auto bound = [&](std::ptrdiff_t given, std::ptrdiff_t otherwise) {
        return given == Slice::open ? otherwise : std::clamp(given < 0 ? given + size : given, low, high);
    };
    const std::ptrdiff_t start = bound(slice.start, forward ? low : high);
    const std::ptrdiff_t stop = bound(slice.stop, forward ? high : low);
    const std::ptrdiff_t distance = forward ? stop - start : start - stop;
    const std::ptrdiff_t step = forward ? slice.step : -slice.step;
    layout.extents.push_back(distance > 0 ? static_cast<std::size_t>((distance + step - 1) / step) : 0);
    layout.strides.push_back(stride * slice.step);
    layout.offset += distance > 0 ? start * stride : 0;
}

}  // namespace

template <class T>
Tensor<T> detail::view(const Tensor<T>& x, std::span<const Slice> slices) {
    const auto consumes = [](const Slice& s) {
        return s.kind != Slice::Kind::newaxis && s.kind != Slice::Kind::ellipsis;
    };
    const auto named = static_cast<std::size_t>(std::ranges::count_if(slices, consumes));
    const auto ellipses = std::ranges::count_if(slices, [](const Slice& s) { return s.kind == Slice::Kind::ellipsis; });
    if (named > x.dimension() || ellipses > 1) {
        throw ShapeError(fmt::format("view: {} slices name axes and {} are ellipses, for shape {}", named, ellipses,
                                     to_string(x.shape())));
    }
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout layout;
    std::size_t axis = 0;
    const auto take_whole = [&](std::size_t count) {
        for (; count > 0; --count, ++axis) {
            layout.extents.push_back(x.shape()[axis]);
            layout.strides.push_back(strides[axis]);
        }
    };
    for (const Slice& slice : slices) {
        switch (slice.kind) {
        case Slice::Kind::all: take_whole(1); break;
        case Slice::Kind::ellipsis: take_whole(x.dimension() - named); break;
        case Slice::Kind::newaxis:
            layout.extents.push_back(1);
            layout.strides.push_back(0);
            break;
        case Slice::Kind::range:
            append_range(layout, slice, x.shape()[axis], strides[axis]);
            ++axis;
            break;
        case Slice::Kind::integer: {
            const auto extent = static_cast<std::ptrdiff_t>(x.shape()[axis]);
            if (slice.start < -extent || slice.start >= extent) {
                throw ShapeError(fmt::format("view: index {} is out of range for axis {} of shape {}", slice.start,
                                             axis, to_string(x.shape())));
            }
            layout.offset += (slice.start < 0 ? slice.start + extent : slice.start) * strides[axis];
            ++axis;
            break;
        }
        }
    }
    take_whole(x.dimension() - axis);
    return gather(x, layout);
}

#define XTAPE_INSTANTIATE(T)                                                          \
    template Tensor<T> reshape(const Tensor<T>&, const Axes&);                        \
    template Tensor<T> transpose(const Tensor<T>&);                                   \
    template Tensor<T> transpose(const Tensor<T>&, const Axes&);                      \
    template Tensor<T> broadcast_to(const Tensor<T>&, const Shape&);                  \
    template Tensor<T> reduce_to(const Tensor<T>&, const Shape&);                     \
    template Tensor<T> expand_dims(const Tensor<T>&, std::ptrdiff_t);                 \
    template Tensor<T> squeeze(const Tensor<T>&);                                     \
    template Tensor<T> squeeze(const Tensor<T>&, const Axes&);                        \
    template Tensor<T> concatenate(std::span<const Tensor<T>>, std::ptrdiff_t);       \
    template Tensor<T> gather(const Tensor<T>&, const StridedLayout&);                \
    template Tensor<T> scatter(const Tensor<T>&, const StridedLayout&, const Shape&); \
    template Tensor<T> detail::view(const Tensor<T>&, std::span<const Slice>);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
