#include <xtape/autograd/linalg.hpp>

#include "linalg_matrices.hpp"
#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;
using linalg::Norm;

namespace {

using linalg_matrices::positive_definite;
using linalg_matrices::spread;

template <typename T>
Tensor<T> dominant(const Tensor<T>& x) {
    return x + 6.0 * eye<T>(x.shape().back());
}

template <typename T>
Tensor<T> log_of_diagonal(const Tensor<T>& matrix) {
    return sum(log(sum(matrix * eye<T>(matrix.shape().back()), -1)));
}

// The same expression of inputs of several shapes.
template <typename F>
void add(Expressions& table, const std::string& op, std::initializer_list<const char*> shapes, F f) {
    for (const char* shape : shapes) {
        table.emplace(op + " " + shape, f);
    }
}

void add_systems(Expressions& table) {
    const auto solved = [](const auto& x) { return linalg::solve(dominant(x[0]), x[1]); };
    add(table, "solve",
        {"(3,3) (3,2)", "(3,3) (3)", "(1,1) (1,1)", "(5,5) (5,1)", "(2,3,3) (2,3,2)", "(2,3,3) (2,3)",
         "(2,1,3,3) (2,3,1)", "(3,3) (2,3,2)", "data", "for data"},
        solved);
    for (const bool upper : {false, true}) {
        for (const bool transpose : {false, true}) {
            for (const bool unit : {false, true}) {
                const linalg::TriangularOptions options{.lower = !upper, .transpose = transpose, .unit_diagonal = unit};
                table.emplace(
                    std::string("solve_triangular ") + (upper ? "upper" : "lower") + (transpose ? " transposed" : "") +
                        (unit ? " unit" : ""),
                    [options](const auto& x) { return linalg::solve_triangular(dominant(x[0]), x[1], options); });
            }
        }
    }
    const auto inverse = [](const auto& x) { return linalg::inv(dominant(x[0])); };
    add(table, "inv", {"(2,2,2)", "1 x 1"}, inverse);
    add(table, "pinv", {"(4,2)", "(2,4)", "(2,3,2)"}, [](const auto& x) { return linalg::pinv(spread(x[0])); });
    table.insert({
        {"solve with itself", [](const auto& x) { return linalg::solve(dominant(x[0]), x[0]); }},
        {"solve quadratic form",
         [](const auto& x) { return matmul(x[1], linalg::solve(positive_definite(x[0]), x[1])); }},
        {"solve_triangular (2,3,3) (2,3,1)",
         [](const auto& x) { return linalg::solve_triangular(dominant(x[0]), x[1]); }},
        {"inv", inverse},
        {"pinv (3,3)", [](const auto& x) { return linalg::pinv(dominant(x[0])); }},
    });
}

void add_determinants(Expressions& table) {
    add(table, "det", {"(1,1)", "(2,2)", "(3,3)", "(4,4)", "(2,3,3)"}, [](const auto& x) { return linalg::det(x[0]); });
    table.insert({
        {"det 6 x 6", [](const auto& x) { return linalg::det(0.3 * dominant(x[0])); }},
        {"det times log det",
         [](const auto& x) { return linalg::det(0.2 * dominant(x[0])) * linalg::slogdet(dominant(x[0])).second; }},
        {"slogdet", [](const auto& x) { return linalg::slogdet(dominant(x[0])).second; }},
        {"slogdet (2,3,3)", [](const auto& x) { return linalg::slogdet(x[0]).second; }},
        {"slogdet sign",
         [](const auto& x) {
             const auto [sign, log_magnitude] = linalg::slogdet(x[0]);
             return sign * log_magnitude;
         }},
    });
}

void add_factorizations(Expressions& table) {
    table.insert({
        {"cholesky", [](const auto& x) { return linalg::cholesky(positive_definite(x[0])); }},
        {"cholesky (2,3,3)", [](const auto& x) { return linalg::cholesky(positive_definite(x[0])); }},
        {"cholesky of what is not symmetric", [](const auto& x) { return linalg::cholesky(dominant(x[0])); }},
        {"cholesky log determinant",
         [](const auto& x) { return 2.0 * log_of_diagonal(linalg::cholesky(positive_definite(x[0]))); }},
    });
    add(table, "qr Q", {"(3,3)", "(5,2)", "(2,3,2)"},
        [](const auto& x) { return square(linalg::qr(spread(x[0])).first); });
    add(table, "qr R", {"(3,3)", "(5,2)", "(2,3,2)", "(2,4)"},
        [](const auto& x) { return square(linalg::qr(spread(x[0])).second); });
    add(table, "qr both", {"(3,3)", "(5,2)", "(2,3,2)", "(2,4)"}, [](const auto& x) {
        const auto [q, r] = linalg::qr(spread(x[0]));
        return matmul(square(q), square(r));
    });
    for (const std::string shape : {"(3,3)", "(4,2)", "(2,4)", "(2,3,2)"}) {
        table.emplace("svd U " + shape, [](const auto& x) { return square(std::get<0>(linalg::svd(spread(x[0])))); });
        table.emplace("svd s " + shape, [](const auto& x) { return std::get<1>(linalg::svd(spread(x[0]))); });
        table.emplace("svd Vt " + shape, [](const auto& x) { return square(std::get<2>(linalg::svd(spread(x[0])))); });
        table.emplace("svd product " + shape, [](const auto& x) {
            const auto [u, s, vt] = linalg::svd(spread(x[0]));
            return matmul(u * expand_dims(square(s), -2), vt);
        });
    }
    table.emplace("svd best of rank 1", [](const auto& x) {
        const auto [u, s, vt] = linalg::svd(spread(x[0]));
        return matmul(view(u, xt::all(), xt::range(0, 1)) * view(s, 0), view(vt, xt::range(0, 1)));
    });
    for (const std::string shape : {"(3,3)", "(5,5)", "(2,3,3)"}) {
        table.emplace("eigh w " + shape, [](const auto& x) { return linalg::eigh(spread(x[0])).first; });
        table.emplace("eigh V " + shape, [](const auto& x) { return square(linalg::eigh(spread(x[0])).second); });
        table.emplace("eigh function " + shape, [](const auto& x) {
            const auto [w, v] = linalg::eigh(spread(x[0]));
            return matmul_transposed(v * expand_dims(exp(0.1 * w), -2), false, v, true);
        });
    }
}

void add_norms(Expressions& table) {
    for (const auto& [name, order] :
         {std::pair{"one", Norm::one}, std::pair{"two", Norm::two}, std::pair{"inf", Norm::inf},
          std::pair{"fro", Norm::fro}, std::pair{"nuc", Norm::nuc}}) {
        const std::string norm = std::string("norm ") + name;
        add(table, norm, {"(3,4)", "(2,3,3)"},
            [order = order](const auto& x) { return linalg::norm(spread(x[0]), order); });
        table.emplace(norm + " axes 0 2", [order = order](const auto& x) { return linalg::norm(x[0], order, {0, 2}); });
        if (order == Norm::one || order == Norm::two || order == Norm::inf) {
            table.emplace(norm + " (5)", [order = order](const auto& x) { return linalg::norm(x[0], order); });
            table.emplace(norm + " axis 1 keep_dims",
                          [order = order](const auto& x) { return linalg::norm(x[0], order, {1}, keep_dims); });
        }
    }
    table.insert({
        {"norm of all", [](const auto& x) { return linalg::norm(x[0]); }},
        {"norm fro of the identity", [](const auto& x) { return linalg::norm(x[0], Norm::fro); }},
    });
}

void add_models(Expressions& table) {
    table.insert({
        {"gaussian log density",
         [](const auto& x) {
             const auto covariance = positive_definite(x[0]);
             return -0.5 * matmul(x[1], linalg::solve(covariance, x[1])) -
                    log_of_diagonal(linalg::cholesky(covariance));
         }},
        {"least squares", [](const auto& x) { return matmul(linalg::pinv(spread(x[0])), x[1]); }},
        {"ridge regression",
         [](const auto& x) {
             const auto gram = matmul(transpose(x[0]), x[0]);
             return linalg::solve(gram + 0.5 * eye<typename std::decay_t<decltype(gram)>::value_type>(3),
                                  matmul(transpose(x[0]), x[1]));
         }},
    });
}

}  // namespace

void add_linalg(Expressions& table) {
    add_systems(table);
    add_determinants(table);
    add_factorizations(table);
    add_norms(table);
    add_models(table);
}

}  // namespace reference
