#pragma once

#include <string>

#include <xtape/autograd/small_vector.hpp>

namespace xtape {

/// "(2, 3)", as NumPy writes shapes.
[[nodiscard]] std::string to_string(const Shape& shape);
[[nodiscard]] std::string to_string(const Axes& axes);

/// The indices (i, j, ...) of an element counted row-major.
[[nodiscard]] Shape place_of(std::size_t element, const Shape& shape);

}  // namespace xtape
