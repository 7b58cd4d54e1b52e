#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>

namespace xtape {
namespace {

template <class U>
std::string in_parentheses(const SmallVector<U>& values) {
    return values.size() == 1 ? fmt::format("({},)", values[0]) : fmt::format("({})", fmt::join(values, ", "));
}

}  // namespace

std::string to_string(const Shape& shape) { return in_parentheses(shape); }
std::string to_string(const Axes& axes) { return in_parentheses(axes); }

Shape place_of(std::size_t element, const Shape& shape) {
    Shape place = shape;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        place[axis] = element % shape[axis];
        element /= shape[axis];
    }
    return place;
}

void detail::throw_too_large(const Shape& shape) {
    throw ValueError(fmt::format("shape {} has more elements than memory has addresses", to_string(shape)));
}

std::size_t normalize_axis(const char* op, std::ptrdiff_t axis, const Shape& shape) {
    const auto rank = static_cast<std::ptrdiff_t>(shape.size());
    if (axis < -rank || axis >= rank) {
        throw ShapeError(fmt::format("{}: axis {} is out of range for shape {}, which has {} {}", op, axis,
                                     to_string(shape), rank, rank == 1 ? "axis" : "axes"));
    }
    return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

Shape normalize_axes(const char* op, const Axes& axes, const Shape& shape) {
    Shape normalized;
    for (const std::ptrdiff_t axis : axes) {
        const std::size_t positive = normalize_axis(op, axis, shape);
        if (std::ranges::find(normalized, positive) != normalized.end()) {
            throw ShapeError(fmt::format("{}: axis {} is given twice in {} for shape {}", op, axis, to_string(axes),
                                         to_string(shape)));
        }
        normalized.push_back(positive);
    }
    std::ranges::sort(normalized);
    return normalized;
}

Shape all_axes(const Shape& shape) {
    Shape axes;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        axes.push_back(axis);
    }
    return axes;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
    const std::size_t rank = std::max(a.size(), b.size());
    Shape shape = Shape::filled(rank, 1);
    for (std::size_t back = 1; back <= rank; ++back) {
        const std::size_t in_a = back <= a.size() ? a[a.size() - back] : 1;
        const std::size_t in_b = back <= b.size() ? b[b.size() - back] : 1;
        if (in_a != in_b && in_a != 1 && in_b != 1) {
            throw ShapeError(fmt::format(
                "{}: shapes {} and {} do not broadcast: axis -{} is {} in one and {} in the other, and neither "
                "is 1; reshape or transpose one of them",
                op, to_string(a), to_string(b), back, in_a, in_b));
        }
        shape[rank - back] = in_a == 1 ? in_b : in_a;
    }
    return shape;
}

}  // namespace xtape
