#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xtape/autograd.hpp>

#include "reference_expressions.hpp"

/// The table behind gradients_test.cpp: an op at some shapes is one row. A new op is a new row.
namespace gradients {

using reference::Expression;

/// Where an input's elements are drawn from. All are multiples of 1/1024 below 8, so that float holds them, and sums
/// and products of a few of them in double are exact.
enum class Domain {
    any,       // [-2, 2]
    positive,  // [0.25, 2.5]
    nonzero,   // 0.5 <= |x| <= 2
    distinct,  // no two closer than 1/64, whatever inputs they are in: no ties, no kinks at 0
};

struct Input {
    xtape::Shape shape;
    Domain domain = Domain::any;

    Input(xtape::Shape extents, Domain drawn_from = Domain::any) : shape(std::move(extents)), domain(drawn_from) {}
    Input(std::initializer_list<int> extents) : shape(extents) {}
};

struct Row {
    std::string name;
    Expression f;
    std::vector<Input> inputs;
    int orders = 2;           // derivatives up to this order are checked
    double tolerance = 1e-8;  // of check_gradients
    double step = 0;          // of its differences; 1 where they are exact, which polynomials of degree 2 allow
    double in_float = 1e-5;   // how far float may be from double, relative to the largest magnitude
};

/// A row of degree 2 at most: differences with a step of 1 are exact.
inline Row exact(std::string name, Expression f, std::vector<Input> inputs) {
    return {std::move(name), std::move(f), std::move(inputs), 2, 1e-12, 1.0};
}

/// The row of a linear op, and one of its square: there the second derivative passes through the op's rule.
template <typename F>
void add_linear(std::vector<Row>& rows, const std::string& name, F f, std::vector<Input> inputs) {
    rows.push_back(exact(name, f, inputs));
    rows.push_back(exact(
        name + ", squared", [f](const auto& x) { return xtape::square(f(x)); }, std::move(inputs)));
}

void add_unary(std::vector<Row>& rows);
void add_binary(std::vector<Row>& rows);
void add_functions(std::vector<Row>& rows);
void add_reductions(std::vector<Row>& rows);
void add_products(std::vector<Row>& rows);
void add_movement(std::vector<Row>& rows);
void add_softmax(std::vector<Row>& rows);
void add_losses(std::vector<Row>& rows);
void add_indexing(std::vector<Row>& rows);
void add_linalg(std::vector<Row>& rows);

const std::vector<Row>& all_rows();

/// The inputs of a row, the same for each call and each precision.
template <typename T>
std::vector<xtape::Tensor<T>> sample(const Row& row);

extern template std::vector<xtape::Tensor<float>> sample(const Row&);
extern template std::vector<xtape::Tensor<double>> sample(const Row&);

}  // namespace gradients
