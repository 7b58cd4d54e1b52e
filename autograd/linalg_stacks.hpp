#pragma once

#include <string>

#include <fmt/format.h>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>

/// What the ops of linalg share: stacks of matrices, and several results in one tensor.
namespace xtape::linalg {

/// The shape of a stack of matrices, taken apart.
struct Stack {
    Shape batch;
    std::size_t rows = 0;
    std::size_t columns = 0;
    [[nodiscard]] std::size_t count() const { return element_count(batch); }
};

/// Throws ShapeError where the shape has fewer than two axes.
[[nodiscard]] inline Stack stack_of(const char* op, const Shape& shape) {
    if (shape.size() < 2) {
        throw ShapeError(fmt::format("{}: shape {} has no two axes for a matrix", op, to_string(shape)));
    }
    return {Shape(shape.begin(), shape.end() - 2), shape[shape.size() - 2], shape[shape.size() - 1]};
}

/// The same for square matrices only.
[[nodiscard]] inline Stack square_stack_of(const char* op, const Shape& shape) {
    const Stack stack = stack_of(op, shape);
    if (stack.rows != stack.columns) {
        throw ShapeError(fmt::format("{}: matrices of shape {} are not square", op, to_string(shape)));
    }
    return stack;
}

/// "the matrix", or "matrix (1, 0)" of a stack.
[[nodiscard]] inline std::string which_matrix(const Shape& batch, std::size_t index) {
    return batch.empty() ? "the matrix" : "matrix " + to_string(place_of(index, batch));
}

/// batch followed by the extents of one result.
[[nodiscard]] inline Shape shape_of(Shape batch, std::initializer_list<std::size_t> extents) {
    for (const std::size_t extent : extents) {
        batch.push_back(extent);
    }
    return batch;
}

/// A constant matrix with the elements f(i, j).
template <class T, class F>
[[nodiscard]] Tensor<T> matrix_of(std::size_t rows, std::size_t columns, F f) {
    Tensor<T> matrix = Tensor<T>::uninitialized({rows, columns});
    T* element = matrix.fresh_data();
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            *element++ = static_cast<T>(f(i, j));
        }
    }
    return matrix;
}

/// Every matrix of a stack transposed.
template <class T>
[[nodiscard]] Tensor<T> transposed(const Tensor<T>& a) {
    Axes axes(all_axes(a.shape()));
    std::swap(axes[axes.size() - 2], axes[axes.size() - 1]);
    return transpose(a, axes);
}

/// a bᵀ and aᵀ b of each pair.
template <class T>
[[nodiscard]] Tensor<T> times_transposed(const Tensor<T>& a, const Tensor<T>& b) {
    return matmul_transposed(a, false, b, true);
}
template <class T>
[[nodiscard]] Tensor<T> transposed_times(const Tensor<T>& a, const Tensor<T>& b) {
    return matmul_transposed(a, true, b, false);
}

/// One number for each matrix, to be multiplied with the matrices.
template <class T>
[[nodiscard]] Tensor<T> for_each_matrix(const Tensor<T>& numbers) {
    return expand_dims(expand_dims(numbers, -1), -1);
}

/// Where one result of a factorization lies among those of a matrix. An op with several results is one node, whose
/// output holds them one after the other: its rule sees all their gradients at once.
struct Part {
    std::size_t offset;
    std::size_t rows;
    std::size_t columns;
};

/// A part of each element of a stack of shape (..., all that one matrix gives), as matrices.
template <class T>
[[nodiscard]] Tensor<T> unpack(const Tensor<T>& packed, Part part) {
    const Shape batch(packed.shape().begin(), packed.shape().end() - 1);
    StridedLayout layout{.extents = shape_of(batch, {part.rows, part.columns}),
                         .strides = contiguous_strides(packed.shape()),
                         .offset = static_cast<std::ptrdiff_t>(part.offset)};
    layout.strides[batch.size()] = static_cast<std::ptrdiff_t>(part.columns);
    layout.strides.push_back(1);
    return gather(packed, layout);
}

/// The same of a part that is one row, as vectors.
template <class T>
[[nodiscard]] Tensor<T> unpack_row(const Tensor<T>& packed, Part part) {
    return squeeze(unpack(packed, part), {-2});
}

/// The inverse, NaNs for a singular matrix; and the solution of triangular systems whose diagonal is not looked at.
/// Both record themselves.
template <class T>
[[nodiscard]] Tensor<T> inverse_or_nan(const Tensor<T>& a);
template <class T>
[[nodiscard]] Tensor<T> solve_triangular_unchecked(const Tensor<T>& a, const Tensor<T>& b, bool lower, bool transpose,
                                                   bool unit_diagonal = false);

}  // namespace xtape::linalg
