#include <xtape/autograd/indexing.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>

#include <fmt/format.h>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape {
namespace {

// ------------------------------------------------------------------------------------------------ take and its adjoint

template <class T>
void add_lines(const T* g, const Indices& indices, const Lines& lines, T* sums) {
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (const std::ptrdiff_t index : indices.values()) {
            T* to = sums + lines.at(o, static_cast<std::size_t>(index), 0);
            for (std::size_t k = 0; k < lines.inner; ++k) {
                to[k] += *g++;
            }
        }
    }
}

template <class T>
Tensor<T> take_lines(const Tensor<T>& x, const Indices& indices, const Lines& lines, const Shape& shape);
template <class T>
Tensor<T> put_lines(const Tensor<T>& g, const Indices& indices, const Lines& lines, const Shape& shape);

template <class T>
struct TakeRule {
    static constexpr const char* name = "take";
    Indices indices;
    Lines lines;
    void operator()(RuleContext& context) const {
        const Shape& shape = context.input_shape(0);
        if (context.creates_graph()) {
            context.give(0, put_lines(context.gradient<T>(), indices, lines, shape));
            return;
        }
        const Accumulator<T> out = context.accumulator<T>(0);
        if (!out.add) {
            std::fill_n(out.data, element_count(shape), T(0));
        }
        add_lines(context.gradient_data<T>(), indices, lines, out.data);
    }
};

template <class T>
struct PutRule {
    static constexpr const char* name = "put";
    Indices indices;
    Lines lines;
    void operator()(RuleContext& context) const {
        context.give(0, take_lines(context.gradient<T>(), indices, lines, context.input_shape(0)));
    }
};

// The elements of x at indices along the axis that `lines` describes. The indices are in [0, extent).
template <class T>
Tensor<T> take_lines(const Tensor<T>& x, const Indices& indices, const Lines& lines, const Shape& shape) {
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    T* to = raw(y);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (const std::ptrdiff_t index : indices.values()) {
            to = std::copy_n(x.data() + lines.at(o, static_cast<std::size_t>(index), 0), lines.inner, to);
        }
    }
    if (records(x)) {
        record(TakeRule<T>{indices, lines}, y.body(), {{x}});
    }
    return y;
}

// The adjoint: the elements of g, added up where they were taken from.
template <class T>
Tensor<T> put_lines(const Tensor<T>& g, const Indices& indices, const Lines& lines, const Shape& shape) {
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    std::fill_n(raw(y), y.size(), T(0));
    add_lines(g.data(), indices, lines, raw(y));
    if (records(g)) {
        record(PutRule<T>{indices, lines}, y.body(), {{g}});
    }
    return y;
}

// Elements of x by their places in memory.
template <class T>
Tensor<T> take_places(const Tensor<T>& x, const Indices& places) {
    return take_lines(x, places, Lines({x.size()}, 0), places.shape());
}

// `where` makes the text that tells what the index is for: it takes longer than an element, and few are out of range.
template <class Where>
std::ptrdiff_t counted_from_front(const char* op, std::ptrdiff_t index, std::size_t extent, const Where& where) {
    const auto size = static_cast<std::ptrdiff_t>(extent);
    if (index < -size || index >= size) [[unlikely]] {
        throw ValueError(
            fmt::format("{}: index {} is out of range for {}; allowed are [-{}, {})", op, index, where(), size, size));
    }
    return index < 0 ? index + size : index;
}

std::string describe_axis(std::size_t axis, const Shape& shape) {
    return fmt::format("axis {} of shape {}", axis, to_string(shape));
}

// ----------------------------------------------------------------------------------------------------- other movements

template <class T>
struct RollRule {
    static constexpr const char* name = "roll";
    std::ptrdiff_t shift;
    std::ptrdiff_t axis;
    void operator()(RuleContext& context) const { context.give(0, roll(context.gradient<T>(), -shift, axis)); }
};

template <class T>
struct PadRule {
    static constexpr const char* name = "pad";
    StridedLayout inside;  // where x lies in the result
    void operator()(RuleContext& context) const { context.give(0, gather(context.gradient<T>(), inside)); }
};

template <class T>
struct BandRule {
    static constexpr const char* name = "band";
    std::ptrdiff_t lowest;
    std::ptrdiff_t highest;
    void operator()(RuleContext& context) const {
        context.give(0, detail::band("band", context.gradient<T>(), lowest, highest));
    }
};

// ---------------------------------------------------------------------------------------------------- order and
// extremes

template <class T>
bool is_nan(T x) {
    return x != x;
}

// The index of the first extreme of elements that lie `step` apart; NaN is more extreme than any number.
template <class T, class Beats>
std::size_t find_extreme(const T* x, std::size_t count, std::size_t step, Beats beats) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count && !is_nan(x[best * step]); ++i) {
        if (is_nan(x[i * step]) || beats(x[i * step], x[best * step])) {
            best = i;
        }
    }
    return best;
}

template <class T>
std::ptrdiff_t find_extreme(detail::Extreme which, const T* x, std::size_t count, std::size_t step) {
    return static_cast<std::ptrdiff_t>(which == detail::Extreme::largest
                                           ? find_extreme(x, count, step, std::greater<T>())
                                           : find_extreme(x, count, step, std::less<T>()));
}

[[noreturn]] void throw_no_extreme(detail::Extreme which, const Shape& shape, const std::string& where) {
    const bool largest = which == detail::Extreme::largest;
    throw ValueError(fmt::format("{}: shape {} has no elements{}, and nothing has no {}", largest ? "argmax" : "argmin",
                                 to_string(shape), where, largest ? "largest" : "smallest"));
}

// Where in memory the elements lie that, in this order, are sorted along the axis.
template <class T>
Indices sorted_places(const Tensor<T>& x, const Lines& lines) {
    Indices places = Indices::uninitialized(x.shape());
    std::vector<std::ptrdiff_t> line(lines.extent);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (std::size_t k = 0; k < lines.inner; ++k) {
            for (std::size_t i = 0; i < lines.extent; ++i) {
                line[i] = static_cast<std::ptrdiff_t>(lines.at(o, i, k));
            }
            std::ranges::stable_sort(
                line, [](T a, T b) { return a < b || (is_nan(b) && !is_nan(a)); },
                [from = x.data()](std::ptrdiff_t place) { return from[place]; });
            for (std::size_t i = 0; i < lines.extent; ++i) {
                places.data()[lines.at(o, i, k)] = line[i];
            }
        }
    }
    return places;
}

}  // namespace

template <class T>
Tensor<T> stack(std::span<const Tensor<T>> tensors, std::ptrdiff_t axis) {
    if (tensors.empty()) {
        throw ValueError("stack: no tensors given; at least one is needed");
    }
    const Shape& shape = tensors.front().shape();
    for (const Tensor<T>& tensor : tensors) {
        if (tensor.shape() != shape) {
            throw ShapeError(fmt::format("stack: shapes {} and {} differ; to join them along an axis, concatenate",
                                         to_string(shape), to_string(tensor.shape())));
        }
    }
    Shape stacked = shape;
    stacked.push_back(1);
    const auto along = static_cast<std::ptrdiff_t>(normalize_axis("stack", axis, stacked));
    std::vector<Tensor<T>> expanded;
    expanded.reserve(tensors.size());
    for (const Tensor<T>& tensor : tensors) {
        expanded.push_back(expand_dims(tensor, along));
    }
    return concatenate(expanded, along);
}

template <class T>
std::vector<Tensor<T>> detail::split(const Tensor<T>& x, std::size_t sections, std::ptrdiff_t axis) {
    const std::size_t along = normalize_axis("split", axis, x.shape());
    const std::size_t extent = x.shape()[along];
    if (sections == 0) {
        throw ValueError("split: the number of sections must be positive");
    }
    if (extent % sections != 0) {
        throw ShapeError(fmt::format("split: {} is {}, which {} sections don't divide; give the indices to cut at, as "
                                     "split(x, {{i, j, ...}}, axis)",
                                     describe_axis(along, x.shape()), extent, sections));
    }
    Axes cuts;
    for (std::size_t i = 1; i < sections; ++i) {
        cuts.push_back(static_cast<std::ptrdiff_t>(i * (extent / sections)));
    }
    return split_at(x, cuts, axis);
}

template <class T>
std::vector<Tensor<T>> detail::split_at(const Tensor<T>& x, const Axes& indices, std::ptrdiff_t axis) {
    const std::size_t along = normalize_axis("split", axis, x.shape());
    const auto extent = static_cast<std::ptrdiff_t>(x.shape()[along]);
    StridedLayout part{.extents = x.shape(), .strides = contiguous_strides(x.shape()), .offset = 0};
    std::vector<Tensor<T>> parts;
    parts.reserve(indices.size() + 1);
    std::ptrdiff_t start = 0;
    for (std::size_t i = 0; i <= indices.size(); ++i) {
        std::ptrdiff_t stop = extent;
        if (i < indices.size()) {
            stop = std::clamp<std::ptrdiff_t>(indices[i] < 0 ? indices[i] + extent : indices[i], 0, extent);
        }
        part.extents[along] = static_cast<std::size_t>(std::max<std::ptrdiff_t>(stop - start, 0));
        part.offset = start * part.strides[along];
        parts.push_back(gather(x, part));
        start = stop;
    }
    return parts;
}

template <class T>
Tensor<T> detail::take(const Tensor<T>& x, const Indices& indices, std::ptrdiff_t axis) {
    const std::size_t along = normalize_axis("take", axis, x.shape());
    const std::size_t extent = x.shape()[along];
    Indices places = Indices::uninitialized(indices.shape());
    std::ranges::transform(indices.values(), places.data(), [&](std::ptrdiff_t index) {
        return counted_from_front("take", index, extent, [&] { return describe_axis(along, x.shape()); });
    });
    Shape shape(x.shape().begin(), x.shape().begin() + along);
    for (const std::size_t index_extent : indices.shape()) {
        shape.push_back(index_extent);
    }
    for (std::size_t i = along + 1; i < x.dimension(); ++i) {
        shape.push_back(x.shape()[i]);
    }
    return take_lines(x, places, Lines(x.shape(), along), shape);
}

template <class T>
Tensor<T> detail::take_flat(const Tensor<T>& x, const Indices& indices) {
    Indices places = Indices::uninitialized(indices.shape());
    std::ranges::transform(indices.values(), places.data(), [&](std::ptrdiff_t index) {
        return counted_from_front("take", index, x.size(),
                                  [&] { return fmt::format("the elements of shape {}", to_string(x.shape())); });
    });
    return take_places(x, places);
}

template <class T>
Tensor<T> detail::take_along_axis(const Tensor<T>& x, const Indices& indices, std::ptrdiff_t axis) {
    const char* op = "take_along_axis";
    const std::size_t along = normalize_axis(op, axis, x.shape());
    if (indices.shape().size() != x.dimension()) {
        throw ShapeError(fmt::format("{}: indices of shape {} for shape {}: they must have as many axes", op,
                                     to_string(indices.shape()), to_string(x.shape())));
    }
    Shape without = x.shape();
    Shape indices_without = indices.shape();
    without[along] = indices_without[along] = 1;
    Shape shape = broadcast_shapes(op, without, indices_without);
    shape[along] = x.shape()[along];
    const Tensor<T> from = broadcast_to(x, shape);
    shape[along] = indices.shape()[along];

    // A place first as the index along the axis, broadcast, then as where the element lies in `from`.
    StridedLayout layout{.extents = shape, .strides = contiguous_strides(indices.shape()), .offset = 0};
    for (std::size_t i = 0; i < shape.size(); ++i) {
        layout.strides[i] = indices.shape()[i] == 1 ? 0 : layout.strides[i];
    }
    Indices places = Indices::uninitialized(shape);
    const Lines lines(from.shape(), along);
    for_each_strided(indices.data(), layout, places.data(), [&](const std::ptrdiff_t& index, std::ptrdiff_t& place) {
        place = counted_from_front(op, index, lines.extent, [&] { return describe_axis(along, x.shape()); });
    });
    std::ptrdiff_t* place = places.data();
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (std::size_t i = 0; i < shape[along]; ++i) {
            for (std::size_t k = 0; k < lines.inner; ++k, ++place) {
                *place = static_cast<std::ptrdiff_t>(lines.at(o, static_cast<std::size_t>(*place), k));
            }
        }
    }
    return take_places(from, places);
}

template <class T>
Tensor<T> detail::flip(const Tensor<T>& x, const Axes& axes) {
    StridedLayout layout{.extents = x.shape(), .strides = contiguous_strides(x.shape()), .offset = 0};
    for (const std::size_t axis : normalize_axes("flip", axes, x.shape())) {
        const auto last = static_cast<std::ptrdiff_t>(x.shape()[axis]) - 1;
        layout.offset += std::max<std::ptrdiff_t>(last, 0) * layout.strides[axis];
        layout.strides[axis] = -layout.strides[axis];
    }
    return gather(x, layout);
}

template <class T>
Tensor<T> detail::flip_all(const Tensor<T>& x) {
    return flip(x, Axes(all_axes(x.shape())));
}

template <class T>
Tensor<T> detail::roll(const Tensor<T>& x, std::ptrdiff_t shift, std::ptrdiff_t axis) {
    const Lines lines(x.shape(), normalize_axis("roll", axis, x.shape()));
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    if (y.size() != 0) {
        const auto extent = static_cast<std::ptrdiff_t>(lines.extent);
        const std::size_t first = static_cast<std::size_t>((extent - shift % extent) % extent) * lines.inner;
        const std::size_t block = lines.extent * lines.inner;
        for (std::size_t o = 0; o < lines.outer; ++o) {
            const T* from = x.data() + o * block;
            std::rotate_copy(from, from + first, from + block, raw(y) + o * block);
        }
    }
    if (records(x)) {
        record(RollRule<T>{shift, axis}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> detail::roll_flat(const Tensor<T>& x, std::ptrdiff_t shift) {
    return reshape(roll(reshape(x, Axes{-1}), shift, 0), Axes(x.shape()));
}

template <class T>
Tensor<T> detail::pad(const Tensor<T>& x, std::span<const Padding> widths, double value) {
    if (widths.size() != x.dimension() && widths.size() != 1) {
        throw ShapeError(fmt::format("pad: {} pairs of widths for shape {}; it takes one for each axis, or one for all",
                                     widths.size(), to_string(x.shape())));
    }
    StridedLayout inside{.extents = x.shape(), .strides = {}, .offset = 0};
    Shape shape = x.shape();
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        const Padding& width = widths[widths.size() == 1 ? 0 : axis];
        if (width.before < 0 || width.after < 0) {
            throw ValueError(fmt::format("pad: widths {{{}, {}}} of axis {}: they can't be negative; to cut, use view",
                                         width.before, width.after, axis));
        }
        shape[axis] += static_cast<std::size_t>(width.before) + static_cast<std::size_t>(width.after);
    }
    inside.strides = contiguous_strides(shape);
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        inside.offset += widths[widths.size() == 1 ? 0 : axis].before * inside.strides[axis];
    }
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    std::fill_n(raw(y), y.size(), static_cast<T>(value));
    for_each_strided(raw(y), inside, x.data(), [](T& to, const T& from) { to = from; });
    if (records(x)) {
        record(PadRule<T>{std::move(inside)}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> detail::tile(const Tensor<T>& x, const Axes& repetitions) {
    if (std::ranges::any_of(repetitions, [](std::ptrdiff_t n) { return n < 0; })) {
        throw ValueError(fmt::format("tile: repetitions {} of shape {}: they can't be negative", to_string(repetitions),
                                     to_string(x.shape())));
    }
    // Each axis of the result as two: which copy, and where in it. The copies lie on top of one another.
    const std::size_t rank = std::max(x.dimension(), repetitions.size());
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout copies;
    Axes shape;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        const std::size_t lead = rank - x.dimension();
        const std::size_t extent = axis < lead ? 1 : x.shape()[axis - lead];
        const std::size_t first = rank - repetitions.size();
        const std::size_t times = axis < first ? 1 : static_cast<std::size_t>(repetitions[axis - first]);
        copies.extents.push_back(times);
        copies.strides.push_back(0);
        copies.extents.push_back(extent);
        copies.strides.push_back(axis < lead ? 0 : strides[axis - lead]);
        shape.push_back(static_cast<std::ptrdiff_t>(times * extent));
    }
    return reshape(gather(x, copies), shape);
}

template <class T>
Tensor<T> detail::diagonal(const Tensor<T>& x, std::ptrdiff_t offset, std::ptrdiff_t axis1, std::ptrdiff_t axis2) {
    const std::size_t row = normalize_axis("diagonal", axis1, x.shape());
    const std::size_t column = normalize_axis("diagonal", axis2, x.shape());
    if (row == column) {
        throw ShapeError(
            fmt::format("diagonal: axes {} and {} of shape {} are the same", axis1, axis2, to_string(x.shape())));
    }
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout layout;
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        if (axis != row && axis != column) {
            layout.extents.push_back(x.shape()[axis]);
            layout.strides.push_back(strides[axis]);
        }
    }
    const std::ptrdiff_t first_row = std::max<std::ptrdiff_t>(-offset, 0);
    const std::ptrdiff_t first_column = std::max<std::ptrdiff_t>(offset, 0);
    const std::ptrdiff_t length = std::min(static_cast<std::ptrdiff_t>(x.shape()[row]) - first_row,
                                           static_cast<std::ptrdiff_t>(x.shape()[column]) - first_column);
    layout.extents.push_back(static_cast<std::size_t>(std::max<std::ptrdiff_t>(length, 0)));
    layout.strides.push_back(strides[row] + strides[column]);
    layout.offset = length > 0 ? first_row * strides[row] + first_column * strides[column] : 0;
    return gather(x, layout);
}

template <class T>
Tensor<T> detail::diag(const Tensor<T>& x, std::ptrdiff_t offset) {
    if (x.dimension() == 2) {
        return diagonal(x, offset, 0, 1);
    }
    if (x.dimension() != 1) {
        throw ShapeError(fmt::format("diag: shape {}; it takes a vector, or a matrix; for stacks of matrices, diagonal",
                                     to_string(x.shape())));
    }
    const auto shift = static_cast<std::size_t>(std::abs(offset));
    const std::size_t n = x.size() + shift;
    const std::size_t first = offset < 0 ? shift * n : shift;
    const StridedLayout layout{.extents = x.shape(),
                               .strides = {static_cast<std::ptrdiff_t>(n + 1)},
                               .offset = static_cast<std::ptrdiff_t>(first)};
    return scatter(x, layout, {n, n});
}

template <class T>
Tensor<T> detail::band(const char* op, const Tensor<T>& x, std::ptrdiff_t lowest, std::ptrdiff_t highest) {
    if (x.dimension() < 2) {
        throw ShapeError(fmt::format("{}: shape {} is no matrix; it takes two axes or more", op, to_string(x.shape())));
    }
    const std::size_t columns = x.shape()[x.dimension() - 1];
    const std::size_t rows = x.shape()[x.dimension() - 2];
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    std::fill_n(raw(y), y.size(), T(0));
    const auto column = [&](std::ptrdiff_t at) {
        return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at, 0, static_cast<std::ptrdiff_t>(columns)));
    };
    for (std::size_t at = 0; at < y.size(); at += columns) {
        const auto row = static_cast<std::ptrdiff_t>(at / columns % rows);
        const std::size_t first = column(row + lowest);
        const std::size_t end = std::max(column(row + highest + 1), first);
        std::copy(x.data() + at + first, x.data() + at + end, raw(y) + at + first);
    }
    if (records(x)) {
        record(BandRule<T>{lowest, highest}, y.body(), {{x}});
    }
    return y;
}

template <class T>
IndexArray detail::arg_extreme(const Tensor<T>& x, Extreme which) {
    if (x.size() == 0) {
        throw_no_extreme(which, x.shape(), "");
    }
    return IndexArray(find_extreme(which, x.data(), x.size(), 1));
}

template <class T>
IndexArray detail::arg_extreme(const Tensor<T>& x, Extreme which, std::ptrdiff_t axis) {
    const std::size_t along = normalize_axis(which == Extreme::largest ? "argmax" : "argmin", axis, x.shape());
    const Lines lines(x.shape(), along);
    if (lines.extent == 0) {
        throw_no_extreme(which, x.shape(), fmt::format(" along axis {}", along));
    }
    std::vector<std::size_t> shape;
    for (std::size_t i = 0; i < x.dimension(); ++i) {
        if (i != along) {
            shape.push_back(x.shape()[i]);
        }
    }
    IndexArray found = IndexArray::from_shape(shape);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (std::size_t k = 0; k < lines.inner; ++k) {
            found.flat(o * lines.inner + k) =
                find_extreme(which, x.data() + lines.at(o, 0, k), lines.extent, lines.inner);
        }
    }
    return found;
}

template <class T>
Tensor<T> detail::sort(const Tensor<T>& x, std::ptrdiff_t axis) {
    return take_places(x, sorted_places(x, Lines(x.shape(), normalize_axis("sort", axis, x.shape()))));
}

template <class T>
IndexArray detail::argsort(const Tensor<T>& x, std::ptrdiff_t axis) {
    const Lines lines(x.shape(), normalize_axis("argsort", axis, x.shape()));
    const Indices places = sorted_places(x, lines);
    IndexArray order = IndexArray::from_shape(std::vector<std::size_t>(x.shape().begin(), x.shape().end()));
    std::ranges::transform(places.values(), order.begin(), [&](std::ptrdiff_t place) {
        return static_cast<std::ptrdiff_t>(static_cast<std::size_t>(place) / lines.inner % lines.extent);
    });
    return order;
}

#define XTAPE_INSTANTIATE(T)                                                                               \
    template Tensor<T> stack(std::span<const Tensor<T>>, std::ptrdiff_t);                                  \
    template std::vector<Tensor<T>> detail::split(const Tensor<T>&, std::size_t, std::ptrdiff_t);          \
    template std::vector<Tensor<T>> detail::split_at(const Tensor<T>&, const Axes&, std::ptrdiff_t);       \
    template Tensor<T> detail::take(const Tensor<T>&, const Indices&, std::ptrdiff_t);                     \
    template Tensor<T> detail::take_flat(const Tensor<T>&, const Indices&);                                \
    template Tensor<T> detail::take_along_axis(const Tensor<T>&, const Indices&, std::ptrdiff_t);          \
    template Tensor<T> detail::flip(const Tensor<T>&, const Axes&);                                        \
    template Tensor<T> detail::flip_all(const Tensor<T>&);                                                 \
    template Tensor<T> detail::roll(const Tensor<T>&, std::ptrdiff_t, std::ptrdiff_t);                     \
    template Tensor<T> detail::roll_flat(const Tensor<T>&, std::ptrdiff_t);                                \
    template Tensor<T> detail::pad(const Tensor<T>&, std::span<const Padding>, double);                    \
    template Tensor<T> detail::tile(const Tensor<T>&, const Axes&);                                        \
    template Tensor<T> detail::diagonal(const Tensor<T>&, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t); \
    template Tensor<T> detail::diag(const Tensor<T>&, std::ptrdiff_t);                                     \
    template Tensor<T> detail::band(const char*, const Tensor<T>&, std::ptrdiff_t, std::ptrdiff_t);        \
    template IndexArray detail::arg_extreme(const Tensor<T>&, Extreme);                                    \
    template IndexArray detail::arg_extreme(const Tensor<T>&, Extreme, std::ptrdiff_t);                    \
    template Tensor<T> detail::sort(const Tensor<T>&, std::ptrdiff_t);                                     \
    template IndexArray detail::argsort(const Tensor<T>&, std::ptrdiff_t);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
