// Linear algebra's values, shapes and errors. Its derivatives are in gradient_rows_linalg.cpp and reference_linalg.cpp.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "linalg_checks.hpp"

using namespace xtape;
using namespace linalg_checks;
using expect::elements;
using expect::message;
using linalg::Norm;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <typename T>
void check_factors(const Shape& shape) {
    const std::string name =
        fmt::format("{} {}", sizeof(T) == sizeof(float) ? "float" : "double", fmt::join(shape, "x"));
    const Tensor<T> a = noise<T>(shape);
    const std::size_t k = std::min(shape[shape.size() - 1], shape[shape.size() - 2]);
    const Tensor<T> one = eye<T>(k);
    const auto [q, r] = linalg::qr(a);
    check_close(name + " Q R", matmul(q, r), a);
    check_close(name + " QᵀQ", matmul_transposed(q, true, q, false),
                broadcast_to(one, matmul_transposed(q, true, q, false).shape()));
    const auto [u, s, vt] = linalg::svd(a);
    check_close(name + " U S Vt", matmul(u * expand_dims(s, -2), vt), a);
    check_close(name + " A A⁺ A", times(a, linalg::pinv(a), a), a);
}

}  // namespace

TEST_CASE_TEMPLATE("factors multiply to the matrix, single or in stacks", T, float, double) {
    for (const Shape& shape :
         {Shape{1, 1}, Shape{3, 3}, Shape{5, 2}, Shape{2, 5}, Shape{2, 3, 4}, Shape{2, 1, 4, 3}, Shape{40, 40},
          Shape{1, 7}, Shape{7, 1}, Shape{0, 0}, Shape{3, 0}, Shape{0, 3}, Shape{0, 2, 2}, Shape{2, 0, 3}}) {
        check_factors<T>(shape);
    }
    const Tensor<T> a = noise<T>({2, 5, 5}) + 3.0 * eye<T>(5);
    const Tensor<T> one = broadcast_to(eye<T>(5), a.shape());
    check_close("A A⁻¹", matmul(a, linalg::inv(a)), one);
    const Tensor<T> b = noise<T>({2, 5, 3});
    check_close("A x", matmul(a, linalg::solve(a, b)), b);
    const Tensor<T> definite = matmul_transposed(a, false, a, true);
    const Tensor<T> l = linalg::cholesky(definite);
    check_close("L Lᵀ", matmul_transposed(l, false, l, true), definite);
    CHECK(l.data()[1] == T(0));
    const auto [w, v] = linalg::eigh(definite);
    check_close("V W Vᵀ", matmul_transposed(v * expand_dims(w, -2), false, v, true), definite);
    CHECK(std::is_sorted(w.data(), w.data() + 5));
    const auto [sign, log_magnitude] = linalg::slogdet(-a);
    check_close("slogdet", sign * exp(log_magnitude), linalg::det(-a));
    CHECK_FALSE(linalg::slogdet(parameter(a)).first.requires_grad());
}

TEST_CASE_TEMPLATE("triangles are read as they are asked for, and nothing beside them", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const xt::xarray<T> lower = {{2, nan}, {1, 4}};
    const xt::xarray<T> upper = {{2, 1}, {nan, 4}};
    const xt::xarray<T> b = {2, 9};
    using Elements = std::vector<T>;
    CHECK(elements(linalg::solve_triangular(Tensor<T>(lower), b)) == Elements{1, 2});
    CHECK(elements(linalg::solve_triangular(Tensor<T>(upper), b, {.lower = false})) == Elements{T(-0.125), T(2.25)});
    CHECK(elements(linalg::solve_triangular(Tensor<T>(lower), b, {.transpose = true})) == Elements{T(-0.125), T(2.25)});
    CHECK(elements(linalg::solve_triangular(Tensor<T>(lower), b, {.unit_diagonal = true})) == Elements{2, 7});
    const Tensor<T> by_a = gradient([&](const auto& x) { return linalg::solve_triangular(x, b); }, Tensor<T>(lower));
    CHECK(by_a.data()[1] == T(0));
}

TEST_CASE_TEMPLATE("shapes follow NumPy", T, float, double) {
    const Tensor<T> a = noise<T>({2, 1, 3, 3}) + 4.0 * eye<T>(3);
    CHECK(linalg::solve(a, noise<T>({3})).shape() == Shape{2, 1, 3});
    CHECK(linalg::solve(a, noise<T>({2, 1, 3})).shape() == Shape{2, 1, 3});
    CHECK(linalg::solve(a, noise<T>({4, 3, 2})).shape() == Shape{2, 4, 3, 2});
    CHECK(linalg::solve(a, noise<T>({3, 2})).shape() == Shape{2, 1, 3, 2});
    CHECK(linalg::det(a).shape() == Shape{2, 1});
    CHECK(linalg::pinv(noise<T>({2, 3, 4})).shape() == Shape{2, 4, 3});
    CHECK(linalg::norm(a).shape() == Shape{});
    CHECK(linalg::norm(a, Norm::nuc).shape() == Shape{2, 1});
    CHECK(linalg::norm(a, Norm::two, {0}).shape() == Shape{1, 3, 3});
    CHECK(linalg::norm(a, Norm::two, {0, -1}, keep_dims).shape() == Shape{1, 1, 3, 1});
    // Each of a stack by itself.
    for (std::size_t i = 0; i < 2; ++i) {
        const auto one = reshape(of_batch(a, i), {3, 3});
        check_close("det", of_batch(linalg::det(a), i), reshape(linalg::det(one), {1}), 0);
        check_close("inv", of_batch(linalg::inv(a), i), reshape(linalg::inv(one), {1, 3, 3}), 0);
    }
}

TEST_CASE("of nothing there is an inverse, a determinant of 1 and a norm of 0") {
    const auto nothing = parameter(zeros<double>({0, 0}));
    CHECK(linalg::det(nothing).item() == 1.0);
    CHECK(linalg::slogdet(nothing).first.item() == 1.0);
    CHECK(linalg::slogdet(nothing).second.item() == 0.0);
    CHECK(linalg::inv(nothing).shape() == Shape{0, 0});
    CHECK(linalg::cholesky(nothing).shape() == Shape{0, 0});
    CHECK(linalg::solve(nothing, zeros<double>({0})).shape() == Shape{0});
    CHECK(linalg::solve(zeros<double>({3, 0, 0}), zeros<double>({3, 0, 2})).shape() == Shape{3, 0, 2});
    CHECK(std::get<1>(linalg::svd(zeros<double>({0, 3}))).shape() == Shape{0});
    CHECK(linalg::qr(zeros<double>({3, 0})).first.shape() == Shape{3, 0});
    CHECK(linalg::eigh(nothing).second.shape() == Shape{0, 0});
    for (const Norm order : {Norm::one, Norm::two, Norm::inf, Norm::fro, Norm::nuc}) {
        CHECK(linalg::norm(nothing, order).item() == 0.0);
        CHECK(elements(linalg::norm(zeros<double>({2, 0, 3}), order)) == std::vector<double>{0.0, 0.0});
    }
    CHECK(linalg::norm(nothing).item() == 0.0);
    linalg::det(nothing).backward();
    CHECK(nothing.grad().shape() == Shape{0, 0});
}

TEST_CASE("pinv cuts singular values off where it is told to") {
    const Tensor<double> a(xt::xarray<double>{{2., 0.}, {0., 1e-3}});
    CHECK(elements(linalg::pinv(a, 1e-2)) == std::vector<double>{0.5, 0.0, 0.0, 0.0});
    CHECK(linalg::pinv(a).data()[3] == doctest::Approx(1e3));
    CHECK(elements(linalg::pinv(zeros<double>({2, 3}))) == std::vector<double>(6, 0.0));
}

TEST_CASE("norms of large and small numbers neither overflow nor vanish") {
    for (const double size : {1e-300, 1e300}) {
        const Tensor<double> x(xt::xarray<double>{3.0 * size, 4.0 * size});
        CHECK(linalg::norm(x).item() == doctest::Approx(5.0 * size).epsilon(1e-14));
        check_close("gradient", gradient([](const auto& v) { return linalg::norm(v); }, x),
                    Tensor<double>(xt::xarray<double>{0.6, 0.8}));
    }
    CHECK(linalg::norm(Tensor<double>(xt::xarray<double>{inf, 1.0})).item() == inf);
}

TEST_CASE("singular and indefinite matrices are named, with the pivot, and nothing changes") {
    const auto a = parameter(xt::xarray<double>{{{1., 0.}, {0., 1.}}, {{1., 2.}, {2., 4.}}});
    const Tensor<double> one = view(a, 1);
    const Tensor<double> b = ones<double>({2});
    const std::size_t nodes = tape().nodes();
    CHECK(message<ValueError>([&] { (void)linalg::solve(one, b); }) == "solve: the matrix is singular: pivot 1 is 0");
    CHECK(message<ValueError>([&] { (void)linalg::solve(a, b); }) == "solve: matrix (1,) is singular: pivot 1 is 0");
    CHECK(message<ValueError>([&] { (void)linalg::inv(one); }) == "inv: the matrix is singular: pivot 1 is 0");
    CHECK(message<ValueError>([&] {
              (void)linalg::inv(reshape(a, {2, 1, 2, 2}));
          }) == "inv: matrix (1, 0) is singular: pivot 1 is 0");
    CHECK(message<ValueError>([&] { (void)linalg::cholesky(one); }) ==
          "cholesky: the matrix is not positive definite: pivot 1 is not positive");
    CHECK(message<ValueError>([&] { (void)linalg::cholesky(-a); }) ==
          "cholesky: matrix (0,) is not positive definite: pivot 0 is not positive");
    CHECK(message<ValueError>([&] {
              (void)linalg::solve_triangular(zeros<double>({2, 2}), b);
          }) == "solve_triangular: the matrix is singular: pivot 0 is 0");
    CHECK(linalg::solve_triangular(zeros<double>({2, 2}), b, {.unit_diagonal = true}).size() == 2);
    CHECK(tape().nodes() == nodes);
    CHECK_FALSE(a.has_grad());
}

TEST_CASE("numbers that are not finite are refused where LAPACK would not end well") {
    const Tensor<double> a(xt::xarray<double>{{{1., 0.}, {0., 1.}}, {{1., inf}, {0., 1.}}});
    CHECK(message<ValueError>([&] { (void)linalg::svd(a); }) ==
          "svd: matrix (1,) has an element that is inf; all must be finite");
    CHECK(message<ValueError>([&] { (void)linalg::eigh(a); }).find("eigh: matrix (1,) has an element") == 0);
    CHECK(message<ValueError>([&] { (void)linalg::pinv(a); }).find("pinv: matrix (1,) has an element") == 0);
    const Tensor<double> nan = full<double>({2, 2}, std::nan(""));
    CHECK(message<ValueError>([&] { (void)linalg::cholesky(nan); }).find("cholesky: the matrix is not positive") == 0);
    CHECK(std::isnan(linalg::det(nan).item()));
    CHECK(all_nan(gradient([](const auto& x) { return linalg::det(x); }, full<double>({4, 4}, std::nan("")))));
}

TEST_CASE("shapes that do not fit are named with the op") {
    const Tensor<double> wide = zeros<double>({2, 3});
    const Tensor<double> vector = zeros<double>({3});
    CHECK(message<ShapeError>([&] { (void)linalg::inv(wide); }) == "inv: matrices of shape (2, 3) are not square");
    CHECK(message<ShapeError>([&] { (void)linalg::det(wide); }) == "det: matrices of shape (2, 3) are not square");
    CHECK(message<ShapeError>([&] { (void)linalg::slogdet(wide); }).find("slogdet: matrices of shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)linalg::cholesky(wide); }).find("cholesky: matrices of shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)linalg::eigh(wide); }).find("eigh: matrices of shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)linalg::solve(wide, vector); }).find("solve: matrices of shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)linalg::qr(vector); }) == "qr: shape (3,) has no two axes for a matrix");
    CHECK(message<ShapeError>([&] { (void)linalg::svd(vector); }) == "svd: shape (3,) has no two axes for a matrix");
    CHECK(message<ShapeError>([&] { (void)linalg::pinv(vector); }) == "pinv: shape (3,) has no two axes for a matrix");
    CHECK(message<ShapeError>([&] { (void)linalg::solve(eye<double>(2), vector); }) ==
          "solve: the right-hand side (3,) does not fit matrices (2, 2): it takes (..., 2, k), or vectors of 2");
    CHECK(message<ShapeError>([&] {
              (void)linalg::solve_triangular(eye<double>(2), zeros<double>({3, 2}));
          }).find("solve_triangular: the right-hand side (3, 2) does not fit matrices (2, 2)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)linalg::solve(eye<double>(2), Tensor<double>(1.0));
          }).find("solve: the right-hand side ()") == 0);
    CHECK(message<ShapeError>([&] {
              (void)linalg::solve(zeros<double>({2, 2, 2}), zeros<double>({3, 2, 1}));
          }).find("solve: shapes (2,) and (3,) do not broadcast") == 0);
    CHECK(message<ShapeError>([&] {
              (void)linalg::norm(wide, Norm::two, {0, 0});
          }).find("norm: axis 0 is given twice") == 0);
    CHECK(message<ShapeError>([&] { (void)linalg::norm(wide, Norm::two, Axes{}); }) ==
          "norm: axes () of shape (2, 3): one for vectors, or two for matrices");
    CHECK(message<ShapeError>([&] { (void)linalg::norm(wide, Norm::two, {2}); }).find("norm: axis 2 is out of range") ==
          0);
    CHECK(message<ValueError>([&] { (void)linalg::norm(vector, Norm::nuc); }) ==
          "norm: Norm::nuc is a norm of matrices; give two axes, or take Norm::one of a vector");
}

TEST_CASE("right-hand sides may be xtensor expressions") {
    const auto a = parameter(xt::xarray<double>{{2., 0.}, {0., 4.}});
    const xt::xarray<double> b = {2., 4.};
    CHECK(elements(linalg::solve(a, 2.0 * b)) == std::vector<double>{2., 2.});
    CHECK(elements(linalg::solve_triangular(a, b)) == std::vector<double>{1., 1.});
}
