#include "gradient_rows.hpp"

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/linalg.hpp>

#include "linalg_matrices.hpp"

namespace gradients {

using namespace xtape;

namespace {

using linalg_matrices::positive_definite;
using linalg_matrices::spread;

// Well-conditioned matrices from any.
template <typename T>
Tensor<T> dominant(const Tensor<T>& x) {
    return x + 5.0 * eye<T>(x.shape().back());
}
// A row whose derivatives are no polynomials: float loses some digits to the condition numbers.
Row row(std::string name, Expression f, std::vector<Input> inputs) {
    Row made{"linalg " + std::move(name), std::move(f), std::move(inputs)};
    made.tolerance = 1e-7;
    made.in_float = 5e-4;
    return made;
}

void add_systems(std::vector<Row>& rows) {
    const auto solved = [](const auto& x) { return linalg::solve(dominant(x[0]), x[1]); };
    rows.push_back(row("solve", solved, {{3, 3}, {3, 2}}));
    rows.push_back(row("solve of a vector", solved, {{3, 3}, {3}}));
    rows.push_back(row("solve 1 x 1", solved, {{1, 1}, {1, 1}}));
    rows.push_back(row("solve in batches", solved, {{2, 3, 3}, {2, 3, 1}}));
    rows.push_back(row("solve of a vector each", solved, {{2, 3, 3}, {2, 3}}));
    rows.push_back(row("solve one vector by each", solved, {{2, 2, 2}, {2}}));
    rows.push_back(row("solve broadcast", solved, {{2, 1, 2, 2}, {3, 2, 2}}));
    rows.push_back(row("solve one matrix for many", solved, {{2, 2}, {3, 2, 1}}));
    rows.push_back(row("solve 0 x 0", solved, {{0, 0}, {0, 2}}));
    rows.push_back(row("solve of no columns", solved, {{2, 2}, {2, 0}}));
    rows.push_back(row("solve of no matrices", solved, {{0, 2, 2}, {0, 2, 1}}));
    rows.push_back(
        row("solve with itself", [](const auto& x) { return linalg::solve(dominant(x[0]), x[0]); }, {{3, 3}}));

    for (const bool lower : {true, false}) {
        for (const bool transpose : {false, true}) {
            for (const bool unit : {false, true}) {
                const linalg::TriangularOptions options{.lower = lower, .transpose = transpose, .unit_diagonal = unit};
                const auto f = [options](const auto& x) {
                    return linalg::solve_triangular(dominant(x[0]), x[1], options);
                };
                const std::string name = std::string("solve_triangular ") + (lower ? "lower" : "upper") +
                                         (transpose ? " transposed" : "") + (unit ? " unit" : "");
                rows.push_back(row(name, f, {{3, 3}, {3, 2}}));
                rows.push_back(row(name + " of a vector", f, {{2, 2}, {2}}));
                rows.push_back(row(name + " in batches", f, {{2, 1, 2, 2}, {3, 2, 1}}));
            }
        }
    }
    rows.push_back(row("solve_triangular 0 x 0", [](const auto& x) { return linalg::solve_triangular(x[0], x[1]); },
                       {{0, 0}, {0}}));

    const auto inverse = [](const auto& x) { return linalg::inv(dominant(x[0])); };
    rows.push_back(row("inv", inverse, {{3, 3}}));
    rows.push_back(row("inv 1 x 1", inverse, {{1, 1}}));
    rows.push_back(row("inv in batches", inverse, {{2, 2, 2, 2}}));
    rows.push_back(row("inv 0 x 0", inverse, {{2, 0, 0}}));

    const auto pseudo = [](const auto& x) { return linalg::pinv(spread(x[0])); };
    rows.push_back(row("pinv", pseudo, {{3, 3}}));
    rows.push_back(row("pinv tall", pseudo, {{3, 2}}));
    rows.push_back(row("pinv wide", pseudo, {{2, 3}}));
    rows.push_back(row("pinv in batches", pseudo, {{2, 3, 2}}));
    rows.push_back(row("pinv of nothing", pseudo, {{0, 3}}));
    rows.push_back(row("pinv of rank 1",  // (3, 1) (1, 2): differences stay on matrices of that rank
                       [](const auto& x) { return linalg::pinv(matmul(x[0], x[1])); },
                       {Input({3, 1}, Domain::positive), Input({1, 2}, Domain::positive)}));
}

void add_determinants(std::vector<Row>& rows) {
    const auto determinant = [](const auto& x) { return linalg::det(x[0]); };
    for (const Shape& shape : {Shape{1, 1}, Shape{2, 2}, Shape{3, 3}, Shape{4, 4}, Shape{2, 3, 3}, Shape{2, 4, 4},
                               Shape{0, 0}, Shape{2, 0, 0}, Shape{0, 3, 3}, Shape{0, 4, 4}}) {
        rows.push_back(row("det " + to_string(shape), determinant, {shape}));
    }
    rows.push_back(row("det 5 x 5", [](const auto& x) { return linalg::det(0.5 * dominant(x[0])); }, {{5, 5}}));
    // Nearly singular, by powers of two.
    rows.push_back(row("det of columns that are small",
                       [](const auto& x) {
                           const xt::xarray<double> sizes = {1.0, 1.0, 0x1p-14, 0x1p-30};
                           using T = typename std::decay_t<decltype(x[0])>::value_type;
                           return 0x1p44 * linalg::det(x[0] * Tensor<double>(sizes).template cast<T>());
                       },
                       {{4, 4}}));
    rows.push_back(row("slogdet", [](const auto& x) { return linalg::slogdet(dominant(x[0])).second; }, {{3, 3}}));
    rows.push_back(
        row("slogdet in batches", [](const auto& x) { return linalg::slogdet(dominant(x[0])).second; }, {{2, 2, 2}}));
    rows.push_back(row("slogdet 0 x 0", [](const auto& x) { return linalg::slogdet(x[0]).second; }, {{2, 0, 0}}));
}

void add_factorizations(std::vector<Row>& rows) {
    const auto factor = [](const auto& x) { return linalg::cholesky(positive_definite(x[0])); };
    rows.push_back(row("cholesky", factor, {{3, 3}}));
    rows.push_back(row("cholesky 1 x 1", factor, {{1, 1}}));
    rows.push_back(row("cholesky in batches", factor, {{2, 2, 2}}));
    rows.push_back(row("cholesky 0 x 0", factor, {{2, 0, 0}}));
    rows.push_back(row("cholesky of what is not symmetric",
                       [](const auto& x) { return linalg::cholesky(dominant(x[0])); }, {{3, 3}}));

    const auto q = [](const auto& x) { return linalg::qr(spread(x[0])).first; };
    const auto r = [](const auto& x) { return linalg::qr(spread(x[0])).second; };
    const auto both = [](const auto& x) {
        const auto [orthogonal, triangular] = linalg::qr(spread(x[0]));
        return matmul(square(orthogonal), triangular);
    };
    for (const Shape& shape : {Shape{3, 3}, Shape{4, 2}, Shape{2, 4}, Shape{1, 1}, Shape{2, 3, 2}, Shape{2, 2, 3},
                               Shape{0, 0}, Shape{3, 0}, Shape{0, 3}, Shape{0, 2, 2}}) {
        rows.push_back(row("qr " + to_string(shape) + " Q", q, {shape}));
        rows.push_back(row("qr " + to_string(shape) + " R", r, {shape}));
        rows.push_back(row("qr " + to_string(shape), both, {shape}));
    }

    // What does not depend on signs.
    const auto u = [](const auto& x) { return square(std::get<0>(linalg::svd(spread(x[0])))); };
    const auto s = [](const auto& x) { return std::get<1>(linalg::svd(spread(x[0]))); };
    const auto vt = [](const auto& x) { return square(std::get<2>(linalg::svd(spread(x[0])))); };
    const auto all = [](const auto& x) {
        const auto [left, values, right] = linalg::svd(spread(x[0]));
        return matmul(left * expand_dims(square(values), -2), right);
    };
    for (const Shape& shape : {Shape{3, 3}, Shape{4, 2}, Shape{2, 4}, Shape{1, 1}, Shape{2, 3, 2}, Shape{2, 2, 3},
                               Shape{0, 0}, Shape{3, 0}, Shape{0, 2, 2}}) {
        rows.push_back(row("svd " + to_string(shape) + " U", u, {shape}));
        rows.push_back(row("svd " + to_string(shape) + " s", s, {shape}));
        rows.push_back(row("svd " + to_string(shape) + " Vt", vt, {shape}));
        rows.push_back(row("svd " + to_string(shape), all, {shape}));
    }

    const auto w = [](const auto& x) { return linalg::eigh(spread(x[0])).first; };
    const auto v = [](const auto& x) { return square(linalg::eigh(spread(x[0])).second); };
    const auto spectral = [](const auto& x) {
        const auto [values, vectors] = linalg::eigh(spread(x[0]));
        return matmul_transposed(vectors * expand_dims(exp(0.1 * values), -2), false, vectors, true);
    };
    for (const Shape& shape : {Shape{3, 3}, Shape{1, 1}, Shape{2, 2, 2}, Shape{0, 0}, Shape{0, 2, 2}}) {
        rows.push_back(row("eigh " + to_string(shape) + " w", w, {shape}));
        rows.push_back(row("eigh " + to_string(shape) + " V", v, {shape}));
        rows.push_back(row("eigh " + to_string(shape), spectral, {shape}));
    }
}

void add_norms(std::vector<Row>& rows) {
    using linalg::Norm;
    rows.push_back(row("norm of all", [](const auto& x) { return linalg::norm(x[0]); }, {{2, 3, 2}}));
    rows.push_back(
        row("norm of a number", [](const auto& x) { return linalg::norm(x[0]); }, {Input(Shape{}, Domain::nonzero)}));
    const auto nonzero = [](Shape shape) { return Input(std::move(shape), Domain::nonzero); };
    for (const auto& [name, order] :
         {std::pair{"one", Norm::one}, std::pair{"two", Norm::two}, std::pair{"inf", Norm::inf},
          std::pair{"fro", Norm::fro}, std::pair{"nuc", Norm::nuc}}) {
        const std::string norm = std::string("norm ") + name;
        const auto f = [order = order](const auto& x) { return linalg::norm(x[0], order); };
        const auto moved = [order = order](const auto& x) { return linalg::norm(x[0], order, {2, 0}, keep_dims); };
        const auto well_apart = [order = order](const auto& x) { return linalg::norm(spread(x[0]), order); };
        const bool is_spectral = order == Norm::nuc || order == Norm::two;
        if (is_spectral) {
            rows.push_back(row(norm + " (3,3)", well_apart, {nonzero({3, 3})}));
            rows.push_back(row(norm + " (3,2)", well_apart, {nonzero({3, 2})}));
            rows.push_back(row(norm + " (2,2,3)", well_apart, {nonzero({2, 2, 3})}));
        } else {
            rows.push_back(row(norm + " (3,3)", f, {nonzero({3, 3})}));
            rows.push_back(row(norm + " (2,3,2)", f, {nonzero({2, 3, 2})}));
        }
        rows.push_back(row(norm + " axes 2 0", moved, {nonzero({2, 3, 2})}));
        rows.push_back(row(norm + " (0,0)", f, {Input({0, 0})}));
        rows.push_back(row(norm + " (0,2,2)", f, {Input({0, 2, 2})}));
        if (order != Norm::nuc) {
            rows.push_back(row(norm + " (4)", f, {nonzero({4})}));
            rows.push_back(row(norm + " axis 1",
                               [order = order](const auto& x) { return linalg::norm(x[0], order, {1}); },
                               {nonzero({2, 3})}));
            rows.push_back(row(norm + " (0)", f, {Input({0})}));
        }
    }
}

}  // namespace

void add_linalg(std::vector<Row>& rows) {
    add_systems(rows);
    add_determinants(rows);
    add_factorizations(rows);
    add_norms(rows);
}

}  // namespace gradients
