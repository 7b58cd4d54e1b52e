#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;

namespace {

void add_one_input(Expressions& table) {
#define XTAPE_BOTH(name)                           \
    table.emplace(#name, XTAPE_F(xtape::name(x))); \
    table.emplace(#name " 0-d", XTAPE_F(xtape::name(x)));
    XTAPE_BOTH(exp2)
    XTAPE_BOTH(expm1)
    XTAPE_BOTH(log2)
    XTAPE_BOTH(log10)
    XTAPE_BOTH(log1p)
    XTAPE_BOTH(rsqrt)
    XTAPE_BOTH(cube)
    XTAPE_BOTH(reciprocal)
    XTAPE_BOTH(cbrt)
    XTAPE_BOTH(tan)
    XTAPE_BOTH(asin)
    XTAPE_BOTH(acos)
    XTAPE_BOTH(atan)
    XTAPE_BOTH(sinh)
    XTAPE_BOTH(cosh)
    XTAPE_BOTH(asinh)
    XTAPE_BOTH(acosh)
    XTAPE_BOTH(atanh)
    XTAPE_BOTH(erf)
    XTAPE_BOTH(erfc)
    XTAPE_BOTH(log_sigmoid)
    XTAPE_BOTH(softplus)
    XTAPE_BOTH(gelu)
    XTAPE_BOTH(silu)
#undef XTAPE_BOTH
    table.insert({
        {"lgamma left of 0", XTAPE_F(lgamma(x))},
        {"lgamma", XTAPE_F(lgamma(x))},
        {"polygamma 2", XTAPE_F(polygamma(2, x))},
        {"polygamma 4", XTAPE_F(polygamma(4, x))},
        {"leaky_relu", XTAPE_F(leaky_relu(x, 0.2))},
        {"leaky_relu at 0", XTAPE_F(leaky_relu(x, 0.2))},
        {"elu", XTAPE_F(elu(x, 1.5))},
        {"elu at 0", XTAPE_F(elu(x, 1.5))},
        {"clip", XTAPE_F(clip(x, -0.5, 0.75))},
        {"clip at its bounds", XTAPE_F(clip(x, -1.0, 2.0))},
        {"sign times x", XTAPE_F(sign(3 * x) * x)},
        {"floor times x", XTAPE_F(floor(3 * x) * x)},
        {"ceil times x", XTAPE_F(ceil(3 * x) * x)},
        {"round times x", XTAPE_F(round(3 * x) * x)},
        {"trunc times x", XTAPE_F(trunc(3 * x) * x)},
        {"round halves", XTAPE_F(round(x) * x)},
        {"gelu far out", XTAPE_F(gelu(x))},
        {"silu far out", XTAPE_F(silu(x))},
        {"softplus far out", XTAPE_F(softplus(x))},
        {"log_sigmoid far out", XTAPE_F(log_sigmoid(x))},
    });
}

template <typename F>
void add_two_inputs(Expressions& table, const std::string& op, F f) {
    table.emplace(op + " same shape", [f](const auto& x) { return f(x[0], x[1]); });
    table.emplace(op + " (3,1) (4)", [f](const auto& x) { return f(x[0], x[1]); });
    table.emplace(op + " tensor scalar", [f](const auto& x) { return f(x[0], 0.7); });
    table.emplace(op + " scalar tensor", [f](const auto& x) { return f(0.7, x[0]); });
}

template <typename F>
void add_reduction(Expressions& table, const std::string& op, F f) {
    table.emplace(op + " all", [f](const auto& x) { return f(x[0]); });
    table.emplace(op + " axis 1", [f](const auto& x) { return f(x[0], 1); });
    table.emplace(op + " axis -1", [f](const auto& x) { return f(x[0], -1); });
}

}  // namespace

void add_functions(Expressions& table) {
    add_one_input(table);
    add_two_inputs(table, "atan2", [](const auto& a, const auto& b) { return atan2(a, b); });
    add_two_inputs(table, "hypot", [](const auto& a, const auto& b) { return hypot(a, b); });
    add_two_inputs(table, "logaddexp", [](const auto& a, const auto& b) { return logaddexp(a, b); });
    add_reduction(table, "amin", [](const auto&... x) { return amin(x...); });
    add_reduction(table, "prod", [](const auto&... x) { return prod(x...); });
    add_reduction(table, "norm_l1", [](const auto&... x) { return norm_l1(x...); });
    add_reduction(table, "norm_l2", [](const auto&... x) { return norm_l2(x...); });
    add_reduction(table, "norm_sq", [](const auto&... x) { return norm_sq(x...); });
    add_reduction(table, "variance", [](const auto&... x) { return variance(x...); });
    add_reduction(table, "stddev", [](const auto&... x) { return stddev(x...); });
    table.insert({
        {"fmod", [](const auto& x) { return fmod(x[0], x[1]); }},
        {"logaddexp of equals", [](const auto& x) { return logaddexp(x[0], x[1]); }},
        {"variance ddof 1", XTAPE_F(variance(x, {0, 2}, 1))},
        {"stddev ddof 1", XTAPE_F(stddev(x, 0, 1))},
        {"prod with a zero", XTAPE_F(prod(x))},
        {"prod with two zeros", XTAPE_F(prod(x))},
        {"prod axis 0 with zeros", XTAPE_F(prod(x, 0))},
        {"amin ties", XTAPE_F(amin(x))},
    });
}

}  // namespace reference
