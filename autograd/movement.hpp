#pragma once

#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include <xtape/autograd/strided.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// The same elements in another shape; one extent may be -1, to be worked out. Shares the buffer. Throws ShapeError
/// naming both shapes if the sizes differ.
template <class T>
[[nodiscard]] Tensor<T> reshape(const Tensor<T>& x, const Axes& shape);

/// Axes in reverse order.
template <class T>
[[nodiscard]] Tensor<T> transpose(const Tensor<T>& x);
/// Axis i of the result is axis `permutation[i]` of x. Throws ShapeError unless it is a permutation.
template <class T>
[[nodiscard]] Tensor<T> transpose(const Tensor<T>& x, const Axes& permutation);

/// x repeated to a shape, after NumPy's rules. Throws ShapeError if x doesn't broadcast to it.
template <class T>
[[nodiscard]] Tensor<T> broadcast_to(const Tensor<T>& x, const Shape& shape);
/// The adjoint of broadcast_to: sums over the axes that broadcasting `shape` to x's shape repeats.
template <class T>
[[nodiscard]] Tensor<T> reduce_to(const Tensor<T>& x, const Shape& shape);

/// x with an axis of extent 1 put in before `axis` (of the result).
template <class T>
[[nodiscard]] Tensor<T> expand_dims(const Tensor<T>& x, std::ptrdiff_t axis);
/// x without the given axes, each of extent 1; without all such axes if none is given.
template <class T>
[[nodiscard]] Tensor<T> squeeze(const Tensor<T>& x);
template <class T>
[[nodiscard]] Tensor<T> squeeze(const Tensor<T>& x, const Axes& axes);

/// Tensors joined along an existing axis. Throws ShapeError where the other extents differ, ValueError for none.
template <class T>
[[nodiscard]] Tensor<T> concatenate(std::span<const Tensor<T>> tensors, std::ptrdiff_t axis = 0);
template <class T>
[[nodiscard]] Tensor<T> concatenate(const std::vector<Tensor<T>>& tensors, std::ptrdiff_t axis = 0) {
    return concatenate(std::span<const Tensor<T>>(tensors), axis);
}
template <class T>
[[nodiscard]] Tensor<T> concatenate(std::initializer_list<Tensor<T>> tensors, std::ptrdiff_t axis = 0) {
    return concatenate(std::span<const Tensor<T>>(tensors.begin(), tensors.size()), axis);
}

/// The elements of x where a strided layout finds them, as a tensor of the layout's extents; and its adjoint, which
/// puts the elements of g there, into zeros of a shape, adding up where the layout repeats.
template <class T>
[[nodiscard]] Tensor<T> gather(const Tensor<T>& x, const StridedLayout& layout);
template <class T>
[[nodiscard]] Tensor<T> scatter(const Tensor<T>& g, const StridedLayout& layout, const Shape& shape);

/// One of the slices that xtensor's views take.
struct Slice {
    enum class Kind { all, range, integer, newaxis, ellipsis } kind;
    static constexpr std::ptrdiff_t open = std::numeric_limits<std::ptrdiff_t>::min();
    std::ptrdiff_t start = open;
    std::ptrdiff_t stop = open;
    std::ptrdiff_t step = 1;

    Slice(xt::xall_tag) : kind(Kind::all) {}
    Slice(xt::xnewaxis_tag) : kind(Kind::newaxis) {}
    Slice(xt::xellipsis_tag) : kind(Kind::ellipsis) {}
    template <std::integral I>
    Slice(I index) : kind(Kind::integer), start(static_cast<std::ptrdiff_t>(index)) {}
    template <class A, class B, class C>
    Slice(const xt::xrange_adaptor<A, B, C>& range)
        : kind(Kind::range), start(bound(range.start())), stop(bound(range.stop())), step(bound(range.step())) {
        step = step == open ? 1 : step;
    }
    template <class... Args>
    requires(sizeof...(Args) == 2 || sizeof...(Args) == 3) Slice(xt::placeholders::rangemaker<Args...> maker)
        : Slice(from_maker(maker)) {}

private:
    template <class B>
    static std::ptrdiff_t bound(const B& b) {
        if constexpr (std::integral<B>) {
            return static_cast<std::ptrdiff_t>(b);
        } else {
            return open;
        }
    }
    template <class A, class B>
    static xt::xrange_adaptor<A, B, xt::placeholders::xtuph> from_maker(xt::placeholders::rangemaker<A, B> maker) {
        return maker;
    }
    template <class A, class B, class C>
    static xt::xrange_adaptor<A, B, C> from_maker(xt::placeholders::rangemaker<A, B, C> maker) {
        return maker;
    }
};

namespace detail {
template <class T>
[[nodiscard]] Tensor<T> view(const Tensor<T>& x, std::span<const Slice> slices);
}

/// A copy of part of x: integers, `xt::range` (steps and placeholders too), `xt::all`, `xt::newaxis`, `xt::ellipsis`,
/// as xtensor's views take them; axes not named are taken whole. Throws ShapeError for too many slices or an index out
/// of range. (Constrained forwarding references, since xt::view would win over `const Tensor<T>&`.)
template <AnyTensor X, std::convertible_to<Slice>... S>
[[nodiscard]] auto view(X&& x, S&&... slices) {
    const Slice list[] = {Slice(xt::ellipsis()), Slice(slices)...};
    return detail::view(x, std::span<const Slice>(list).subspan(1));
}

}  // namespace xtape
