#include "gradient_rows.hpp"

namespace gradients {

using namespace xtape;

namespace {

/// A reduction over axes in every position. `add(name, f, inputs)` makes the rows; `op(x, arguments...)` reduces.
template <typename Op, typename Add>
void add_reduction(const std::string& op, Op f, Add add) {
    const std::vector<Input> cube = {Input({2, 3, 4}, Domain::distinct)};
    add(
        op + " all", [f](const auto& x) { return f(x[0]); }, cube);
    add(
        op + " all keep_dims", [f](const auto& x) { return f(x[0], keep_dims); }, cube);
    add(op + " 0-d", [f](const auto& x) { return f(x[0]); }, {Input(Shape{}, Domain::distinct)});
    add(op + " of one", [f](const auto& x) { return f(x[0]); }, {Input({1}, Domain::distinct)});
    struct Case {
        const char* name;
        Axes axes;
    };
    const std::vector<Case> cases = {{"axis 0", 0},          {"axis 1", 1},        {"axis 2", 2},
                                     {"axis -1", -1},        {"axes 0 1", {0, 1}}, {"axes 2 1", {2, 1}},
                                     {"axes 0 -1", {0, -1}}, {"no axes", Axes{}},  {"axes 0 1 2", {0, 1, 2}}};
    for (const auto& [name, axes] : cases) {
        add(
            op + " " + name, [f, axes = axes](const auto& x) { return f(x[0], axes); }, cube);
        add(
            op + " " + name + " keep_dims", [f, axes = axes](const auto& x) { return f(x[0], axes, keep_dims); }, cube);
    }
    const std::vector<Input> wide = {Input({3, 19}, Domain::distinct)};
    add(
        op + " (3,19) axis 0", [f](const auto& x) { return f(x[0], 0); }, wide);
    add(
        op + " (3,19) axis 1", [f](const auto& x) { return f(x[0], 1); }, wide);
    add(op + " (2,3,2,3) axes 0 2",
        [f](const auto& x) {
            return f(x[0], Axes{0, 2});
        },
        {Input({2, 3, 2, 3}, Domain::distinct)});
    add(op + " (2,3,2,3) axes 1 3",
        [f](const auto& x) {
            return f(x[0], Axes{1, 3});
        },
        {Input({2, 3, 2, 3}, Domain::distinct)});
    add(op + " (0,3) axis 1", [f](const auto& x) { return f(x[0], 1); }, {Input({0, 3})});
}

}  // namespace

void add_reductions(std::vector<Row>& rows) {
    const auto linear = [&](const std::string& name, auto f, std::vector<Input> inputs) {
        add_linear(rows, name, f, std::move(inputs));
    };
    const auto order = [&](int orders) {
        return [&rows, orders](const std::string& name, Expression f, std::vector<Input> inputs) {
            rows.push_back({name, std::move(f), std::move(inputs), orders});
        };
    };
    add_reduction(
        "sum", [](const auto&... x) { return sum(x...); }, linear);
    add_reduction(
        "mean", [](const auto&... x) { return mean(x...); }, linear);
    add_reduction(
        "amax", [](const auto&... x) { return amax(x...); }, order(2));
    add_reduction(
        "exp of amax", [](const auto&... x) { return exp(amax(x...)); }, order(3));
    add_reduction(
        "logsumexp", [](const auto&... x) { return logsumexp(x...); }, order(3));
    add_reduction(
        "amin", [](const auto&... x) { return amin(x...); }, order(2));
    add_reduction(
        "exp of amin", [](const auto&... x) { return exp(amin(x...)); }, order(3));
    add_reduction(
        "prod", [](const auto&... x) { return prod(x...); }, order(2));
    add_reduction(
        "norm_l1", [](const auto&... x) { return norm_l1(x...); }, order(2));
    add_reduction(
        "norm_l2", [](const auto&... x) { return norm_l2(x...); }, order(2));
    add_reduction(
        "norm_sq", [](const auto&... x) { return norm_sq(x...); }, order(2));
    const std::vector<Input> cube = {Input({2, 3, 4})};
    const auto moments = [&](const std::string& name, Expression f) { rows.push_back({name, std::move(f), cube, 2}); };
    moments("variance", [](const auto& x) { return variance(x[0]); });
    moments("variance axis 1", [](const auto& x) { return variance(x[0], 1); });
    moments("variance axes, ddof 1", [](const auto& x) { return variance(x[0], {0, -1}, 1); });
    moments("variance keep_dims", [](const auto& x) { return variance(x[0], 2, keep_dims); });
    moments("variance ddof 2 keep_dims", [](const auto& x) { return variance(x[0], {1, 2}, 2, keep_dims); });
    moments("stddev", [](const auto& x) { return stddev(x[0]); });
    moments("stddev axis -1, ddof 1", [](const auto& x) { return stddev(x[0], -1, 1); });
    moments("stddev axes keep_dims", [](const auto& x) { return stddev(x[0], {0, 1}, keep_dims); });
    linear("sum (3,0) axis 1", [](const auto& x) { return sum(x[0], 1); }, {Input({3, 0})});
    linear("sum (3,0)", [](const auto& x) { return sum(x[0]); }, {Input({3, 0})});
    linear("reduce_to", [](const auto& x) { return reduce_to(x[0], {3, 1}); }, {Input({2, 3, 4})});
}

void add_products(std::vector<Row>& rows) {
    const auto product = [](const auto& x) { return matmul(x[0], x[1]); };
    const auto add = [&](const std::string& name, Expression f, std::vector<Input> inputs) {
        rows.push_back(exact(name, f, inputs));
    };
    add("matmul (3) (3)", product, {{3}, {3}});
    add("matmul (2,3) (3)", product, {{2, 3}, {3}});
    add("matmul (3) (3,2)", product, {{3}, {3, 2}});
    add("matmul (2,3) (3,4)", product, {{2, 3}, {3, 4}});
    add("matmul (1,3) (3,1)", product, {{1, 3}, {3, 1}});
    add("matmul (3,1) (1,2)", product, {{3, 1}, {1, 2}});
    add("matmul (2,2,3) (2,3,4)", product, {{2, 2, 3}, {2, 3, 4}});
    add("matmul (2,2,3) (3,4)", product, {{2, 2, 3}, {3, 4}});
    add("matmul (2,3) (2,3,2)", product, {{2, 3}, {2, 3, 2}});
    add("matmul (2,1,2,3) (3,3,2)", product, {{2, 1, 2, 3}, {3, 3, 2}});
    add("matmul (1,2,3) (4,3,2)", product, {{1, 2, 3}, {4, 3, 2}});
    add("matmul (2,2,3) (3)", product, {{2, 2, 3}, {3}});
    add("matmul (3) (2,3,2)", product, {{3}, {2, 3, 2}});
    add("matmul (0,3) (3,2)", product, {{0, 3}, {3, 2}});
    add("matmul (2,0) (0,3)", product, {{2, 0}, {0, 3}});
    add("matmul (0) (0)", product, {{0}, {0}});
    add("matmul (0,2,3) (3,2)", product, {{0, 2, 3}, {3, 2}});
    add("matmul (0,2,3) (1,3,2)", product, {{0, 2, 3}, {1, 3, 2}});
    add("matmul (2,3,0) (0,2)", product, {{2, 3, 0}, {0, 2}});
    add("matmul with itself", [](const auto& x) { return matmul(x[0], x[0]); }, {{3, 3}});
    add("matmul with its transpose", [](const auto& x) { return matmul(x[0], transpose(x[0])); }, {{2, 3}});
    rows.push_back({"matmul thrice", [](const auto& x) { return matmul(matmul(x[0], x[0]), x[0]); }, {{3, 3}}, 3});
    const xt::xarray<double> data = {{0.5, -1.5, 0.75}, {1.25, 0.375, -2.0}};
    add("matmul tensor xarray", [data](const auto& x) { return matmul(x[0], data); }, {{4, 2}});
    add("matmul lazy tensor", [data](const auto& x) { return matmul(2.0 * data, x[0]); }, {{3, 2}});

    for (const bool left : {false, true}) {
        for (const bool right : {false, true}) {
            const std::string name =
                std::string("matmul_transposed ") + (left ? "yes " : "no ") + (right ? "yes" : "no");
            const auto f = [left, right](const auto& x) { return matmul_transposed(x[0], left, x[1], right); };
            const Shape a = left ? Shape{3, 2} : Shape{2, 3};
            const Shape b = right ? Shape{4, 3} : Shape{3, 4};
            add(name, f, {a, b});
            const auto in_batches = [](const Shape& matrix, std::size_t count) {
                return Shape{count, matrix[0], matrix[1]};
            };
            add(name + " in batches", f, {in_batches(a, 2), in_batches(b, 2)});
            add(name + " broadcast", f, {in_batches(a, 1), in_batches(b, 3)});
        }
    }

    const auto with_bias = [](const auto& x) { return xtape::linear(x[0], x[1], x[2]); };
    const auto without = [](const auto& x) { return xtape::linear(x[0], x[1]); };
    add("linear", with_bias, {{4, 3}, {2, 3}, {2}});
    add("linear of a vector", with_bias, {{3}, {2, 3}, {2}});
    add("linear (2,2,3)", with_bias, {{2, 2, 3}, {2, 3}, {2}});
    add("linear to 19", with_bias, {{2, 3}, {19, 3}, {19}});
    add("linear of no rows", with_bias, {{0, 3}, {2, 3}, {2}});
    add("linear of no features", with_bias, {{4, 0}, {2, 0}, {2}});
    add("linear to no features", with_bias, {{4, 3}, {0, 3}, {0}});
    add("linear without bias", without, {{4, 3}, {2, 3}});
    add("linear (2,2,3) without bias", without, {{2, 2, 3}, {2, 3}});
    add("linear of no features without bias", without, {{4, 0}, {2, 0}});
    const Tensor<double> constant(data);
    add("linear of data",
        [data](const auto& x) { return xtape::linear(std::decay_t<decltype(x[0])>(data), x[0], x[1]); }, {{4, 3}, {4}});
    rows.push_back({"linear of linear",
                    [](const auto& x) { return xtape::linear(tanh(xtape::linear(x[0], x[1], x[2])), x[3]); },
                    {{4, 3}, {2, 3}, {2}, {2, 2}},
                    3});
}

}  // namespace gradients
