#pragma once

// What the sources of reductions share.

#include <algorithm>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
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

// The elements behind each result, folded. `centre`, of the shape `kept`, is what a fold of deviations takes them from.
template <class T>
Tensor<T> folded(const Tensor<T>& x, const Reduction& reduction, bool keep, const kernels::Fold<T>& fold,
                 const Tensor<T>* centre = nullptr);

// The elements behind each result as a row, and back: the reduced axes moved to the end and joined.
struct Rows {
    Axes permutation;
    Axes permuted;  // the shape after it
    Axes joined;

    Rows(const Shape& shape, const Reduction& reduction) {
        for (const bool reduced : {false, true}) {
            for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                if (reduction.is_reduced(axis) == reduced) {
                    permutation.push_back(static_cast<std::ptrdiff_t>(axis));
                    permuted.push_back(static_cast<std::ptrdiff_t>(shape[axis]));
                }
            }
        }
        joined = Axes(reduction.dropped);
        joined.push_back(static_cast<std::ptrdiff_t>(reduction.count));
    }

    template <class T>
    [[nodiscard]] Tensor<T> from(const Tensor<T>& x) const {
        return reshape(transpose(x, permutation), joined);
    }
    template <class T>
    [[nodiscard]] Tensor<T> back(const Tensor<T>& rows) const {
        Axes inverse = permutation;
        for (std::size_t i = 0; i < permutation.size(); ++i) {
            inverse[static_cast<std::size_t>(permutation[i])] = static_cast<std::ptrdiff_t>(i);
        }
        return transpose(reshape(rows, permuted), inverse);
    }
};

// The derivative of logsumexp of each row (softmax.cpp): its softmax, but nothing at -inf and equal shares of +inf.
template <class T>
Tensor<T> logsumexp_weights(const Tensor<T>& rows);

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
