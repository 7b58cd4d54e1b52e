#include "gradient_rows.hpp"

namespace gradients {

using namespace xtape;

namespace {

const Shape shapes[] = {{2, 3}, {}, {2, 0}, {19}};

struct Function {
    const char* name;
    Expression f;
    Domain domain = Domain::any;
    int orders = 3;
    double in_float = 1e-5;
};

const Function functions[] = {
    {"exp2", XTAPE_F(exp2(x))},
    {"expm1", XTAPE_F(expm1(x))},
    {"log2", XTAPE_F(log2(x)), Domain::positive},
    {"log10", XTAPE_F(log10(x)), Domain::positive},
    {"log1p", XTAPE_F(log1p(x)), Domain::positive},
    {"log1p left of 0", XTAPE_F(log1p(-0.25 * x)), Domain::positive},
    {"cube", XTAPE_F(cube(x))},
    {"rsqrt", XTAPE_F(rsqrt(x)), Domain::positive, 2},
    {"cbrt", XTAPE_F(cbrt(x)), Domain::nonzero},
    {"reciprocal", XTAPE_F(reciprocal(x)), Domain::nonzero},
    {"tan", XTAPE_F(tan(0.5 * x))},
    {"asin", XTAPE_F(asin(0.25 * x))},
    {"acos", XTAPE_F(acos(0.25 * x))},
    {"atan", XTAPE_F(atan(x))},
    {"sinh", XTAPE_F(sinh(x))},
    {"cosh", XTAPE_F(cosh(x))},
    {"asinh", XTAPE_F(asinh(x))},
    {"acosh", XTAPE_F(acosh(1.25 + x)), Domain::positive},
    {"atanh", XTAPE_F(atanh(0.25 * x))},
    {"erf", XTAPE_F(erf(x))},
    {"erfc", XTAPE_F(erfc(x))},
    {"lgamma", XTAPE_F(lgamma(0.5 + x)), Domain::positive},
    {"lgamma left of 0", XTAPE_F(lgamma(-2.5 + 0.1 * x))},
    {"digamma", XTAPE_F(digamma(0.5 + x)), Domain::positive},
    {"polygamma 1", XTAPE_F(polygamma(1, 0.5 + x)), Domain::positive},
    {"polygamma 3", XTAPE_F(polygamma(3, 1.0 + x)), Domain::positive},
    {"polygamma 2 left of 0", XTAPE_F(polygamma(2, -2.5 + 0.1 * x))},
    {"log_sigmoid", XTAPE_F(log_sigmoid(x))},
    {"softplus", XTAPE_F(softplus(x))},
    {"gelu", XTAPE_F(gelu(x))},
    {"silu", XTAPE_F(silu(x))},
    {"leaky_relu", XTAPE_F(leaky_relu(x, 0.125)), Domain::nonzero, 2},
    {"leaky_relu of sin", XTAPE_F(leaky_relu(sin(x), 0.125)), Domain::nonzero},
    {"elu", XTAPE_F(elu(x, 1.5)), Domain::nonzero},
    {"clip", XTAPE_F(clip(x, -0.51, 1.001)), Domain::distinct, 2},
    {"clip of exp", XTAPE_F(clip(exp(x), 0.503, 1.7003)), Domain::distinct},
    {"sign", XTAPE_F(sign(x) * x), Domain::nonzero},
    {"floor", XTAPE_F(floor(4.0 * x + 0.0123) * x), Domain::any},
    {"ceil", XTAPE_F(ceil(4.0 * x + 0.0123) * x), Domain::any},
    {"round", XTAPE_F(round(4.0 * x + 0.0123) * x), Domain::any},
    {"trunc", XTAPE_F(trunc(4.0 * x + 0.0123) * x), Domain::nonzero},
};

struct Operator {
    const char* name;
    Expression f;
    Domain left = Domain::any;
    Domain right = Domain::any;
    int orders = 3;
};

const Operator operators[] = {
    {"atan2", [](const auto& x) { return atan2(x[0], x[1]); }, Domain::nonzero, Domain::nonzero},
    {"hypot", [](const auto& x) { return hypot(x[0], x[1]); }, Domain::nonzero, Domain::nonzero},
    {"fmod", [](const auto& x) { return fmod(x[0] + 0.0007, 0.25 * x[1]); }, Domain::any, Domain::nonzero, 2},
    {"logaddexp", [](const auto& x) { return logaddexp(x[0], 0.5 * x[1]); }},
    {"logaddexp of equals", [](const auto& x) { return logaddexp(x[0], 0.0 * x[1] + x[0]); }},
};

}  // namespace

void add_functions(std::vector<Row>& rows) {
    for (const Function& function : functions) {
        for (const Shape& shape : shapes) {
            rows.push_back({std::string(function.name) + " " + std::to_string(shape.size()) + "-d of " +
                                std::to_string(element_count(shape)),
                            function.f,
                            {Input(shape, function.domain)},
                            function.orders,
                            1e-7,
                            0,
                            function.in_float});
        }
    }
    const std::pair<Shape, Shape> pairs[] = {{{2, 3}, {2, 3}}, {{3, 1}, {1, 4}}, {{2, 3, 4}, {4}}, {{}, {2, 3}},
                                             {{2, 3}, {}},     {{0, 3}, {3}},    {{2, 19}, {19}}};
    for (const Operator& op : operators) {
        for (const auto& [a, b] : pairs) {
            rows.push_back({std::string(op.name) + " " + std::to_string(a.size()) + "-d " + std::to_string(b.size()) +
                                "-d of " + std::to_string(element_count(a)) + ", " + std::to_string(element_count(b)),
                            op.f,
                            {Input(a, op.left), Input(b, op.right)},
                            op.orders});
        }
    }
    const auto spelled = [&](const std::string& name, Expression f) {
        rows.push_back({name, std::move(f), {Input({2, 3}, Domain::nonzero)}, 2});
    };
    const xt::xarray<double> data = {{0.5, 1.5, 0.75}, {1.25, 0.375, 2.0}};
    spelled("atan2 tensor double", [](const auto& x) { return atan2(x[0], 0.75); });
    spelled("atan2 xarray tensor", [data](const auto& x) { return atan2(data, x[0]); });
    spelled("hypot int tensor", [](const auto& x) { return hypot(2, x[0]); });
    spelled("hypot tensor lazy", [data](const auto& x) { return hypot(x[0], data + 1.0); });
    spelled("logaddexp double tensor", [](const auto& x) { return logaddexp(0.5, x[0]); });
    spelled("logaddexp tensor xarray", [data](const auto& x) { return logaddexp(x[0], data); });
}

}  // namespace gradients
