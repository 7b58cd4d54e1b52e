#include "gradient_rows.hpp"

namespace gradients {

using namespace xtape;

namespace {

const std::vector<Shape> unary_shapes = {{2, 3}, {}, {2, 0}, {19}};  // 19: whole SIMD lanes, and some left

/// A function at each of the shapes.
template <typename F>
void add_function(std::vector<Row>& rows, const std::string& op, F f, Domain domain, int orders) {
    for (const Shape& shape : unary_shapes) {
        rows.push_back({op + " " + std::to_string(shape.size()) + "-d of " + std::to_string(element_count(shape)),
                        [f](const auto& x) { return f(x[0]); },
                        {Input(shape, domain)},
                        orders});
    }
}

/// Two operands at shapes that broadcast in every way, and what else may stand on one side.
template <typename F>
void add_operator(std::vector<Row>& rows, const std::string& op, F f, Domain left, Domain right, int orders) {
    const auto two = [f](const auto& x) { return f(x[0], x[1]); };
    const std::vector<std::pair<Shape, Shape>> shapes = {
        {{2, 3}, {2, 3}}, {{3, 1}, {1, 4}}, {{2, 3, 4}, {4}}, {{4}, {2, 1, 4}}, {{2, 1, 3, 1}, {2, 1, 2}},
        {{}, {}},         {{}, {2, 3}},     {{2, 3}, {}},     {{1}, {1, 1, 1}}, {{0, 3}, {3}},
        {{2, 0}, {1, 1}}, {{19}, {19}},     {{2, 19}, {19}},  {{19}, {2, 1}},   {{19, 1}, {19, 1}},
    };
    for (const auto& [a, b] : shapes) {
        const auto spelled = [](const Shape& shape) {
            std::string extents;
            for (const std::size_t extent : shape) {
                extents += (extents.empty() ? "" : ",") + std::to_string(extent);
            }
            return "(" + extents + ")";
        };
        rows.push_back({op + " " + spelled(a) + " " + spelled(b), two, {Input(a, left), Input(b, right)}, orders});
    }
    const Input as_left({2, 3}, left);
    const Input as_right({2, 3}, right);
    const xt::xarray<double> data = {{0.5, 1.5, 0.75}, {1.25, 0.375, 2.0}};
    const xt::xarray<double> three = {0.625, 1.75, 1.0};
    rows.push_back({op + " tensor double", [f](const auto& x) { return f(x[0], 0.75); }, {as_left}, orders});
    rows.push_back({op + " double tensor", [f](const auto& x) { return f(0.75, x[0]); }, {as_right}, orders});
    rows.push_back({op + " tensor int", [f](const auto& x) { return f(x[0], 2); }, {as_left}, orders});
    rows.push_back({op + " int tensor", [f](const auto& x) { return f(2, x[0]); }, {as_right}, orders});
    rows.push_back({op + " tensor xarray", [f, data](const auto& x) { return f(x[0], data); }, {as_left}, orders});
    rows.push_back({op + " xarray tensor", [f, data](const auto& x) { return f(data, x[0]); }, {as_right}, orders});
    rows.push_back(
        {op + " tensor lazy", [f, three](const auto& x) { return f(x[0], 0.125 + three); }, {as_left}, orders});
    rows.push_back(
        {op + " lazy tensor", [f, three](const auto& x) { return f(0.125 + three, x[0]); }, {as_right}, orders});
    const Tensor<double> constant(data);
    rows.push_back({op + " tensor value()",
                    [f, constant](const auto& x) { return f(x[0], constant.value()); },
                    {as_left},
                    orders});
}

void add_kinked(std::vector<Row>& rows) {
    add_function(
        rows, "abs", [](const auto& x) { return abs(x); }, Domain::nonzero, 2);
    add_function(
        rows, "relu", [](const auto& x) { return relu(x); }, Domain::nonzero, 2);
    // What is beside a kink is curved here, so that second derivatives pass through the rule.
    add_function(
        rows, "abs of sin", [](const auto& x) { return abs(sin(x)); }, Domain::nonzero, 3);
    add_function(
        rows, "square of relu", [](const auto& x) { return square(relu(x)); }, Domain::nonzero, 3);
}

void add_powers(std::vector<Row>& rows) {
    const auto power = [](const auto& a, const auto& b) { return pow(a, b); };
    add_operator(rows, "pow", power, Domain::positive, Domain::any, 3);
    const Input any({2, 3});
    const Input positive({2, 3}, Domain::positive);
    rows.push_back({"pow(x, 0)", [](const auto& x) { return pow(x[0], 0.0); }, {any}, 3});
    rows.push_back({"pow(x, 1)", [](const auto& x) { return pow(x[0], 1.0); }, {any}, 3});
    rows.push_back({"pow(x, 3)", [](const auto& x) { return pow(x[0], 3); }, {any}, 3});
    rows.push_back({"pow(x, -2) of both signs",
                    [](const auto& x) { return pow(x[0], -2); },
                    {Input({2, 3}, Domain::nonzero)},
                    2,
                    1e-7});
    rows.push_back({"pow(x, x)", [](const auto& x) { return pow(x[0], x[0]); }, {positive}, 3});
}

void add_where(std::vector<Row>& rows) {
    const Input here({2, 3}, Domain::distinct);
    const xt::xarray<double> data = {{0.5, -1.5, 0.75}, {1.25, 0.375, -2.0}};
    const auto add = [&](const std::string& name, Expression f, std::vector<Input> inputs) {
        rows.push_back({"where " + name, std::move(f), std::move(inputs), 3});
    };
    add("", [](const auto& x) { return where(x[0].value() > 0, exp(x[0]), square(x[1])); }, {here, here});
    add("by comparison of tensors", [](const auto& x) { return where(x[0] < x[1], sin(x[0]), square(x[1])); },
        {here, here});
    add("of numbers", [data](const auto& x) { return where(xt::floor(data), exp(x[0]), x[1]); }, {here, here});
    add("broadcast", [data](const auto& x) { return where(data > 0, exp(x[0]), square(x[1])); },
        {Input({2, 1}), Input({4, 1, 3})});
    add("of 0-d", [data](const auto& x) { return where(data > 0, exp(x[0]), square(x[1])); },
        {Input(Shape{}), Input(Shape{})});
    add("of 0-d, true", [](const auto& x) { return where(true, exp(x[0]), square(x[1])); },
        {Input(Shape{}), Input(Shape{})});
    add("false", [](const auto& x) { return where(false, exp(x[0]), square(x[1])); }, {here, here});
    add("tensor scalar", [](const auto& x) { return where(x[0].value() > 0, exp(x[0]), 0.5); }, {here});
    add("scalar tensor", [](const auto& x) { return where(x[0].value() > 0, 1, exp(x[0])); }, {here});
    add("tensor xarray", [data](const auto& x) { return where(x[0].value() > 0, exp(x[0]), data); }, {here});
    add("lazy tensor", [data](const auto& x) { return where(x[0].value() > 0, data + 1.0, exp(x[0])); }, {here});
    add("empty", [](const auto& x) { return where(x[0].value() > 0, exp(x[0]), x[1]); },
        {Input({2, 0}), Input({2, 1})});
    add("of 19", [](const auto& x) { return where(x[0].value() > 0, exp(x[0]), square(x[1])); },
        {Input({19}, Domain::distinct), Input({19}, Domain::distinct)});
    add("twice the same", [](const auto& x) { return where(x[0].value() > 0, x[0], x[0]); }, {here});
}

}  // namespace

void add_unary(std::vector<Row>& rows) {
    add_function(
        rows, "negate", [](const auto& x) { return -x; }, Domain::any, 3);
    add_function(
        rows, "exp", [](const auto& x) { return exp(x); }, Domain::any, 3);
    add_function(
        rows, "log", [](const auto& x) { return log(x); }, Domain::positive, 3);
    add_function(
        rows, "sqrt", [](const auto& x) { return sqrt(x); }, Domain::positive, 3);
    add_function(
        rows, "square", [](const auto& x) { return square(x); }, Domain::any, 3);
    add_function(
        rows, "tanh", [](const auto& x) { return tanh(x); }, Domain::any, 3);
    add_function(
        rows, "sin", [](const auto& x) { return sin(x); }, Domain::any, 3);
    add_function(
        rows, "cos", [](const auto& x) { return cos(x); }, Domain::any, 3);
    add_function(
        rows, "sigmoid", [](const auto& x) { return sigmoid(x); }, Domain::any, 3);
    add_kinked(rows);
}

void add_binary(std::vector<Row>& rows) {
    add_operator(
        rows, "add", [](const auto& a, const auto& b) { return a + b; }, Domain::any, Domain::any, 3);
    add_operator(
        rows, "subtract", [](const auto& a, const auto& b) { return a - b; }, Domain::any, Domain::any, 3);
    add_operator(
        rows, "multiply", [](const auto& a, const auto& b) { return a * b; }, Domain::any, Domain::any, 3);
    add_operator(
        rows, "divide", [](const auto& a, const auto& b) { return a / b; }, Domain::any, Domain::nonzero, 3);
    add_operator(
        rows, "maximum", [](const auto& a, const auto& b) { return maximum(a, b); }, Domain::distinct, Domain::distinct,
        2);
    add_operator(
        rows, "minimum", [](const auto& a, const auto& b) { return minimum(a, b); }, Domain::distinct, Domain::distinct,
        2);
    add_powers(rows);
    add_where(rows);
    const Input here({2, 3}, Domain::positive);
    rows.push_back({"x + x", [](const auto& x) { return x[0] + x[0]; }, {here}, 3});
    rows.push_back({"x - x", [](const auto& x) { return x[0] - x[0]; }, {here}, 3});
    rows.push_back({"x * x", [](const auto& x) { return x[0] * x[0]; }, {here}, 3});
    rows.push_back({"x / x", [](const auto& x) { return x[0] / x[0]; }, {here}, 3});
    rows.push_back({"maximum of curves",
                    [](const auto& x) { return maximum(sin(x[0]), square(x[1])); },
                    {Input({2, 3}, Domain::distinct), Input({2, 3}, Domain::distinct)},
                    3});
    rows.push_back({"minimum of curves",
                    [](const auto& x) { return minimum(exp(x[0]), square(x[1])); },
                    {Input({2, 1}, Domain::distinct), Input({2, 3}, Domain::distinct)},
                    3});
    // Compound assignment rebinds the handle of what is no leaf.
    rows.push_back({"compound assignment",
                    [](const auto& x) {
                        auto y = x[0] * 1.0;
                        y += x[1];
                        y *= x[0];
                        y -= 0.5;
                        y /= x[1];
                        return y;
                    },
                    {here, here},
                    3});
}

}  // namespace gradients
