#pragma once

#include <algorithm>
#include <cstddef>

#include <xtape/autograd/small_vector.hpp>

namespace xtape {

/// Where the elements of an array of shape `extents` lie in another array's memory: element (i, j, ...) at offset + i *
/// strides[0] + j * strides[1] + ... A stride of 0 repeats.
struct StridedLayout {
    Shape extents;
    Axes strides;
    std::ptrdiff_t offset = 0;
};

/// The strides of a contiguous row-major array.
[[nodiscard]] inline Axes contiguous_strides(const Shape& shape) {
    Axes strides = Axes::filled(shape.size(), 1);
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        strides[axis - 1] = strides[axis] * static_cast<std::ptrdiff_t>(shape[axis]);
    }
    return strides;
}

namespace detail {

// Drops axes of extent 1 and joins neighbours that are one run in memory; leaves at least one axis.
inline StridedLayout merged(const StridedLayout& layout) {
    StridedLayout out{.extents = {}, .strides = {}, .offset = layout.offset};
    for (std::size_t axis = 0; axis < layout.extents.size(); ++axis) {
        const std::size_t extent = layout.extents[axis];
        const std::ptrdiff_t stride = layout.strides[axis];
        if (extent == 1) {
            continue;
        }
        const std::size_t last = out.extents.size() - 1;
        if (!out.extents.empty() && out.strides[last] == stride * static_cast<std::ptrdiff_t>(extent)) {
            out.extents[last] *= extent;
            out.strides[last] = stride;
        } else {
            out.extents.push_back(extent);
            out.strides.push_back(stride);
        }
    }
    if (out.extents.empty()) {
        out.extents.push_back(1);
        out.strides.push_back(1);
    }
    return out;
}

}  // namespace detail

/// Calls f(strided element, dense element) for each element of the layout, in dense row-major order but for tiles:
/// where the strided side runs along another axis than the dense one, small squares keep both in cache.
template <class S, class D, class F>
void for_each_strided(S* strided, const StridedLayout& given, D* dense, F f) {
    const StridedLayout layout = detail::merged(given);
    const std::size_t rank = layout.extents.size();
    const std::size_t columns = layout.extents[rank - 1];
    const std::ptrdiff_t column_stride = layout.strides[rank - 1];
    const std::size_t rows = rank > 1 ? layout.extents[rank - 2] : 1;
    const std::ptrdiff_t row_stride = rank > 1 ? layout.strides[rank - 2] : 0;
    const std::size_t tile = column_stride == 1 || column_stride == 0 ? std::max(rows, columns) : 16;

    std::size_t matrices = 1;
    for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
        matrices *= layout.extents[axis];
    }
    if (rows == 0 || columns == 0) {
        return;
    }
    Shape index = Shape::filled(rank, 0);
    std::ptrdiff_t offset = layout.offset;
    for (std::size_t matrix = 0; matrix < matrices; ++matrix, dense += rows * columns) {
        for (std::size_t i0 = 0; i0 < rows; i0 += tile) {
            for (std::size_t j0 = 0; j0 < columns; j0 += tile) {
                for (std::size_t i = i0; i < std::min(rows, i0 + tile); ++i) {
                    S* from = strided + offset + static_cast<std::ptrdiff_t>(i) * row_stride;
                    D* to = dense + i * columns;
                    const std::size_t end = std::min(columns, j0 + tile);
                    if (column_stride == 1) {
                        for (std::size_t j = j0; j < end; ++j) {
                            f(from[j], to[j]);
                        }
                    } else {
                        for (std::size_t j = j0; j < end; ++j) {
                            f(from[static_cast<std::ptrdiff_t>(j) * column_stride], to[j]);
                        }
                    }
                }
            }
        }
        for (std::size_t axis = rank > 2 ? rank - 2 : 0; axis-- > 0;) {
            offset += layout.strides[axis];
            if (++index[axis] < layout.extents[axis]) {
                break;
            }
            offset -= layout.strides[axis] * static_cast<std::ptrdiff_t>(layout.extents[axis]);
            index[axis] = 0;
        }
    }
}

}  // namespace xtape
