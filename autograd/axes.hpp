#pragma once

#include <xtape/autograd/small_vector.hpp>

namespace xtape {

/// An axis counted from the front; throws ShapeError naming the op and the shape if there is no such axis.
[[nodiscard]] std::size_t normalize_axis(const char* op, std::ptrdiff_t axis, const Shape& shape);
/// Axes counted from the front, in ascending order; throws ShapeError if one is out of range or given twice.
[[nodiscard]] Shape normalize_axes(const char* op, const Axes& axes, const Shape& shape);
/// 0, 1, ... for each axis of a shape.
[[nodiscard]] Shape all_axes(const Shape& shape);

}  // namespace xtape
