// Movement ops against xtensor's own, or against naive loops: which element goes where, and back again in the gradient.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>

#include <xtape/autograd.hpp>

using namespace xtape;
using namespace xt::placeholders;

namespace {

using Array = xt::xarray<double>;

/// 0, 1, 2, ... in a shape: each element tells where it came from.
Array numbered(const std::vector<std::size_t>& shape) {
    Array x = Array::from_shape(shape);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = static_cast<double>(i);
    }
    return x;
}

bool same(const Tensor<double>& got, const Array& expected) {
    return std::equal(got.shape().begin(), got.shape().end(), expected.shape().begin(), expected.shape().end()) &&
           std::equal(got.data(), got.data() + got.size(), expected.begin());
}

/// Checks what `op` makes of numbered elements, and that the gradient brings each cotangent back to where its element
/// came from, adding up where an element was taken more than once; alike when it is recorded.
template <class F>
void check_movement(const std::string& name, const std::vector<std::size_t>& shape, const Array& expected, F op) {
    INFO(name);
    const auto x = parameter(numbered(shape));
    const Tensor<double> y = op(x);
    CHECK_MESSAGE(same(y, expected),
                  fmt::format("got ({}), expected ({})", fmt::join(y.shape(), ","), fmt::join(expected.shape(), ",")));
    if (y.size() != expected.size()) {
        return;
    }
    Tensor<double> v = Tensor<double>::uninitialized(y.shape());
    Array brought_back = Array::from_shape(shape);
    brought_back.fill(0.0);
    for (std::size_t k = 0; k < y.size(); ++k) {
        v.fresh_data()[k] = static_cast<double>(k % 97 + 1);
        brought_back.flat(static_cast<std::size_t>(expected.flat(k))) += v.data()[k];
    }
    for (const bool recorded : {false, true}) {
        CHECK(same(grad(y, {x}, {.seed = v, .retain_graph = true, .create_graph = recorded}).front(), brought_back));
    }
}

// The same slices for xt::view and for ours.
#define XTAPE_CHECK_VIEW(shape, ...)                                                                          \
    check_movement("view of " #shape ": " #__VA_ARGS__, shape, Array(xt::view(numbered(shape), __VA_ARGS__)), \
                   [](const auto& x) { return view(x, __VA_ARGS__); })

// Where xt::view is too strict, xt::strided_view, which takes any slice.
#define XTAPE_CHECK_STRIDED_VIEW(shape, ...)                                \
    check_movement("view of " #shape ": " #__VA_ARGS__, shape,              \
                   Array(xt::strided_view(numbered(shape), {__VA_ARGS__})), \
                   [](const auto& x) { return view(x, __VA_ARGS__); })

const std::vector<std::size_t> line = {7};
const std::vector<std::size_t> plane = {4, 6};
const std::vector<std::size_t> block = {3, 4, 5};
const std::vector<std::size_t> five = {2, 3, 2, 3, 2};

}  // namespace

TEST_CASE("view takes integers as xt::view does") {
    XTAPE_CHECK_VIEW(line, 3);
    XTAPE_CHECK_VIEW(plane, 0);
    XTAPE_CHECK_VIEW(plane, 3, 5);
    XTAPE_CHECK_VIEW(block, 1);
    XTAPE_CHECK_VIEW(block, 2u, 3l);
    XTAPE_CHECK_VIEW(block, std::size_t{1}, short{2}, 4);
    XTAPE_CHECK_VIEW(line, -1);
    XTAPE_CHECK_VIEW(line, -7);
    XTAPE_CHECK_VIEW(block, -1, -2);
    XTAPE_CHECK_VIEW(block, xt::all(), xt::all(), -5);
}

TEST_CASE("view takes ranges as xt::view does") {
    XTAPE_CHECK_VIEW(line, xt::range(2, 5));
    XTAPE_CHECK_VIEW(line, xt::range(0, 7));
    XTAPE_CHECK_VIEW(line, xt::range(3, 3));
    XTAPE_CHECK_VIEW(line, xt::range(2, 100));
    XTAPE_CHECK_VIEW(line, xt::range(1, 7, 2));
    XTAPE_CHECK_VIEW(line, xt::range(0, 7, 3));
    XTAPE_CHECK_VIEW(line, xt::range(0, 6, 10));
    XTAPE_CHECK_VIEW(line, xt::range(-5, -1));
    XTAPE_CHECK_VIEW(line, xt::range(-5, 6, 2));
    XTAPE_CHECK_VIEW(line, xt::range(5, 1, -1));
    XTAPE_CHECK_VIEW(line, xt::range(6, 0, -2));
    XTAPE_CHECK_VIEW(line, xt::range(-1, 0, -3));
    XTAPE_CHECK_VIEW(line, xt::range(-1, -5, -1));
    XTAPE_CHECK_STRIDED_VIEW(plane, xt::range(1, 3), xt::range(0, 6, 2));
    XTAPE_CHECK_STRIDED_VIEW(plane, xt::range(3, 0, -1), xt::range(5, 0, -2));
    XTAPE_CHECK_STRIDED_VIEW(block, xt::range(0, 2), 1, xt::range(4, 1, -1));
    XTAPE_CHECK_STRIDED_VIEW(block, xt::range(std::size_t{1}, std::size_t{3}));
}

TEST_CASE("view takes placeholders as xt::view does") {
    XTAPE_CHECK_VIEW(line, xt::range(_, 3));
    XTAPE_CHECK_VIEW(line, xt::range(3, _));
    XTAPE_CHECK_VIEW(line, xt::range(_, _));
    XTAPE_CHECK_VIEW(line, xt::range(_, -2));
    XTAPE_CHECK_VIEW(line, xt::range(-3, _));
    XTAPE_CHECK_VIEW(line, xt::range(_, _, 2));
    XTAPE_CHECK_VIEW(line, xt::range(_, _, -1));
    XTAPE_CHECK_VIEW(line, xt::range(_, _, -3));
    XTAPE_CHECK_VIEW(line, xt::range(1, _, 2));
    XTAPE_CHECK_VIEW(line, xt::range(4, _, -1));
    XTAPE_CHECK_VIEW(line, xt::range(-2, _, -2));
    XTAPE_CHECK_VIEW(line, xt::range(_, 5, 2));
    XTAPE_CHECK_VIEW(line, xt::range(_, 2, -1));
    XTAPE_CHECK_STRIDED_VIEW(block, xt::range(_, 2), xt::range(_, _, -1), xt::range(1, _));
}

TEST_CASE("view takes whole axes, new axes and an ellipsis as xt::view does") {
    XTAPE_CHECK_VIEW(line, xt::all());
    XTAPE_CHECK_STRIDED_VIEW(block, xt::all(), 2);
    XTAPE_CHECK_STRIDED_VIEW(block, xt::all(), xt::all(), 2);
    XTAPE_CHECK_VIEW(block, 1, xt::all(), xt::range(0, 2));
    XTAPE_CHECK_VIEW(line, xt::newaxis());
    XTAPE_CHECK_VIEW(line, xt::newaxis(), xt::all());
    XTAPE_CHECK_VIEW(line, xt::all(), xt::newaxis());
    XTAPE_CHECK_STRIDED_VIEW(plane, xt::all(), xt::newaxis(), xt::range(1, 3));
    XTAPE_CHECK_STRIDED_VIEW(block, 1, xt::newaxis(), xt::all(), 2);
    XTAPE_CHECK_STRIDED_VIEW(block, xt::newaxis(), 1, xt::newaxis(), xt::newaxis());
    XTAPE_CHECK_STRIDED_VIEW(line, xt::newaxis(), 3, xt::newaxis());
    XTAPE_CHECK_STRIDED_VIEW(block, xt::ellipsis());
    XTAPE_CHECK_STRIDED_VIEW(block, xt::ellipsis(), 2);
    XTAPE_CHECK_STRIDED_VIEW(block, 1, xt::ellipsis());
    XTAPE_CHECK_STRIDED_VIEW(five, 1, xt::ellipsis(), 1);
    XTAPE_CHECK_STRIDED_VIEW(five, xt::range(0, 1), xt::ellipsis(), xt::range(_, _, -1), xt::newaxis(), 0);
    XTAPE_CHECK_STRIDED_VIEW(block, 1, 2, xt::ellipsis(), 3);
    XTAPE_CHECK_STRIDED_VIEW(block, 1, xt::ellipsis(), xt::newaxis(), 2, 3);
}

TEST_CASE("bounds of a range that lie outside are cut, as Python cuts them") {
    const auto cut = [](std::vector<double> expected, auto range) {
        check_movement("cut", line, xt::adapt(expected, std::vector<std::size_t>{expected.size()}),
                       [range](const auto& x) { return view(x, range); });
    };
    cut({0, 1}, xt::range(-100, 2));
    cut({5, 6}, xt::range(5, 100));
    cut({6, 5, 4}, xt::range(100, 3, -1));
    cut({1, 0}, xt::range(1, -100, -1));
    cut({}, xt::range(5, 2));
    cut({}, xt::range(2, 5, -1));
    cut({}, xt::range(100, 200));
    cut({}, xt::range(-100, -50));
    cut({6, 3, 0}, xt::range(_, _, -3));
}

TEST_CASE("view of what has no elements, and of 0-d") {
    const std::vector<std::size_t> nothing = {0, 3};
    check_movement("rows of nothing", nothing, Array::from_shape({0, 2}),
                   [](const auto& x) { return view(x, xt::all(), xt::range(0, 2)); });
    check_movement("a column of nothing", nothing, Array::from_shape({0}),
                   [](const auto& x) { return view(x, xt::all(), 1); });
    check_movement("nothing backward", nothing, Array::from_shape({0, 3}),
                   [](const auto& x) { return view(x, xt::range(_, _, -1)); });
    check_movement("0-d", {}, Array(0.0), [](const auto& x) { return view(x, xt::ellipsis()); });
    check_movement("0-d with a new axis", {}, Array{0.0}, [](const auto& x) { return view(x, xt::newaxis()); });
}

namespace {

/// The transpose by its definition.
Array transposed(const std::vector<std::size_t>& shape, const std::vector<std::size_t>& permutation) {
    std::vector<std::size_t> strides(shape.size(), 1);
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    std::vector<std::size_t> extents;
    for (const std::size_t axis : permutation) {
        extents.push_back(shape[axis]);
    }
    Array y = Array::from_shape(extents);
    std::vector<std::size_t> index(extents.size(), 0);
    for (std::size_t k = 0; k < y.size(); ++k) {
        std::size_t from = 0;
        for (std::size_t axis = 0; axis < index.size(); ++axis) {
            from += index[axis] * strides[permutation[axis]];
        }
        y.flat(k) = static_cast<double>(from);
        for (std::size_t axis = index.size(); axis-- > 0 && ++index[axis] == extents[axis];) {
            index[axis] = 0;
        }
    }
    return y;
}

void check_all_permutations(const std::vector<std::size_t>& shape) {
    std::vector<std::size_t> permutation;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        permutation.push_back(axis);
    }
    do {
        const auto name = fmt::format("({}) transposed ({})", fmt::join(shape, ","), fmt::join(permutation, ","));
        check_movement(name, shape, transposed(shape, permutation),
                       [&](const auto& x) { return transpose(x, permutation); });
    } while (std::next_permutation(permutation.begin(), permutation.end()));
}

}  // namespace

TEST_CASE("transpose by every permutation, tiles and their borders among them") {
    check_all_permutations({5});
    check_all_permutations({2, 3});
    check_all_permutations({16, 16});
    check_all_permutations({33, 17});
    check_all_permutations({70, 45});
    check_all_permutations({70, 45, 33});
    check_all_permutations({5, 17, 18, 4});
    check_all_permutations({2, 3, 1, 2, 3});
    check_all_permutations({0, 3, 2});
}

TEST_CASE("transpose without a permutation reverses the axes, and negative axes count from the end") {
    check_movement("3-d", block, transposed(block, {2, 1, 0}), [](const auto& x) { return transpose(x); });
    check_movement("1-d", line, numbered(line), [](const auto& x) { return transpose(x); });
    check_movement("0-d", {}, Array(0.0), [](const auto& x) { return transpose(x); });
    check_movement("negative", block, transposed(block, {2, 0, 1}), [](const auto& x) {
        return transpose(x, {-1, 0, -2});
    });
    check_movement("xt::transpose", block, Array(xt::transpose(numbered(block), {1, 2, 0})), [](const auto& x) {
        return transpose(x, {1, 2, 0});
    });
}

TEST_CASE("transpose in float moves the same elements") {
    const Array expected = transposed({70, 45, 33}, {2, 0, 1});
    const Tensor<float> y = transpose(Tensor<float>(numbered({70, 45, 33})), {2, 0, 1});
    CHECK(std::equal(y.data(), y.data() + y.size(), expected.begin(),
                     [](float a, double b) { return a == static_cast<float>(b); }));
}

TEST_CASE("broadcast_to repeats as xt::broadcast does") {
    const auto check = [](const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
        check_movement(fmt::format("({}) to ({})", fmt::join(from, ","), fmt::join(to, ",")), from,
                       Array(xt::broadcast(numbered(from), to)), [&](const auto& x) { return broadcast_to(x, to); });
    };
    check({3}, {3});
    check({3}, {2, 3});
    check({1}, {4});
    check({3, 1}, {3, 4});
    check({3, 1}, {2, 3, 4});
    check({1, 4}, {3, 4});
    check({2, 1, 3, 1}, {2, 5, 3, 2});
    check({1, 1, 1}, {2, 3, 4});
    check({4, 17}, {3, 4, 17});
    check_movement("0-d", {}, Array(xt::broadcast(Array(0.0), {2, 3})), [](const auto& x) {
        return broadcast_to(x, {2, 3});
    });
    check_movement("to nothing", {1, 3}, Array::from_shape({0, 3}), [](const auto& x) {
        return broadcast_to(x, {0, 3});
    });
}

TEST_CASE("reshape, expand_dims and squeeze keep the elements in order") {
    const auto check = [](const std::string& name, const std::vector<std::size_t>& from, std::vector<std::size_t> to,
                          auto op) {
        Array expected = numbered(from);
        expected.reshape(to);
        check_movement(name, from, expected, op);
    };
    check("reshape", block, {5, 12}, [](const auto& x) { return reshape(x, {5, 12}); });
    check("reshape first", block, {6, 10}, [](const auto& x) { return reshape(x, {-1, 10}); });
    check("reshape middle", block, {2, 15, 2}, [](const auto& x) { return reshape(x, {2, -1, 2}); });
    check("reshape to one axis", block, {60}, [](const auto& x) { return reshape(x, {-1}); });
    check("reshape to 0-d", {1, 1}, {}, [](const auto& x) { return reshape(x, Axes{}); });
    check("reshape nothing", {0, 3}, {3, 0}, [](const auto& x) { return reshape(x, {3, 0}); });
    check("reshape nothing, -1", {0, 3}, {3, 0}, [](const auto& x) { return reshape(x, {3, -1}); });
    check("expand_dims 0", plane, {1, 4, 6}, [](const auto& x) { return expand_dims(x, 0); });
    check("expand_dims 2", plane, {4, 6, 1}, [](const auto& x) { return expand_dims(x, 2); });
    check("expand_dims -2", plane, {4, 1, 6}, [](const auto& x) { return expand_dims(x, -2); });
    check("squeeze", {1, 4, 1, 6}, {4, 6}, [](const auto& x) { return squeeze(x); });
    check("squeeze 2", {1, 4, 1, 6}, {1, 4, 6}, [](const auto& x) { return squeeze(x, 2); });
    check("squeeze -4", {1, 4, 1, 6}, {4, 1, 6}, [](const auto& x) { return squeeze(x, -4); });
    check("squeeze nothing to squeeze", plane, {4, 6}, [](const auto& x) { return squeeze(x); });
}

TEST_CASE("concatenate joins as xt::concatenate does, and hands each its part of the gradient") {
    const auto check = [](const std::vector<std::vector<std::size_t>>& shapes, std::size_t axis,
                          const Array& expected) {
        std::vector<Tensor<double>> parts;
        double start = 0;
        for (const auto& shape : shapes) {
            parts.push_back(parameter(Array(start + numbered(shape))));
            start += static_cast<double>(parts.back().size());
        }
        const Tensor<double> y = concatenate(parts, static_cast<std::ptrdiff_t>(axis));
        CHECK(same(y, expected));
        for (const bool recorded : {false, true}) {
            // Seeded with the numbers themselves, each part gets its own back.
            const auto g = grad(y, parts, {.seed = y.detach(), .retain_graph = true, .create_graph = recorded});
            for (std::size_t k = 0; k < parts.size(); ++k) {
                CHECK(same(g[k], Array(parts[k].value())));
            }
        }
    };
    const Array a = numbered({2, 3, 2});
    check({{2, 3, 2}, {1, 3, 2}}, 0, Array(xt::concatenate(xt::xtuple(a, Array(12.0 + numbered({1, 3, 2}))), 0)));
    check({{2, 3, 2}, {2, 1, 2}}, 1, Array(xt::concatenate(xt::xtuple(a, Array(12.0 + numbered({2, 1, 2}))), 1)));
    check({{2, 3, 2}, {2, 3, 4}}, 2, Array(xt::concatenate(xt::xtuple(a, Array(12.0 + numbered({2, 3, 4}))), 2)));
    check({{3}, {2}, {4}}, 0, numbered({9}));
    check({{0, 3}, {2, 3}, {0, 3}}, 0, numbered({2, 3}));
    check({{2, 3, 2}}, 1, a);
    check({{0, 2}, {0, 3}}, 1, Array::from_shape({0, 5}));
}

TEST_CASE("gather and scatter are adjoint: also where a layout repeats elements, or overlaps itself") {
    const std::vector<StridedLayout> layouts = {
        {.extents = {3, 4}, .strides = {1, 2}, .offset = 1},
        {.extents = {2, 3}, .strides = {0, 1}, .offset = 0},
        {.extents = {4}, .strides = {-2}, .offset = 9},
        {.extents = {}, .strides = {}, .offset = 5},
        {.extents = {2, 0}, .strides = {5, 1}, .offset = 0},
        {.extents = {3, 3}, .strides = {0, 0}, .offset = 2},
        {.extents = {2, 1, 3}, .strides = {1, 7, 4}, .offset = 0},
    };
    const Tensor<double> x(numbered({11}));
    for (const StridedLayout& layout : layouts) {
        const auto y = gather(x, layout);
        const auto ones_back = scatter(ones_like(y), layout, x.shape());
        double dot = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            dot += x.data()[i] * ones_back.data()[i];
        }
        CHECK(y.shape() == layout.extents);
        CHECK(dot == sum(y).item());  // <x, scatter(1)> = <gather(x), 1>
        CHECK(sum(ones_back).item() == static_cast<double>(y.size()));
    }
}
