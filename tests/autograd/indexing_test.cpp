// Indexing: which element goes where, against naive loops, and back again in the gradient; conventions and messages.

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xpad.hpp>
#include <xtensor/xsort.hpp>

#include <xtape/autograd.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/indexing.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Array = xt::xarray<double>;
using Integers = xt::xarray<int>;
using Places = std::vector<std::ptrdiff_t>;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

/// 0, 1, 2, ... in a shape: each element tells where it came from.
Tensor<double> numbered(const Shape& shape) {
    Tensor<double> x = Tensor<double>::uninitialized(shape);
    std::iota(x.fresh_data(), x.fresh_data() + x.size(), 0.0);
    return x;
}

/// Calls f(index) for all indices of a shape, row-major.
void for_each_index(const Shape& shape, const std::function<void(const Axes&)>& f) {
    Axes index = Axes::filled(shape.size(), 0);
    for (std::size_t count = element_count(shape); count > 0; --count) {
        f(index);
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            if (++index[axis] < static_cast<std::ptrdiff_t>(shape[axis])) {
                break;
            }
            index[axis] = 0;
        }
    }
}

constexpr std::ptrdiff_t outside = -1;

/// The place in memory of an element; `outside` of an array that has no such element.
std::ptrdiff_t place_in(const Shape& shape, const Axes& index) {
    std::ptrdiff_t place = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const auto extent = static_cast<std::ptrdiff_t>(shape[axis]);
        if (index[axis] < 0 || index[axis] >= extent) {
            return outside;
        }
        place = place * extent + index[axis];
    }
    return place;
}

/// Checks that element `index` of op(x) is the element of x that `source(index)` names, or `filling` where it names
/// none; and that cotangents go back there, adding up, recorded or not.
template <class F>
void check_movement(const std::string& name, const Shape& shape, F op, const Shape& expected_shape,
                    const std::function<Axes(const Axes&)>& source, double filling = 0.0) {
    INFO(name);
    const auto x = parameter(numbered(shape));
    const Tensor<double> y = op(x);
    REQUIRE(to_string(y.shape()) == to_string(expected_shape));
    std::vector<double> expected;
    std::vector<double> brought_back(x.size(), 0.0);
    Tensor<double> v = Tensor<double>::uninitialized(y.shape());
    for_each_index(expected_shape, [&](const Axes& index) {
        const std::ptrdiff_t place = place_in(shape, source(index));
        const auto cotangent = static_cast<double>(expected.size() % 97 + 1);
        v.fresh_data()[expected.size()] = cotangent;
        expected.push_back(place == outside ? filling : static_cast<double>(place));
        if (place != outside) {
            brought_back[static_cast<std::size_t>(place)] += cotangent;
        }
    });
    CHECK(elements(y) == expected);
    for (const bool recorded : {false, true}) {
        const auto g = grad(y, {x}, {.seed = v, .retain_graph = true, .create_graph = recorded}).front();
        CHECK(elements(g) == brought_back);
    }
}

/// The gradient by x of y for the cotangent v, both ways.
void check_gradient(const Tensor<double>& y, const Tensor<double>& x, const Array& v,
                    const std::vector<double>& expected) {
    for (const bool recorded : {false, true}) {
        const auto g =
            grad(y, {x}, {.seed = Tensor<double>(v), .retain_graph = true, .create_graph = recorded}).front();
        CHECK(elements(g) == expected);
    }
}

std::vector<std::ptrdiff_t> integers(const IndexArray& indices) { return {indices.begin(), indices.end()}; }

std::string shape_of(const IndexArray& indices) { return to_string(Shape(indices.shape())); }

}  // namespace

TEST_CASE("take puts the axes of its indices in the axis's place") {
    const Integers matrix = {{2, -3}, {0, 0}};
    check_movement(
        "of the middle axis by a matrix", {2, 3, 2}, [&](const auto& x) { return take(x, matrix, 1); }, {2, 2, 2, 2},
        [&](const Axes& i) {
            return Axes{i[0], (matrix(i[1], i[2]) + 3) % 3, i[3]};
        });
    check_movement(
        "rows", {4, 2},
        [](const auto& x) {
            return take(x, {3, -1, 0}, 0);
        },
        {3, 2},
        [](const Axes& i) {
            return Axes{i[0] == 2 ? 0 : 3, i[1]};
        });
    check_movement(
        "one", {2, 3}, [](const auto& x) { return take(x, 2, -1); }, {2},
        [](const Axes& i) {
            return Axes{i[0], 2};
        });
    check_movement(
        "from all", {2, 3},
        [&](const auto& x) {
            return take(x, xt::xarray<unsigned char>{5, 0, 5});
        },
        {3},
        [](const Axes& i) {
            return i[0] == 1 ? Axes{0, 0} : Axes{1, 2};
        });
    check_movement(
        "of an expression of indices", {3},
        [](const auto& x) {
            return take(x, Integers{0, 1} + 1, 0);
        },
        {2}, [](const Axes& i) { return Axes{i[0] + 1}; });
}

TEST_CASE("take_along_axis takes one element for each index, and broadcasts the other axes") {
    const Integers each = {{1, 0, -1}, {0, 0, 1}};
    check_movement(
        "axis 0", {2, 3}, [&](const auto& x) { return take_along_axis(x, each, 0); }, {2, 3},
        [&](const Axes& i) {
            return Axes{(each(i[0], i[1]) + 2) % 2, i[1]};
        });
    const Integers shared = {{2, 2}};
    check_movement(
        "indices broadcast", {2, 3}, [&](const auto& x) { return take_along_axis(x, shared, 1); }, {2, 2},
        [](const Axes& i) {
            return Axes{i[0], 2};
        });
    check_movement(
        "x broadcast", {1, 3}, [&](const auto& x) { return take_along_axis(x, each, -1); }, {2, 3},
        [&](const Axes& i) {
            return Axes{0, (each(i[0], i[1]) + 3) % 3};
        });
}

TEST_CASE("flip, roll, pad and tile move elements as their names say") {
    check_movement(
        "flip", {2, 3}, [](const auto& x) { return flip(x); }, {2, 3},
        [](const Axes& i) {
            return Axes{1 - i[0], 2 - i[1]};
        });
    check_movement(
        "flip 1", {2, 3, 2}, [](const auto& x) { return flip(x, 1); }, {2, 3, 2},
        [](const Axes& i) {
            return Axes{i[0], 2 - i[1], i[2]};
        });
    for (const std::ptrdiff_t shift : {0, 1, 2, 3, 7, -1, -8}) {
        check_movement(
            "roll axis 1", {2, 3, 2}, [&](const auto& x) { return roll(x, shift, 1); }, {2, 3, 2},
            [&](const Axes& i) {
                return Axes{i[0], (i[1] - shift + 9) % 3, i[2]};
            });
        check_movement(
            "roll", {2, 3}, [&](const auto& x) { return roll(x, shift); }, {2, 3},
            [&](const Axes& i) {
                const std::ptrdiff_t from = (i[0] * 3 + i[1] - shift + 12) % 6;
                return Axes{from / 3, from % 3};
            });
    }
    check_movement(
        "pad", {2, 3},
        [](const auto& x) {
            return pad(x, {{1, 0}, {2, 1}}, -7.5);
        },
        {3, 6},
        [](const Axes& i) {
            return Axes{i[0] - 1, i[1] - 2};
        },
        -7.5);
    check_movement(
        "pad all axes", {2, 1},
        [](const auto& x) {
            return pad(x, {{1, 2}});
        },
        {5, 4},
        [](const Axes& i) {
            return Axes{i[0] - 1, i[1] - 1};
        });
    check_movement(
        "tile", {2, 3},
        [](const auto& x) {
            return tile(x, {2, 3});
        },
        {4, 9},
        [](const Axes& i) {
            return Axes{i[0] % 2, i[1] % 3};
        });
    check_movement(
        "tile with more axes", {3},
        [](const auto& x) {
            return tile(x, {2, 2});
        },
        {2, 6}, [](const Axes& i) { return Axes{i[1] % 3}; });
    check_movement(
        "tile with fewer axes", {2, 3}, [](const auto& x) { return tile(x, 2); }, {2, 6},
        [](const Axes& i) {
            return Axes{i[0], i[1] % 3};
        });
}

TEST_CASE("diagonals and triangles are NumPy's") {
    for (const int k : {-9, -2, -1, 0, 1, 3, 9}) {
        const int length = std::max(0, std::min({3, 4, 3 + k, 4 - k}));
        const auto on_diagonal = [k](const Axes& i) {
            return Axes{i[i.size() - 1] - std::min(k, 0), i[i.size() - 1] + std::max(k, 0)};
        };
        check_movement(
            "diagonal", {3, 4}, [k](const auto& x) { return diagonal(x, k); }, {length}, on_diagonal);
        check_movement(
            "diag of a matrix", {3, 4}, [k](const auto& x) { return diag(x, k); }, {length}, on_diagonal);
        check_movement(
            "diagonal of the last axes", {2, 3, 4}, [k](const auto& x) { return diagonal(x, k, -2, -1); }, {2, length},
            [&](const Axes& i) {
                const Axes at = on_diagonal(i);
                return Axes{i[0], at[0], at[1]};
            });
        check_movement(
            "diagonal of axes 2 and 0", {4, 2, 3}, [k](const auto& x) { return diagonal(x, k, 2, 0); }, {2, length},
            [&](const Axes& i) {
                const Axes at = on_diagonal(i);
                return Axes{at[1], i[0], at[0]};
            });
        const int n = 2 + std::abs(k);
        check_movement(
            "diag", {2}, [k](const auto& x) { return diag(x, k); }, {n, n},
            [k](const Axes& i) { return Axes{i[1] - i[0] == k ? std::min(i[0], i[1]) : outside}; });
        check_movement(
            "tril", {2, 3, 4}, [k](const auto& x) { return tril(x, k); }, {2, 3, 4},
            [k](const Axes& i) {
                return i[2] - i[1] <= k ? i : Axes{outside, 0, 0};
            });
        check_movement(
            "triu", {4, 3}, [k](const auto& x) { return triu(x, k); }, {4, 3},
            [k](const Axes& i) {
                return i[1] - i[0] >= k ? i : Axes{outside, 0};
            });
    }
}

TEST_CASE("stack puts tensors along a new axis, and split takes parts off an old one") {
    const auto a = parameter(numbered({2, 2}));
    const auto b = parameter(numbered({2, 2}) + 10.0);
    CHECK(elements(stack({a, b})) == std::vector<double>{0, 1, 2, 3, 10, 11, 12, 13});
    CHECK(elements(stack({a, b}, 1)) == std::vector<double>{0, 1, 10, 11, 2, 3, 12, 13});
    CHECK(elements(stack({a, b}, -1)) == std::vector<double>{0, 10, 1, 11, 2, 12, 3, 13});
    CHECK(to_string(stack({Tensor<double>(1.0), Tensor<double>(2.0)}).shape()) == "(2,)");
    check_gradient(stack({a, b, a}, 1), a, {{{1., 2.}, {3., 4.}, {5., 6.}}, {{7., 8.}, {9., 10.}, {11., 12.}}},
                   {6, 8, 18, 20});

    const auto x = parameter(numbered({2, 6}));
    const auto thirds = split(x, 3, 1);
    REQUIRE(thirds.size() == 3);
    CHECK(elements(thirds[1]) == std::vector<double>{2, 3, 8, 9});
    check_gradient(thirds[1], x, {{1., 2.}, {3., 4.}}, {0, 0, 1, 2, 0, 0, 0, 0, 3, 4, 0, 0});
    CHECK(split(x, 2).size() == 2);
    CHECK(split(x, 1)[0].size() == 12);

    // As NumPy: negative indices, those beyond the end, and those out of order.
    const auto parts = split(numbered({5}), {1, -1, 9, 2});
    REQUIRE(parts.size() == 5);
    CHECK(elements(parts[0]) == std::vector<double>{0});
    CHECK(elements(parts[1]) == std::vector<double>{1, 2, 3});
    CHECK(elements(parts[2]) == std::vector<double>{4});
    CHECK(elements(parts[3]).empty());
    CHECK(elements(parts[4]) == std::vector<double>{2, 3, 4});
}

TEST_CASE("argmax and argmin find the first of ties, and NaN before any number") {
    const Tensor<double> x(Array{{1., 3., 3., 2.}, {-5., 0., -5., -5.}});
    CHECK(argmax(x)() == 1);
    CHECK(argmin(x)() == 4);
    CHECK(shape_of(argmax(x)) == "()");
    CHECK(integers(argmax(x, 1)) == Places{1, 1});
    CHECK(integers(argmin(x, -1)) == Places{0, 0});
    CHECK(integers(argmax(x, 0)) == Places{0, 0, 0, 0});
    const Tensor<double> holes(Array{{1., NaN, inf, NaN}, {-inf, 0., 1., 2.}});
    CHECK(argmax(holes)() == 1);
    CHECK(argmin(holes)() == 1);
    CHECK(integers(argmin(holes, 1)) == Places{1, 0});
    CHECK(integers(argmax(holes, 0)) == Places{0, 0, 0, 0});
    CHECK(integers(argmin(holes, 0)) == Places{1, 0, 1, 0});
    const auto middle = argmax(numbered({2, 3, 2}), 1);
    CHECK(shape_of(middle) == "(2, 2)");
    CHECK(integers(middle) == Places{2, 2, 2, 2});
    CHECK(argmax(Tensor<double>(7.0))() == 0);
    CHECK(shape_of(argmax(zeros<double>({0, 3}), 1)) == "(0,)");
}

TEST_CASE("sort is stable, has NaNs last, and its gradient follows the permutation") {
    const auto x = parameter(Array{2., 1., NaN, 2., -inf, 1., NaN, inf});
    const Tensor<double> y = sort(x);
    CHECK(elements(view(y, xt::range(0, 6))) == std::vector<double>{-inf, 1, 1, 2, 2, inf});
    CHECK(std::isnan(y.data()[6]));
    CHECK(std::isnan(y.data()[7]));
    check_gradient(y, x, {1., 2., 3., 4., 5., 6., 7., 8.}, {4, 2, 7, 5, 1, 3, 8, 6});
    CHECK(integers(argsort(x)) == Places{4, 1, 5, 0, 3, 7, 2, 6});
    const auto columns = parameter(Array{{3., 1.}, {1., 2.}, {2., 1.}});
    CHECK(elements(sort(columns, 0)) == std::vector<double>{1, 1, 2, 1, 3, 2});
    CHECK(elements(sort(columns, -1)) == std::vector<double>{1, 3, 1, 2, 1, 2});
    CHECK(integers(argsort(columns, 0)) == Places{1, 0, 2, 2, 0, 1});
    CHECK(elements(take_along_axis(columns, argsort(columns, 0), 0)) == elements(sort(columns, 0)));
    check_gradient(sort(columns, 0), columns, {{1., 2.}, {3., 4.}, {5., 6.}}, {5, 2, 1, 6, 3, 4});
}

TEST_CASE("sort is stable where the line is long") {
    // Short lines may be sorted by insertion, which is always stable.
    const Tensor<double> zeros_and_ones(Array(xt::fmod(xt::arange<double>(100.0), 2.0)));
    Places expected;
    for (std::ptrdiff_t i = 0; i < 100; ++i) {
        expected.push_back(i < 50 ? 2 * i : 2 * (i - 50) + 1);
    }
    CHECK(integers(argsort(zeros_and_ones)) == expected);
}

TEST_CASE("an element that was not taken gets a gradient of 0, whatever stands in it") {
    const Array values = {0., NaN, inf, -1., 4.};
    const auto check = [&](auto op, const std::vector<double>& expected) {
        const auto x = parameter(values);
        for (const bool recorded : {false, true}) {
            const auto y = sum(op(sqrt(x)));
            CHECK(elements(grad(y, {x}, {.create_graph = recorded}).front()) == expected);
        }
    };
    const std::vector<double> last = {0, 0, 0, 0, 0.25};
    check([](const auto& y) { return take(y, {4}, 0); }, last);
    check([](const auto& y) { return take(y, -1); }, last);
    check([](const auto& y) { return take_along_axis(y, Integers{4}, 0); }, last);
    check([](const auto& y) { return split(y, {4})[1]; }, last);
    check([](const auto& y) { return view(sort(y), xt::range(1, 2)); }, last);
    check([](const auto& y) { return view(flip(y), 0); }, last);
    check([](const auto& y) { return view(roll(y, 1), 0); }, last);
    check([](const auto& y) { return view(tile(y, 2), -1); }, last);
    check([](const auto& y) { return view(pad(y, {{1, 1}}, NaN), -2); }, last);
    check([](const auto& y) { return view(diag(y), 4, 4); }, last);
    check([](const auto& y) { return triu(expand_dims(y, 0), 4); }, last);
    check([](const auto& y) { return diagonal(expand_dims(y, 0), 4); }, last);
    // An infinite derivative passes where something arrives.
    check([](const auto& y) { return take(y, {0, 4, 0}, 0); }, {inf, 0, 0, 0, 0.25});
}

TEST_CASE("nothing is recorded without need, and integers are never differentiated") {
    const Tensor<double> x = numbered({2, 2});
    CHECK_FALSE(take(x, {0}, 0).requires_grad());
    CHECK_FALSE(sort(x).requires_grad());
    const NoGradGuard guard;
    CHECK_FALSE(flip(parameter(x)).requires_grad());
}

TEST_CASE("names that xtensor has too are ours for tensors") {
    using namespace xt;
    const auto x = xtape::parameter(Array{{1., 2.}, {3., 4.}});
    CHECK(elements(stack({x, x}, 1)).size() == 8);
    CHECK(elements(split(x, 2)[1]) == std::vector<double>{3, 4});
    CHECK(elements(flip(x, 0)) == std::vector<double>{3, 4, 1, 2});
    CHECK(elements(roll(x, 1)) == std::vector<double>{4, 1, 2, 3});
    CHECK(elements(roll(x * 1.0, 1, 1)) == std::vector<double>{2, 1, 4, 3});
    CHECK(elements(pad(x, {{0, 0}, {1, 0}})) == std::vector<double>{0, 1, 2, 0, 3, 4});
    CHECK(elements(diag(x, 1)) == std::vector<double>{2});
    CHECK(elements(tril(x)) == std::vector<double>{1, 0, 3, 4});
    CHECK(elements(triu(x, 0)) == std::vector<double>{1, 2, 0, 4});
    CHECK(elements(sort(x, 0)) == std::vector<double>{1, 2, 3, 4});
    CHECK(argmax(x)() == 3);
    CHECK(integers(argmin(x, 1)) == Places{0, 0});
    CHECK(elements(take(x, xt::xarray<long>{1, 1}, 0)) == std::vector<double>{3, 4, 3, 4});
}

TEST_CASE("indexing's errors name the op, the shapes and the remedy") {
    const Tensor<double> x = numbered({2, 3});
    CHECK(message<ValueError>([&] {
              (void)take(x, {0, 3}, 1);
          }) == "take: index 3 is out of range for axis 1 of shape (2, 3); allowed are [-3, 3)");
    CHECK(message<ValueError>([&] { (void)take(x, -7); }) ==
          "take: index -7 is out of range for the elements of shape (2, 3); allowed are [-6, 6)");
    CHECK(message<ValueError>([&] {
              (void)take(x, xt::xarray<std::size_t>{~std::size_t{0}}, 0);
          }).starts_with("take: index 9223372036854775807 is out of range"));
    CHECK(message<ShapeError>([&] { (void)take(x, {0}, 2); }) ==
          "take: axis 2 is out of range for shape (2, 3), which has 2 axes");
    CHECK(message<ShapeError>([&] {
              (void)take_along_axis(x, Integers{0, 1}, 0);
          }) == "take_along_axis: indices of shape (2,) for shape (2, 3): they must have as many axes");
    CHECK(message<ShapeError>([&] {
              (void)take_along_axis(x, Integers{{0, 1}}, 0);
          }).starts_with("take_along_axis: shapes (1, 3) and (1, 2) do not broadcast"));
    CHECK(message<ValueError>([&] {
              (void)take_along_axis(x, Integers{{-3, 0, 1}}, 0);
          }) == "take_along_axis: index -3 is out of range for axis 0 of shape (2, 3); allowed are [-2, 2)");
    CHECK(message<ShapeError>([&] {
              (void)stack({x, view(x, 0)});
          }) == "stack: shapes (2, 3) and (3,) differ; to join them along an axis, concatenate");
    CHECK(message<ValueError>([&] { (void)stack(std::vector<Tensor<double>>{}); }) ==
          "stack: no tensors given; at least one is needed");
    CHECK(message<ShapeError>([&] { (void)stack({x, x}, 3); }).starts_with("stack: axis 3 is out of range"));
    CHECK(message<ShapeError>([&] { (void)split(x, 2, 1); }) ==
          "split: axis 1 of shape (2, 3) is 3, which 2 sections don't divide; give the indices to cut at, as split(x, "
          "{i, j, ...}, axis)");
    CHECK(message<ValueError>([&] { (void)split(x, 0); }) == "split: the number of sections must be positive");
    CHECK(message<ValueError>([&] { (void)split(x, -1); }) == "split: the number of sections must be positive");
    CHECK(message<ShapeError>([&] { (void)flip(x, {0, -2}); }).starts_with("flip: axis -2 is given twice"));
    CHECK(message<ShapeError>([&] { (void)roll(x, 1, 2); }).starts_with("roll: axis 2 is out of range"));
    CHECK(message<ShapeError>([&] {
              (void)pad(x, {{1, 1}, {0, 0}, {0, 0}});
          }) == "pad: 3 pairs of widths for shape (2, 3); it takes one for each axis, or one for all");
    CHECK(message<ValueError>([&] {
              (void)pad(x, {{1, 1}, {0, -1}});
          }) == "pad: widths {0, -1} of axis 1: they can't be negative; to cut, use view");
    CHECK(message<ValueError>([&] {
              (void)tile(x, {2, -1});
          }) == "tile: repetitions (2, -1) of shape (2, 3): they can't be negative");
    CHECK(message<ShapeError>([&] { (void)diagonal(x, 0, 1, -1); }) ==
          "diagonal: axes 1 and -1 of shape (2, 3) are the same");
    CHECK(message<ShapeError>([&] {
              (void)diagonal(view(x, 0));
          }).starts_with("diagonal: axis 1 is out of range for shape (3,)"));
    CHECK(message<ShapeError>([&] {
              (void)diag(numbered({2, 2, 2}));
          }) == "diag: shape (2, 2, 2); it takes a vector, or a matrix; for stacks of matrices, diagonal");
    CHECK(message<ShapeError>([&] { (void)tril(view(x, 0)); }) ==
          "tril: shape (3,) is no matrix; it takes two axes or more");
    CHECK(message<ShapeError>([&] { (void)triu(Tensor<double>(1.0)); }) ==
          "triu: shape () is no matrix; it takes two axes or more");
    CHECK(message<ShapeError>([&] { (void)sort(Tensor<double>(1.0)); }).starts_with("sort: axis -1 is out of range"));
    CHECK(message<ValueError>([&] {
              (void)argmax(zeros<double>({0, 3}));
          }) == "argmax: shape (0, 3) has no elements, and nothing has no largest");
    CHECK(message<ValueError>([&] {
              (void)argmin(zeros<double>({0, 3}), 0);
          }) == "argmin: shape (0, 3) has no elements along axis 0, and nothing has no smallest");
    CHECK(message<ValueError>([&] { (void)take(Tensor<double>(), {0}); }) != "");
}
