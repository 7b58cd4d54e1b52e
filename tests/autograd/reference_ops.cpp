#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;
using namespace xt::placeholders;  // xt::range(2, _)

namespace {

template <typename F>
void add_binary(Expressions& table, const std::string& op, F f) {
    const auto two = [f](const auto& x) { return f(x[0], x[1]); };
    for (const char* shapes : {"same shape", "(3,1) (1,4)", "(2,3,4) (4)", "(4) (2,1,4)", "0-d 0-d", "0-d (2,3)",
                               "(2,3) 0-d", "(0,3) (3)", "data"}) {
        table.emplace(op + " " + shapes, two);
    }
    table.emplace(op + " tensor scalar", [f](const auto& x) { return f(x[0], 0.7); });
    table.emplace(op + " scalar tensor", [f](const auto& x) { return f(0.7, x[0]); });
    table.emplace(op + " with a part of itself", [f](const auto& x) { return f(x[0], view(x[0], 0)); });
}

template <typename F>
void add_unary(Expressions& table, const std::string& op, F f) {
    for (const char* shape : {"", " 0-d", " (2,0)"}) {
        table.emplace(op + shape, [f](const auto& x) { return f(x[0]); });
    }
}

void add_arithmetic(Expressions& table) {
    add_binary(table, "add", [](const auto& a, const auto& b) { return a + b; });
    add_binary(table, "sub", [](const auto& a, const auto& b) { return a - b; });
    add_binary(table, "mul", [](const auto& a, const auto& b) { return a * b; });
    add_binary(table, "div", [](const auto& a, const auto& b) { return a / b; });
    table.insert({
        {"add with itself", [](const auto& x) { return x[0] + x[0]; }},
        {"mul with itself", [](const auto& x) { return x[0] * x[0]; }},
        {"div data by tensor", [](const auto& x) { return x[0] / x[1]; }},
        {"add (2,1,4,1) (3,1,5)", [](const auto& x) { return x[0] + x[1]; }},
        {"mul (1) (1,1,1)", [](const auto& x) { return x[0] * x[1]; }},
        {"mul (2,0) (1,0)", [](const auto& x) { return x[0] * x[1]; }},
        {"neg", [](const auto& x) { return -x[0]; }},
        {"neg 0-d", [](const auto& x) { return -x[0]; }},
    });
}

void add_first_functions(Expressions& table) {
    add_unary(table, "exp", [](const auto& x) { return exp(x); });
    add_unary(table, "log", [](const auto& x) { return log(x); });
    add_unary(table, "sqrt", [](const auto& x) { return sqrt(x); });
    add_unary(table, "square", [](const auto& x) { return square(x); });
    add_unary(table, "abs", [](const auto& x) { return abs(x); });
    add_unary(table, "tanh", [](const auto& x) { return tanh(x); });
    add_unary(table, "sin", [](const auto& x) { return sin(x); });
    add_unary(table, "cos", [](const auto& x) { return cos(x); });
    add_unary(table, "sigmoid", [](const auto& x) { return sigmoid(x); });
    add_unary(table, "relu", [](const auto& x) { return relu(x); });
    table.insert({
        {"exp over six decades", [](const auto& x) { return exp(x[0]); }},
        {"exp far left", [](const auto& x) { return exp(x[0]); }},
        {"log near 1", [](const auto& x) { return log(x[0]); }},
        {"tanh saturated", [](const auto& x) { return tanh(x[0]); }},
        {"tanh near 0", [](const auto& x) { return tanh(x[0]); }},
        {"sigmoid far left", [](const auto& x) { return sigmoid(x[0]); }},
        {"sigmoid at +-1e4", [](const auto& x) { return sigmoid(x[0]); }},
        {"sin cos of large arguments", [](const auto& x) { return sin(x[0]) + 0.5 * cos(x[0]); }},
    });
}

void add_powers(Expressions& table) {
    table.insert({
        {"pow tensor 2", [](const auto& x) { return pow(x[0], 2.0); }},
        {"pow tensor 3", [](const auto& x) { return pow(x[0], 3); }},
        {"pow tensor 0.5", [](const auto& x) { return pow(x[0], 0.5); }},
        {"pow tensor -1.5", [](const auto& x) { return pow(x[0], -1.5); }},
        {"pow tensor 1", [](const auto& x) { return pow(x[0], 1.0); }},
        {"pow negative base -2", [](const auto& x) { return pow(x[0], -2.0); }},
        {"pow scalar tensor", [](const auto& x) { return pow(2.0, x[0]); }},
        {"pow tensor tensor", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow (3,1) (4)", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow data exponent", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow with itself", [](const auto& x) { return pow(x[0], x[0]); }},
        {"pow tensor 2 at 0", [](const auto& x) { return pow(x[0], 2.0); }},
        {"pow tensor 0 at 0", [](const auto& x) { return pow(x[0], 0.0); }},
        {"pow tensor 0.5 at 0", [](const auto& x) { return pow(x[0], 0.5); }},
        {"pow(0, 0)", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow(0, positive)", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow(0, negative)", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow(-2, 3)", [](const auto& x) { return pow(x[0], x[1]); }},
        {"pow negative base 0.5", [](const auto& x) { return pow(x[0], 0.5); }},
    });
}

void add_choices(Expressions& table) {
    table.insert({
        {"maximum", [](const auto& x) { return maximum(x[0], x[1]); }},
        {"minimum", [](const auto& x) { return minimum(x[0], x[1]); }},
        {"maximum (3,1) (4)", [](const auto& x) { return maximum(x[0], x[1]); }},
        {"minimum (4) (3,1)", [](const auto& x) { return minimum(x[0], x[1]); }},
        {"maximum tensor scalar", [](const auto& x) { return maximum(x[0], 0.25); }},
        {"minimum scalar tensor", [](const auto& x) { return minimum(0.25, x[0]); }},
        {"maximum ties", [](const auto& x) { return maximum(x[0], x[1]); }},
        {"minimum ties", [](const auto& x) { return minimum(x[0], x[1]); }},
        {"maximum with itself", [](const auto& x) { return maximum(x[0], x[0]); }},
        {"where", [](const auto& x) { return where(x[0].value() > 0, x[0], x[1]); }},
        {"where (3,1) (3,4) (4)", [](const auto& x) { return where(x[0].value() > 0, x[1], x[2]); }},
        {"where tensor scalar", [](const auto& x) { return where(x[0].value() > 0, x[0], 0.5); }},
        {"where scalar tensor", [](const auto& x) { return where(x[0].value() > 0, 0.5, x[0]); }},
        {"where of two functions", [](const auto& x) { return where(x[0] > 0, exp(x[0]), square(x[0])); }},
        {"relu at 0", [](const auto& x) { return relu(x[0]); }},
        {"abs at 0", [](const auto& x) { return abs(x[0]); }},
        {"sqrt at 0", [](const auto& x) { return sqrt(x[0]); }},
        {"log at 0", [](const auto& x) { return log(x[0]); }},
        {"sqrt of a negative number", [](const auto& x) { return sqrt(x[0]); }},
        {"relu of relu", [](const auto& x) { return relu(relu(x[0]) - 0.5); }},
    });
}

}  // namespace

void add_elementwise(Expressions& table) {
    add_arithmetic(table);
    add_first_functions(table);
    add_powers(table);
    add_choices(table);
}

namespace {

/// The spellings that sum, mean, amax and logsumexp share; `f` passes its arguments on to one of them.
template <typename F>
void add_reduction(Expressions& table, const std::string& op, F f) {
    table.insert({
        {op + " all", [f](const auto& x) { return f(x[0]); }},
        {op + " 0-d", [f](const auto& x) { return f(x[0]); }},
        {op + " axis 0", [f](const auto& x) { return f(x[0], 0); }},
        {op + " axis 1 of 3", [f](const auto& x) { return f(x[0], 1); }},
        {op + " axis -1", [f](const auto& x) { return f(x[0], -1); }},
        {op + " (0,3) axis 1", [f](const auto& x) { return f(x[0], 1); }},
    });
}

/// Braced lists don't pass through a generic lambda, so these are spelled for each reduction.
void add_reductions(Expressions& table) {
    add_reduction(table, "sum", [](const auto&... x) { return sum(x...); });
    add_reduction(table, "mean", [](const auto&... x) { return mean(x...); });
    add_reduction(table, "amax", [](const auto&... x) { return amax(x...); });
    add_reduction(table, "logsumexp", [](const auto&... x) { return logsumexp(x...); });
    table.insert({
        {"sum all keep_dims", [](const auto& x) { return sum(x[0], keep_dims); }},
        {"sum axes 0 -1",
         [](const auto& x) {
             return sum(x[0], {0, -1});
         }},
        {"sum axes 2 0 keep_dims",
         [](const auto& x) {
             return sum(x[0], {2, 0}, keep_dims);
         }},
        {"sum axis -2 keep_dims", [](const auto& x) { return sum(x[0], {-2}, keep_dims); }},
        {"mean all keep_dims", [](const auto& x) { return mean(x[0], keep_dims); }},
        {"mean axes 0 -1",
         [](const auto& x) {
             return mean(x[0], {0, -1});
         }},
        {"mean axes 2 0 keep_dims",
         [](const auto& x) {
             return mean(x[0], {2, 0}, keep_dims);
         }},
        {"mean axis -2 keep_dims", [](const auto& x) { return mean(x[0], -2, keep_dims); }},
        {"amax all keep_dims", [](const auto& x) { return amax(x[0], keep_dims); }},
        {"amax axes 0 -1",
         [](const auto& x) {
             return amax(x[0], {0, -1});
         }},
        {"amax axes 2 0 keep_dims",
         [](const auto& x) {
             return amax(x[0], {2, 0}, keep_dims);
         }},
        {"amax axis -2 keep_dims", [](const auto& x) { return amax(x[0], {-2}, keep_dims); }},
        {"logsumexp all keep_dims", [](const auto& x) { return logsumexp(x[0], keep_dims); }},
        {"logsumexp axes 0 -1",
         [](const auto& x) {
             return logsumexp(x[0], {0, -1});
         }},
        {"logsumexp axes 2 0 keep_dims",
         [](const auto& x) {
             return logsumexp(x[0], {2, 0}, keep_dims);
         }},
        {"logsumexp axis -2 keep_dims", [](const auto& x) { return logsumexp(x[0], -2, keep_dims); }},
        {"sum of nothing", [](const auto& x) { return sum(x[0]); }},
        {"mean of nothing", [](const auto& x) { return mean(x[0]); }},
        {"sum (0,3) axis 0", [](const auto& x) { return sum(x[0], 0); }},
        {"amax ties", [](const auto& x) { return amax(x[0]); }},
        {"amax ties axis 1", [](const auto& x) { return amax(x[0], 1); }},
        {"amax ties axes 0 2",
         [](const auto& x) {
             return amax(x[0], {0, 2});
         }},
        {"sum of squares", [](const auto& x) { return sum(square(x[0])); }},
        {"mean of exp axis 0", [](const auto& x) { return mean(exp(x[0]), 0); }},
        {"logsumexp of one -inf", [](const auto& x) { return logsumexp(x[0], 0); }},
        {"logsumexp at 1e4", [](const auto& x) { return logsumexp(x[0], 0); }},
    });
}

void add_products(Expressions& table) {
    for (const char* shapes :
         {"(4) (4)", "(4) (4,3)", "(3,4) (4)", "(3,4) (4,2)", "(1,4) (4,1)", "(3,1) (1,4)", "(17,9) (9,21)",
          "(2,3,4) (2,4,2)", "(2,3,4) (4,2)", "(3,4) (2,4,2)", "(2,1,3,4) (3,4,2)", "(1,3,4) (2,4,2)", "(2,3,4) (4)",
          "(4) (2,4,3)", "(3,0) (0,4)", "(0,3) (3,2)", "(0,2,3) (3,2)"}) {
        table.emplace(std::string("matmul ") + shapes, [](const auto& x) { return matmul(x[0], x[1]); });
    }
    for (const char* name : {"", " (2,3,4)", " (2,1,3,4)", " of data", " one row", " no rows", " no columns"}) {
        table.emplace(std::string("linear") + name, [](const auto& x) { return linear(x[0], x[1], x[2]); });
    }
    table.insert({
        {"matmul transposed left", [](const auto& x) { return matmul(transpose(x[0]), x[1]); }},
        {"matmul transposed right", [](const auto& x) { return matmul(x[0], transpose(x[1])); }},
        {"matmul transposed both", [](const auto& x) { return matmul(transpose(x[0]), transpose(x[1])); }},
        {"matmul x xT", [](const auto& x) { return matmul(x[0], transpose(x[0])); }},
        {"matmul x by a transposed view of x",
         [](const auto& x) { return matmul(x[0], transpose(view(x[0], xt::range(0, 2)))); }},
        {"matmul x x", [](const auto& x) { return matmul(x[0], x[0]); }},
        {"matmul data", [](const auto& x) { return matmul(x[0], x[1]); }},
        {"bilinear form", [](const auto& x) { return matmul(matmul(x[0], x[1]), x[2]); }},
        {"linear shared weight", [](const auto& x) { return linear(linear(x[0], x[1], x[2]), x[1], x[2]); }},
        {"linear x is w", [](const auto& x) { return linear(x[0], x[0], x[1]); }},
    });
}

}  // namespace

void add_reductions_and_products(Expressions& table) {
    add_reductions(table);
    add_products(table);
}

void add_movement(Expressions& table) {
    table.insert({
        {"reshape",
         [](const auto& x) {
             return reshape(x[0], {3, 4});
         }},
        {"reshape -1",
         [](const auto& x) {
             return square(reshape(x[0], {2, -1}));
         }},
        {"reshape to (1)", [](const auto& x) { return reshape(x[0], {1}); }},
        {"transpose", [](const auto& x) { return exp(transpose(x[0])); }},
        {"transpose reverses three axes", [](const auto& x) { return square(transpose(x[0])); }},
        {"transpose 1 0 2",
         [](const auto& x) {
             return transpose(x[0], {1, 0, 2});
         }},
        {"transpose 2 0 1 times",
         [](const auto& x) {
             return transpose(x[0], {2, 0, 1}) * x[1];
         }},
        {"transpose 1-d", [](const auto& x) { return square(transpose(x[0])); }},
        {"broadcast_to (3) (2,3)",
         [](const auto& x) {
             return broadcast_to(x[0], {2, 3});
         }},
        {"broadcast_to (3,1) (2,3,4)",
         [](const auto& x) {
             return broadcast_to(square(x[0]), {2, 3, 4});
         }},
        {"broadcast_to 0-d (2,2)",
         [](const auto& x) {
             return broadcast_to(exp(x[0]), {2, 2});
         }},
        {"broadcast_to (1,3) (0,3)",
         [](const auto& x) {
             return broadcast_to(x[0], {0, 3});
         }},
        {"view range all integer", [](const auto& x) { return view(x[0], xt::range(0, 2), xt::all(), 3); }},
        {"view leading rows", [](const auto& x) { return square(view(x[0], xt::range(0, 2))); }},
        {"view step", [](const auto& x) { return exp(view(x[0], xt::all(), xt::range(1, 6, 2))); }},
        {"view negative step", [](const auto& x) { return view(x[0], xt::range(4, 0, -2)); }},
        {"view open range", [](const auto& x) { return view(x[0], xt::range(2, _)); }},
        {"view newaxis", [](const auto& x) { return view(x[0], xt::all(), xt::newaxis(), xt::all()) * x[0]; }},
        {"view ellipsis", [](const auto& x) { return view(x[0], xt::ellipsis(), 1); }},
        {"view integer then ellipsis", [](const auto& x) { return sin(view(x[0], 1, xt::ellipsis())); }},
        {"view one element", [](const auto& x) { return square(view(x[0], 1, 2)); }},
        {"view empty range", [](const auto& x) { return view(x[0], xt::range(1, 1)); }},
        {"view overlapping", [](const auto& x) { return view(x[0], xt::range(1, 6)) * view(x[0], xt::range(0, 5)); }},
        {"view of a view", [](const auto& x) { return exp(view(view(x[0], xt::range(1, 4), xt::range(1, 3)), 1)); }},
        {"concatenate axis 0",
         [](const auto& x) {
             return concatenate({x[0], x[1]}, 0);
         }},
        {"concatenate axis -1",
         [](const auto& x) {
             return square(concatenate({x[0], x[1]}, -1));
         }},
        {"concatenate three axis 1",
         [](const auto& x) {
             return exp(concatenate({x[0], x[1], x[2]}, 1));
         }},
        {"concatenate with itself",
         [](const auto& x) {
             return concatenate({x[0], square(x[0]), x[0]}, 0);
         }},
        {"concatenate an empty piece",
         [](const auto& x) {
             return concatenate({x[0], x[1]}, 0);
         }},
        {"concatenate data",
         [](const auto& x) {
             return square(concatenate({x[0], x[1]}, 0));
         }},
    });
}

}  // namespace reference
