#pragma once

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

// Every function takes its tensor as a constrained forwarding reference, so that it also wins over xtensor's own, which
// takes anything, where both are found.

/// Which elements an op is to take: integers, kept in memory of the pool. Made from an xtensor expression of integers,
/// from a list in braces, or from one integer, which is 0-dimensional. Negative ones count from the end; the op that
/// takes them checks their range.
class Indices {
public:
    template <XtensorExpression E>
    requires(std::integral<typename E::value_type> && !std::same_as<typename E::value_type, bool>)
        Indices(const E& indices)
        : Indices(uninitialized(Shape(indices.shape()))) {
        std::transform(indices.begin(), indices.end(), data(), [](auto index) { return representable(index); });
    }
    template <std::integral I>
    Indices(std::initializer_list<I> indices) : Indices(uninitialized({indices.size()})) {
        std::transform(indices.begin(), indices.end(), data(), [](I index) { return representable(index); });
    }
    template <std::integral I>
    requires(!std::same_as<I, bool>) Indices(I index) : Indices(uninitialized({})) { *data() = representable(index); }

    /// Indices of this shape that are to be written through `data`.
    [[nodiscard]] static Indices uninitialized(const Shape& shape) { return Indices(shape, Uninitialized{}); }

    [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
    [[nodiscard]] std::size_t size() const { return element_count(shape_); }
    [[nodiscard]] std::ptrdiff_t* data() noexcept { return static_cast<std::ptrdiff_t*>(storage_->data()); }
    [[nodiscard]] const std::ptrdiff_t* data() const noexcept { return static_cast<std::ptrdiff_t*>(storage_->data()); }
    [[nodiscard]] std::span<const std::ptrdiff_t> values() const { return {data(), size()}; }

private:
    struct Uninitialized {};
    Indices(const Shape& shape, Uninitialized)
        : shape_(shape), storage_(Storage::allocate(element_count(shape) * sizeof(std::ptrdiff_t))) {}

    // Beyond any extent stays beyond any extent.
    template <class I>
    static std::ptrdiff_t representable(I index) noexcept {
        return std::in_range<std::ptrdiff_t>(index) ? static_cast<std::ptrdiff_t>(index)
                                                    : std::numeric_limits<std::ptrdiff_t>::max();
    }

    Shape shape_;
    Ref<Storage> storage_;
};

/// A contiguous array seen along one axis: element i of the line (o, k) lies at (o * extent + i) * inner + k.
struct Lines {
    std::size_t outer = 1;
    std::size_t extent = 1;
    std::size_t inner = 1;

    Lines(const Shape& shape, std::size_t axis) : extent(shape[axis]) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            (i < axis ? outer : inner) *= i == axis ? 1 : shape[i];
        }
    }
    [[nodiscard]] std::size_t at(std::size_t o, std::size_t i, std::size_t k) const noexcept {
        return (o * extent + i) * inner + k;
    }
};

/// How many elements `pad` puts before and after an axis.
struct Padding {
    std::ptrdiff_t before;
    std::ptrdiff_t after;

    template <std::integral A, std::integral B>
    Padding(A before_axis, B after_axis)
        : before(static_cast<std::ptrdiff_t>(before_axis)), after(static_cast<std::ptrdiff_t>(after_axis)) {}
};

/// Integers without a gradient: what `argmax` finds.
using IndexArray = xt::xarray<std::ptrdiff_t>;

namespace detail {
template <class T>
[[nodiscard]] std::vector<Tensor<T>> split(const Tensor<T>& x, std::size_t sections, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] std::vector<Tensor<T>> split_at(const Tensor<T>& x, const Axes& indices, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> take(const Tensor<T>& x, const Indices& indices, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> take_flat(const Tensor<T>& x, const Indices& indices);
template <class T>
[[nodiscard]] Tensor<T> take_along_axis(const Tensor<T>& x, const Indices& indices, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> flip(const Tensor<T>& x, const Axes& axes);
template <class T>
[[nodiscard]] Tensor<T> flip_all(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> roll(const Tensor<T>& x, std::ptrdiff_t shift, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> roll_flat(const Tensor<T>& x, std::ptrdiff_t shift);
template <class T>
[[nodiscard]] Tensor<T> pad(const Tensor<T>& x, std::span<const Padding> widths, double value);
template <class T>
[[nodiscard]] Tensor<T> tile(const Tensor<T>& x, const Axes& repetitions);
template <class T>
[[nodiscard]] Tensor<T> diagonal(const Tensor<T>& x, std::ptrdiff_t offset, std::ptrdiff_t axis1, std::ptrdiff_t axis2);
template <class T>
[[nodiscard]] Tensor<T> diag(const Tensor<T>& x, std::ptrdiff_t offset);
/// x where column - row lies in [lowest, highest], else 0: tril and triu.
template <class T>
[[nodiscard]] Tensor<T> band(const char* op, const Tensor<T>& x, std::ptrdiff_t lowest, std::ptrdiff_t highest);
enum class Extreme { largest, smallest };
template <class T>
[[nodiscard]] IndexArray arg_extreme(const Tensor<T>& x, Extreme which);
template <class T>
[[nodiscard]] IndexArray arg_extreme(const Tensor<T>& x, Extreme which, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] Tensor<T> sort(const Tensor<T>& x, std::ptrdiff_t axis);
template <class T>
[[nodiscard]] IndexArray argsort(const Tensor<T>& x, std::ptrdiff_t axis);

// Further away than any diagonal, with room to add a row's number.
inline constexpr std::ptrdiff_t any_diagonal = std::numeric_limits<std::ptrdiff_t>::max() / 2;
}  // namespace detail

/// Tensors of one shape joined along a new axis, which is `axis` of the result. Throws ShapeError where the shapes
/// differ, ValueError for none.
template <class T>
[[nodiscard]] Tensor<T> stack(std::span<const Tensor<T>> tensors, std::ptrdiff_t axis = 0);
template <class T>
[[nodiscard]] Tensor<T> stack(const std::vector<Tensor<T>>& tensors, std::ptrdiff_t axis = 0) {
    return stack(std::span<const Tensor<T>>(tensors), axis);
}
template <class T>
[[nodiscard]] Tensor<T> stack(std::initializer_list<Tensor<T>> tensors, std::ptrdiff_t axis = 0) {
    return stack(std::span<const Tensor<T>>(tensors.begin(), tensors.size()), axis);
}

/// x cut along an axis into so many parts of the same extent. Throws ShapeError unless the extent is a multiple of it.
template <AnyTensor X, std::integral I>
[[nodiscard]] auto split(X&& x, I sections, std::ptrdiff_t axis = 0) {
    return detail::split(x, std::cmp_greater(sections, 0) ? static_cast<std::size_t>(sections) : 0, axis);
}
/// x cut along an axis before each of these indices, as NumPy cuts it: {2, 5} gives [0, 2), [2, 5) and [5, end).
/// Negative indices count from the end; what lies beyond the axis is cut off, and parts may be empty.
template <AnyTensor X>
[[nodiscard]] auto split(X&& x, const Axes& indices, std::ptrdiff_t axis = 0) {
    return detail::split_at(x, indices, axis);
}

/// The elements of x at `indices` along an axis, in whose place the axes of `indices` stand in the result. Repeated
/// indices add up in the gradient. Throws ValueError for an index out of range.
template <AnyTensor X>
[[nodiscard]] auto take(X&& x, const Indices& indices, std::ptrdiff_t axis) {
    return detail::take(x, indices, axis);
}
/// The same from x read as one row: the result has the shape of `indices`.
template <AnyTensor X>
[[nodiscard]] auto take(X&& x, const Indices& indices) {
    return detail::take_flat(x, indices);
}

/// Element (i, j, ...) of the result is that of x with the index along `axis` replaced by indices(i, j, ...): it sorts
/// x by what argsort found. `indices` has as many axes as x; elsewhere than along `axis` the two broadcast.
/// Throws ShapeError where they don't, ValueError for an index out of range.
template <AnyTensor X>
[[nodiscard]] auto take_along_axis(X&& x, const Indices& indices, std::ptrdiff_t axis) {
    return detail::take_along_axis(x, indices, axis);
}

/// x with the elements along all axes, or along these, in reverse order.
template <AnyTensor X>
[[nodiscard]] auto flip(X&& x) {
    return detail::flip_all(x);
}
template <AnyTensor X>
[[nodiscard]] auto flip(X&& x, const Axes& axes) {
    return detail::flip(x, axes);
}
template <AnyTensor X, std::integral I>
[[nodiscard]] auto flip(X&& x, I axis) {
    return detail::flip(x, Axes(axis));
}

/// x with the elements along an axis moved on by `shift`; those that leave at the end come in again at the front.
template <AnyTensor X>
[[nodiscard]] auto roll(X&& x, std::ptrdiff_t shift, std::ptrdiff_t axis) {
    return detail::roll(x, shift, axis);
}
/// The same of x read as one row, and back in its shape.
template <AnyTensor X>
[[nodiscard]] auto roll(X&& x, std::ptrdiff_t shift) {
    return detail::roll_flat(x, shift);
}

/// x with a margin of `value`: {{before, after}, ...}, one pair for each axis, or one pair for all. Throws ShapeError
/// for another number of pairs, ValueError for a negative width.
template <AnyTensor X>
[[nodiscard]] auto pad(X&& x, std::initializer_list<Padding> widths, double value = 0.0) {
    return detail::pad(x, std::span<const Padding>(widths.begin(), widths.size()), value);
}
template <AnyTensor X>
[[nodiscard]] auto pad(X&& x, std::span<const Padding> widths, double value = 0.0) {
    return detail::pad(x, widths, value);
}

/// x set beside itself so many times along each axis. Fewer repetitions than axes count for the last axes; more of them
/// put axes in front. Throws ValueError for a negative number.
template <AnyTensor X>
[[nodiscard]] auto tile(X&& x, const Axes& repetitions) {
    return detail::tile(x, repetitions);
}
template <AnyTensor X, std::integral I>
[[nodiscard]] auto tile(X&& x, I repetitions) {
    return detail::tile(x, Axes(repetitions));
}

/// The elements (i, i + offset) of the matrices that two axes span; the two axes go, and the diagonal is the last of
/// the result. Throws ShapeError unless x has both axes and they differ.
template <AnyTensor X>
[[nodiscard]] auto diagonal(X&& x, int offset = 0, std::ptrdiff_t axis1 = 0, std::ptrdiff_t axis2 = 1) {
    return detail::diagonal(x, offset, axis1, axis2);
}

/// The matrix with a 1-d x on a diagonal and 0 elsewhere; of a 2-d x, that diagonal. The diagonal `offset` starts so
/// many columns to the right of the main one. Throws ShapeError for other dimensions.
template <AnyTensor X>
[[nodiscard]] auto diag(X&& x, int offset = 0) {
    return detail::diag(x, offset);
}

/// x with 0 above the k-th diagonal of its last two axes. Throws ShapeError for less than two.
template <AnyTensor X>
[[nodiscard]] auto tril(X&& x, int k = 0) {
    return detail::band("tril", x, -detail::any_diagonal, k);
}
/// x with 0 below the k-th diagonal of its last two axes. Throws ShapeError for less than two.
template <AnyTensor X>
[[nodiscard]] auto triu(X&& x, int k = 0) {
    return detail::band("triu", x, k, detail::any_diagonal);
}

/// Where the largest element is: the first of several, the first NaN if there is one. Integers, not differentiable: of
/// x read as one row, 0-dimensional, or along an axis, which goes. Throws ValueError for the largest of nothing.
template <AnyTensor X>
[[nodiscard]] IndexArray argmax(X&& x) {
    return detail::arg_extreme(x, detail::Extreme::largest);
}
template <AnyTensor X>
[[nodiscard]] IndexArray argmax(X&& x, std::ptrdiff_t axis) {
    return detail::arg_extreme(x, detail::Extreme::largest, axis);
}
/// Where the smallest element is; else as argmax.
template <AnyTensor X>
[[nodiscard]] IndexArray argmin(X&& x) {
    return detail::arg_extreme(x, detail::Extreme::smallest);
}
template <AnyTensor X>
[[nodiscard]] IndexArray argmin(X&& x, std::ptrdiff_t axis) {
    return detail::arg_extreme(x, detail::Extreme::smallest, axis);
}

/// x with the elements along an axis in ascending order, NaNs last; equal ones keep their order, and the gradient
/// follows that permutation.
template <AnyTensor X>
[[nodiscard]] auto sort(X&& x, std::ptrdiff_t axis = -1) {
    return detail::sort(x, axis);
}
/// The indices along the axis that sort takes its elements from. Integers, not differentiable.
template <AnyTensor X>
[[nodiscard]] IndexArray argsort(X&& x, std::ptrdiff_t axis = -1) {
    return detail::argsort(x, axis);
}

}  // namespace xtape
