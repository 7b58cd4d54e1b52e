#pragma once

// What the sources of reductions share.

#include <algorithm>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape {

// A reduction's axes, and its two result shapes.
struct Reduction {
    Shape axes;             // ascending
    Shape kept;             // reduced axes stay, with extent 1
    Shape dropped;          // reduced axes are gone
    std::size_t count = 1;  // elements behind each result

    Reduction(const Shape& shape, Shape reduced) : axes(std::move(reduced)), kept(shape) {
        for (const std::size_t axis : axes) {
            count *= shape[axis];
            kept[axis] = 1;
        }
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            if (!is_reduced(axis)) {
                dropped.push_back(shape[axis]);
            }
        }
    }
    [[nodiscard]] bool is_reduced(std::size_t axis) const { return std::ranges::find(axes, axis) != axes.end(); }
};

// The reduced axes moved to the end and joined: each result's elements are then a row.
template <class T>
Tensor<T> as_rows(const Tensor<T>& x, const Reduction& reduction) {
    Axes permutation;
    Axes shape;
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        if (!reduction.is_reduced(axis)) {
            permutation.push_back(static_cast<std::ptrdiff_t>(axis));
            shape.push_back(static_cast<std::ptrdiff_t>(x.shape()[axis]));
        }
    }
    for (const std::size_t axis : reduction.axes) {
        permutation.push_back(static_cast<std::ptrdiff_t>(axis));
    }
    shape.push_back(static_cast<std::ptrdiff_t>(reduction.count));
    return reshape(transpose(x, permutation), shape);
}

}  // namespace xtape

// The public overloads of a reduction, from op(x, Shape axes, bool keep).
#define XTAPE_REDUCTION(op)                                                 \
    template <class T>                                                      \
    Tensor<T> op(const Tensor<T>& x) {                                      \
        return op(x, all_axes(x.shape()), false);                           \
    }                                                                       \
    template <class T>                                                      \
    Tensor<T> op(const Tensor<T>& x, KeepDims) {                            \
        return op(x, all_axes(x.shape()), true);                            \
    }                                                                       \
    template <class T>                                                      \
    Tensor<T> op(const Tensor<T>& x, const Axes& axes) {                    \
        return op(x, normalize_axes(#op, axes, x.shape()), false);          \
    }                                                                       \
    template <class T>                                                      \
    Tensor<T> op(const Tensor<T>& x, const Axes& axes, KeepDims) {          \
        return op(x, normalize_axes(#op, axes, x.shape()), true);           \
    }                                                                       \
    template Tensor<float> op(const Tensor<float>&);                        \
    template Tensor<float> op(const Tensor<float>&, KeepDims);              \
    template Tensor<float> op(const Tensor<float>&, const Axes&);           \
    template Tensor<float> op(const Tensor<float>&, const Axes&, KeepDims); \
    template Tensor<double> op(const Tensor<double>&);                      \
    template Tensor<double> op(const Tensor<double>&, KeepDims);            \
    template Tensor<double> op(const Tensor<double>&, const Axes&);         \
    template Tensor<double> op(const Tensor<double>&, const Axes&, KeepDims);
