#pragma once

#include <array>
#include <cstddef>

#include <xtape/autograd/small_vector.hpp>

namespace xtape {

/// The shape that NumPy's broadcasting gives two shapes; throws ShapeError naming the op, both shapes and the axis.
[[nodiscard]] Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// How to run through an output and K operands that are broadcast to it: rows of `inner` elements along which each
/// operand advances by 1 or stands still, under outer axes with a stride for each operand. Adjacent axes that behave
/// alike are merged.
template <std::size_t K>
struct BroadcastPlan {
    std::size_t inner = 1;
    std::size_t rows = 1;
    std::array<std::size_t, K> inner_steps{};
    Shape outer;  // innermost first
    std::array<Shape, K> outer_strides;

    BroadcastPlan(const Shape& output, const std::array<const Shape*, K>& operands) {
        std::array<std::size_t, K> extent_so_far;
        extent_so_far.fill(1);
        bool first = true;
        std::array<std::size_t, K> last_strides{};
        for (std::size_t back = 0; back < output.size(); ++back) {
            const std::size_t extent = output[output.size() - 1 - back];
            if (extent == 1) {
                continue;
            }
            std::array<std::size_t, K> strides{};
            for (std::size_t k = 0; k < K; ++k) {
                const Shape& shape = *operands[k];
                const std::size_t own = back < shape.size() ? shape[shape.size() - 1 - back] : 1;
                strides[k] = own == 1 ? 0 : extent_so_far[k];
                extent_so_far[k] *= own;
            }
            const std::size_t merged = outer.empty() ? inner : outer.back();
            bool merges = !first;
            for (std::size_t k = 0; k < K; ++k) {
                merges = merges && strides[k] == last_strides[k] * merged;
            }
            if (first) {
                inner = extent;
                inner_steps = strides;
                last_strides = strides;
                first = false;
            } else if (merges) {
                if (outer.empty()) {
                    inner *= extent;
                } else {
                    outer[outer.size() - 1] *= extent;
                }
            } else {
                outer.push_back(extent);
                for (std::size_t k = 0; k < K; ++k) {
                    outer_strides[k].push_back(strides[k]);
                }
                last_strides = strides;
            }
        }
        for (const std::size_t extent : outer) {
            rows *= extent;
        }
    }

    /// Calls row(output offset, operand offsets) for each row.
    template <class F>
    void for_each_row(F row) const {
        for_each_row(0, rows, row);
    }
    /// The same for the rows from `first` to before `end`.
    template <class F>
    void for_each_row(std::size_t first, std::size_t end, F row) const {
        std::array<std::size_t, K> offsets{};
        Shape index = Shape::filled(outer.size(), 0);
        for (std::size_t axis = 0, left = first; left > 0 && axis < outer.size(); ++axis) {
            index[axis] = left % outer[axis];
            left /= outer[axis];
            for (std::size_t k = 0; k < K; ++k) {
                offsets[k] += index[axis] * outer_strides[k][axis];
            }
        }
        for (std::size_t r = first; r < end; ++r) {
            row(r * inner, offsets);
            for (std::size_t axis = 0; axis < outer.size(); ++axis) {
                for (std::size_t k = 0; k < K; ++k) {
                    offsets[k] += outer_strides[k][axis];
                }
                if (++index[axis] < outer[axis]) {
                    break;
                }
                for (std::size_t k = 0; k < K; ++k) {
                    offsets[k] -= outer_strides[k][axis] * outer[axis];
                }
                index[axis] = 0;
            }
        }
    }
};

}  // namespace xtape
