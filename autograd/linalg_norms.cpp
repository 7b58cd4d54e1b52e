#include <xtape/autograd/linalg.hpp>

#include <algorithm>
#include <limits>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/linalg_stacks.hpp>

namespace xtape::linalg {
namespace {

// Singular values, of which those of roundoff count as 0: rank-deficient matrices have a kink there.
template <class T>
struct Spectrum {
    Tensor<T> values;
    Tensor<T> tolerance;  // for each matrix, as one more axis

    explicit Spectrum(const Tensor<T>& matrices)
        : values(std::get<1>(svd(matrices))), tolerance(amax(values.detach(), {-1}, keep_dims)) {
        const std::size_t longer = std::max(matrices.shape()[matrices.dimension() - 2], matrices.shape().back());
        tolerance = tolerance * (8.0 * static_cast<double>(longer) * std::numeric_limits<T>::epsilon());
    }
};

template <class T>
Tensor<T> nuclear(const Tensor<T>& matrices) {
    const Spectrum<T> spectrum(matrices);
    return sum(where(spectrum.values > spectrum.tolerance, spectrum.values, 0.0), {-1});
}

// The mean of those values that are the largest up to roundoff.
template <class T>
Tensor<T> spectral(const Tensor<T>& matrices) {
    const Spectrum<T> spectrum(matrices);
    const Tensor<T> largest = amax(spectrum.values.detach(), {-1}, keep_dims);
    const Tensor<T> is_largest = xtape::cast<T>(spectrum.values >= largest - spectrum.tolerance);
    const Tensor<T> is_positive = xtape::cast<T>(largest > 0.0);
    return sum(spectrum.values * (is_positive * is_largest / sum(is_largest, {-1}, keep_dims)), {-1});
}

template <class T>
Tensor<T> vector_norm(const Tensor<T>& x, Norm order, std::ptrdiff_t axis) {
    switch (order) {
    case Norm::one: return sum(abs(x), {axis}, keep_dims);
    case Norm::inf: return amax(abs(x), {axis}, keep_dims);
    case Norm::two:
    case Norm::fro: return norm_l2(x, {axis}, keep_dims);
    case Norm::nuc: break;
    }
    throw ValueError("norm: Norm::nuc is a norm of matrices; give two axes, or take Norm::one of a vector");
}

template <class T>
Tensor<T> matrix_norm(const Tensor<T>& x, Norm order, std::ptrdiff_t rows, std::ptrdiff_t columns, const Shape& kept) {
    if (order == Norm::fro) {
        return norm_l2(x, {rows, columns}, keep_dims);
    }
    if (order == Norm::one || order == Norm::inf) {
        const Axes inner = order == Norm::one ? rows : columns;
        const Axes outer = order == Norm::one ? columns : rows;
        return amax(sum(abs(x), inner, keep_dims), outer, keep_dims);
    }
    Axes permutation;
    for (std::ptrdiff_t axis = 0; axis < static_cast<std::ptrdiff_t>(x.dimension()); ++axis) {
        if (axis != rows && axis != columns) {
            permutation.push_back(axis);
        }
    }
    permutation.push_back(rows);
    permutation.push_back(columns);
    const Tensor<T> matrices = transpose(x, permutation);
    return reshape(order == Norm::nuc ? nuclear(matrices) : spectral(matrices), Axes(kept));
}

template <class T>
Tensor<T> norm_along(const Tensor<T>& x, Norm order, const Axes& axes, bool keep) {
    if (axes.size() != 1 && axes.size() != 2) {
        throw ShapeError(fmt::format("norm: axes {} of shape {}: one for vectors, or two for matrices", to_string(axes),
                                     to_string(x.shape())));
    }
    Shape kept = x.shape();
    bool of_nothing = false;
    Axes positive = axes;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const std::size_t axis = normalize_axis("norm", axes[i], x.shape());
        positive[i] = static_cast<std::ptrdiff_t>(axis);
        of_nothing = of_nothing || x.shape()[axis] == 0;
        kept[axis] = 1;
    }
    const Shape sorted = normalize_axes("norm", axes, x.shape());  // throws for the same axis twice
    if (of_nothing) {
        return keep ? sum(x, axes, keep_dims) : sum(x, axes);
    }
    const Tensor<T> y =
        axes.size() == 1 ? vector_norm(x, order, positive[0]) : matrix_norm(x, order, positive[0], positive[1], kept);
    return keep ? y : squeeze(y, Axes(sorted));
}

}  // namespace

template <class T>
Tensor<T> norm(const Tensor<T>& x) {
    return norm_along(reshape(x, {-1}), Norm::two, {0}, false);
}

template <class T>
Tensor<T> norm(const Tensor<T>& x, Norm order) {
    return norm_along(x, order, x.dimension() == 1 ? Axes{-1} : Axes{-2, -1}, false);
}

template <class T>
Tensor<T> norm(const Tensor<T>& x, Norm order, const Axes& axes) {
    return norm_along(x, order, axes, false);
}

template <class T>
Tensor<T> norm(const Tensor<T>& x, Norm order, const Axes& axes, KeepDims) {
    return norm_along(x, order, axes, true);
}

#define XTAPE_INSTANTIATE(T)                                      \
    template Tensor<T> norm(const Tensor<T>&);                    \
    template Tensor<T> norm(const Tensor<T>&, Norm);              \
    template Tensor<T> norm(const Tensor<T>&, Norm, const Axes&); \
    template Tensor<T> norm(const Tensor<T>&, Norm, const Axes&, KeepDims);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::linalg
