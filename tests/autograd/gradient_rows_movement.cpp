#include "gradient_rows.hpp"

namespace gradients {

using namespace xtape;
using namespace xt::placeholders;

namespace {

void add_views(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        add_linear(rows, "view " + name, f, {Input(std::move(shape))});
    };
    const Shape cube = {3, 4, 5};
    add(
        "of an integer", [](const auto& x) { return view(x[0], 1); }, cube);
    add(
        "of a negative integer", [](const auto& x) { return view(x[0], xt::all(), -1); }, cube);
    add(
        "to 0-d", [](const auto& x) { return view(x[0], 1, 2, 3); }, cube);
    add(
        "of a range", [](const auto& x) { return view(x[0], xt::range(0, 2)); }, cube);
    add(
        "of a range with a step", [](const auto& x) { return view(x[0], xt::all(), xt::all(), xt::range(1, 5, 2)); },
        cube);
    add(
        "backward", [](const auto& x) { return view(x[0], xt::all(), xt::range(_, _, -1)); }, cube);
    add(
        "backward by two", [](const auto& x) { return view(x[0], xt::ellipsis(), xt::range(4, 0, -2)); }, cube);
    add(
        "with open bounds", [](const auto& x) { return view(x[0], xt::range(_, 2), xt::range(1, _)); }, cube);
    add(
        "with a new axis", [](const auto& x) { return view(x[0], xt::newaxis(), 1, xt::newaxis(), xt::all()); }, cube);
    add(
        "with an ellipsis", [](const auto& x) { return view(x[0], xt::ellipsis(), 2); }, cube);
    add(
        "of all", [](const auto& x) { return view(x[0], xt::all()); }, cube);
    add(
        "of nothing", [](const auto& x) { return view(x[0], xt::range(1, 1)); }, cube);
    add("of a 0-d tensor", [](const auto& x) { return view(x[0], xt::ellipsis()); }, {});
    add("of two parts that overlap",
        [](const auto& x) { return view(x[0], xt::range(0, 3)) + 2.0 * view(x[0], xt::range(1, 4)); }, {4});
    // Layouts that repeat an element, and that leave some out.
    const StridedLayout diagonals{.extents = {2, 3}, .strides = {1, 1}, .offset = 1};
    add_linear(rows, "gather", [diagonals](const auto& x) { return gather(x[0], diagonals); }, {Input({5})});
    add_linear(rows, "scatter", [diagonals](const auto& x) { return scatter(x[0], diagonals, {6}); }, {Input({2, 3})});
}

void add_concatenations(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, std::vector<Input> inputs) {
        add_linear(rows, "concatenate " + name, f, std::move(inputs));
    };
    add("two", [](const auto& x) { return concatenate({x[0], x[1]}); }, {{2, 3}, {1, 3}});
    add("three, axis 1", [](const auto& x) { return concatenate({x[0], x[1], x[2]}, 1); }, {{2, 3}, {2, 1}, {2, 2}});
    add("axis -1 of 3", [](const auto& x) { return concatenate({x[0], x[1]}, -1); }, {{2, 2, 3}, {2, 2, 1}});
    add("axis 1 of 3", [](const auto& x) { return concatenate({x[0], x[1]}, 1); }, {{2, 2, 3}, {2, 1, 3}});
    add("one", [](const auto& x) { return concatenate(x); }, {{2, 3}});
    add("five, from a vector", [](const auto& x) { return concatenate(x, 1); },
        {{2, 1}, {2, 2}, {2, 1}, {2, 3}, {2, 1}});
    add("with itself", [](const auto& x) { return concatenate({x[0], x[0]}); }, {{2, 3}});
    add("with an empty one", [](const auto& x) { return concatenate({x[0], x[1]}); }, {{0, 3}, {2, 3}});
    add("empty ones", [](const auto& x) { return concatenate({x[0], x[1]}, 1); }, {{0, 3}, {0, 2}});
    add("with a constant", [](const auto& x) { return concatenate({x[0], zeros_like(x[0]), x[1]}); }, {{2, 3}, {1, 3}});
}

void add_axes(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        add_linear(rows, name, f, {Input(std::move(shape))});
    };
    add("transpose", [](const auto& x) { return transpose(x[0]); }, {2, 3});
    add("transpose 3-d", [](const auto& x) { return transpose(x[0]); }, {2, 3, 4});
    add("transpose 1-d", [](const auto& x) { return transpose(x[0]); }, {3});
    add("transpose 0-d", [](const auto& x) { return transpose(x[0]); }, {});
    add("transpose (1 2 0)", [](const auto& x) { return transpose(x[0], {1, 2, 0}); }, {2, 3, 4});
    add("transpose (2 0 1)", [](const auto& x) { return transpose(x[0], {2, 0, 1}); }, {2, 3, 4});
    add("transpose (0 -1 1)", [](const auto& x) { return transpose(x[0], {0, -1, 1}); }, {2, 3, 4});
    add("transpose (3 1 0 2)", [](const auto& x) { return transpose(x[0], {3, 1, 0, 2}); }, {2, 3, 2, 2});
    add("transpose (2,0)", [](const auto& x) { return transpose(x[0]); }, {2, 0});
    add("transpose (17,18)", [](const auto& x) { return transpose(x[0]); }, {17, 18});
    add("broadcast_to (3,1)", [](const auto& x) { return broadcast_to(x[0], {2, 3, 4}); }, {3, 1});
    add("broadcast_to (4)", [](const auto& x) { return broadcast_to(x[0], {2, 3, 4}); }, {4});
    add("broadcast_to 0-d", [](const auto& x) { return broadcast_to(x[0], {2, 3}); }, {});
    add("broadcast_to the same", [](const auto& x) { return broadcast_to(x[0], {2, 3}); }, {2, 3});
    add("broadcast_to nothing", [](const auto& x) { return broadcast_to(x[0], {0, 3}); }, {1, 3});
}

}  // namespace

void add_movement(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        add_linear(rows, name, f, {Input(std::move(shape))});
    };
    add("reshape", [](const auto& x) { return reshape(x[0], {3, 2}); }, {2, 3});
    add("reshape -1", [](const auto& x) { return reshape(x[0], {-1, 2, 2}); }, {2, 6});
    add("reshape to 0-d", [](const auto& x) { return reshape(x[0], Axes{}); }, {1, 1});
    add("reshape of 0-d", [](const auto& x) { return reshape(x[0], {1, 1}); }, {});
    add("reshape to the same", [](const auto& x) { return reshape(x[0], {2, 3}); }, {2, 3});
    add("reshape (2,0)", [](const auto& x) { return reshape(x[0], {0, 5}); }, {2, 0});
    add("expand_dims 0", [](const auto& x) { return expand_dims(x[0], 0); }, {2, 3});
    add("expand_dims 1", [](const auto& x) { return expand_dims(x[0], 1); }, {2, 3});
    add("expand_dims -1", [](const auto& x) { return expand_dims(x[0], -1); }, {2, 3});
    add("expand_dims of 0-d", [](const auto& x) { return expand_dims(x[0], 0); }, {});
    add("squeeze", [](const auto& x) { return squeeze(x[0]); }, {1, 3, 1, 2});
    add("squeeze 0", [](const auto& x) { return squeeze(x[0], 0); }, {1, 3, 1});
    add("squeeze 0 -1", [](const auto& x) { return squeeze(x[0], {0, -1}); }, {1, 3, 1});
    add("squeeze to 0-d", [](const auto& x) { return squeeze(x[0]); }, {1, 1});
    // There and back again, through the other precision.
    add("cast",
        [](const auto& x) {
            using T = typename std::decay_t<decltype(x[0])>::value_type;
            using Other = std::conditional_t<std::is_same_v<T, float>, double, float>;
            return x[0].template cast<Other>().template cast<T>();
        },
        {2, 3});
    for (std::size_t last = rows.size() - 2; last < rows.size(); ++last) {
        rows[last].tolerance = 1e-6;  // a step in a random direction is rounded
    }
    add("cast to its own type",
        [](const auto& x) { return x[0].template cast<typename std::decay_t<decltype(x[0])>::value_type>(); }, {2, 3});
    add_axes(rows);
    add_views(rows);
    add_concatenations(rows);
}

}  // namespace gradients
