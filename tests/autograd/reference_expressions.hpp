#pragma once

#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>

/// A function of the first input, spelled as an expression of x.
#define XTAPE_F(expression)    \
    [](const auto& in) {       \
        const auto& x = in[0]; \
        return expression;     \
    }

/// The expressions of tests/data/reference_cases.py as xtape spells them, each under the same name.
namespace reference {

template <typename T>
using Inputs = std::vector<xtape::Tensor<T>>;

/// One generic lambda, compiled for both precisions.
struct Expression {
    template <typename F>
    Expression(F function) : in_double(function), in_float(function) {}

    template <typename T>
    xtape::Tensor<T> operator()(const Inputs<T>& x) const {
        if constexpr (std::is_same_v<T, double>) {
            return in_double(x);
        } else {
            return in_float(x);
        }
    }

    std::function<xtape::Tensor<double>(const Inputs<double>&)> in_double;
    std::function<xtape::Tensor<float>(const Inputs<float>&)> in_float;
};

using Expressions = std::map<std::string, Expression>;

// Split by subject: one initialiser with every lambda would be slow to compile and to read.
void add_elementwise(Expressions& table);
void add_functions(Expressions& table);
void add_indexing(Expressions& table);
void add_linalg(Expressions& table);
void add_nn(Expressions& table);
void add_reductions_and_products(Expressions& table);
void add_movement(Expressions& table);
void add_compositions(Expressions& table);

inline Expressions expressions() {
    Expressions table;
    add_elementwise(table);
    add_functions(table);
    add_indexing(table);
    add_linalg(table);
    add_nn(table);
    add_reductions_and_products(table);
    add_movement(table);
    add_compositions(table);
    return table;
}

}  // namespace reference
