// What linalg's ops and their derivatives are where mathematics leaves it open: singular matrices, equal eigenvalues
// and singular values, kinks.

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "linalg_checks.hpp"

using namespace xtape;
using namespace linalg_checks;
using expect::elements;
using linalg::Norm;

namespace {

/// The determinant by the first row, in recorded ops: a polynomial, exact for small integers.
template <typename T>
Tensor<T> by_first_row(const Tensor<T>& a) {
    const std::size_t n = a.shape()[0];
    if (n == 0) {
        return T(1);
    }
    Tensor<T> total = T(0);
    for (std::size_t j = 0; j < n; ++j) {
        const Tensor<T> left = view(a, xt::range(1, n), xt::range(std::size_t{0}, j));
        const Tensor<T> right = view(a, xt::range(1, n), xt::range(j + 1, n));
        total = total + (j % 2 == 0 ? 1.0 : -1.0) * view(a, 0, j) * by_first_row(concatenate({left, right}, 1));
    }
    return total;
}

/// Value and derivatives up to `orders` of det at `a`, along directions without pattern, are those of the polynomial.
template <typename T>
void check_det(const std::string& name, const Tensor<T>& a, int orders, double allowed, double size = 0) {
    const Tensor<T> x = parameter(a);
    Tensor<T> got = linalg::det(x);
    Tensor<T> expected = by_first_row(x);
    check_close(name + ": value", got, expected, allowed, size);
    for (int order = 1; order <= orders; ++order) {
        const Tensor<T> by_det = grad(got, {x}, {.create_graph = true, .allow_unused = true}).front();
        const Tensor<T> by_polynomial = grad(expected, {x}, {.create_graph = true, .allow_unused = true}).front();
        check_close(fmt::format("{}: order {}", name, order), by_det, by_polynomial, allowed, size);
        const Tensor<T> direction = noise<T>(a.shape(), static_cast<std::uint64_t>(order));
        got = sum(by_det * direction);
        expected = sum(by_polynomial * direction);
    }
}

std::vector<std::pair<std::string, xt::xarray<double>>> singular_matrices() {
    return {
        {"2 x 2", {{1., 2.}, {2., 4.}}},
        {"2 x 2 of zeros", {{0., 0.}, {0., 0.}}},
        {"3 x 3", {{1., 2., 3.}, {4., 5., 6.}, {7., 8., 9.}}},
        {"3 x 3 of rank 1", {{1., 2., 3.}, {2., 4., 6.}, {-1., -2., -3.}}},
        {"4 x 4 of rank 3", {{1., 2., 0., 1.}, {0., 1., 3., 2.}, {2., 1., 1., 0.}, {3., 4., 4., 3.}}},
        {"4 x 4 of rank 2", {{1., 2., 3., 4.}, {2., 1., 0., 1.}, {3., 3., 3., 5.}, {1., -1., -3., -3.}}},
        {"4 x 4 of ones", {{1., 1., 1., 1.}, {1., 1., 1., 1.}, {1., 1., 1., 1.}, {1., 1., 1., 1.}}},
        {"4 x 4 of zeros", {{0., 0., 0., 0.}, {0., 0., 0., 0.}, {0., 0., 0., 0.}, {0., 0., 0., 0.}}},
        {"5 x 5 of rank 4",
         {{2., 1., 0., 0., 3.},
          {1., 3., 1., 0., 5.},
          {0., 1., 4., 1., 6.},
          {0., 0., 1., 5., 6.},
          {1., 0., 0., 1., 2.}}},
    };
}

}  // namespace

TEST_CASE("the determinant's derivatives are right at singular matrices, to the fourth order") {
    for (const auto& [name, matrix] : singular_matrices()) {
        check_det<double>(name, Tensor<double>(matrix), 4, 1e-12, 1.0);
        check_det<float>(name, Tensor<double>(matrix).cast<float>().detach(), 2, 2e-4, 1.0);
    }
    check_det<double>("1 x 1", zeros<double>({1, 1}), 2, 0);
    const Tensor<double> two(xt::xarray<double>{{1., 2.}, {2., 4.}});
    const auto det = [](const auto& x) { return linalg::det(x); };
    CHECK(elements(gradient(det, two)) == std::vector<double>{4, -2, -2, 1});
}

TEST_CASE("the determinant's derivatives are right at nearly singular and badly scaled matrices") {
    const Tensor<double> a = noise<double>({5, 5});
    for (const double small : {1e-3, 1e-6, 1e-9, 1e-15}) {
        const Tensor<double> sizes(xt::xarray<double>{1.0, 1.0, 1.0, small, small * small});
        check_det<double>(fmt::format("columns down to {}", small), a * sizes, 3, 1e-10);
    }
    check_det<double>("well-conditioned", a + 3.0 * eye<double>(5), 3, 1e-12);
}

TEST_CASE("in a stack a singular matrix keeps its troubles to itself") {
    const Tensor<double> regular = noise<double>({4, 4}) + 3.0 * eye<double>(4);
    const Tensor<double> singular = matmul(noise<double>({4, 3}), noise<double>({3, 4}, 2));
    const Tensor<double> both = concatenate({expand_dims(regular, 0), expand_dims(singular, 0)});
    const auto det = [](const auto& x) { return linalg::det(x); };
    const auto by_polynomial = [](const auto& x) { return by_first_row(x); };
    const Tensor<double> g = gradient(det, both);
    check_close("regular", of_batch(g, 0), gradient(by_polynomial, regular));
    check_close("singular", of_batch(g, 1), gradient(by_polynomial, singular), 1e-12);
    const Tensor<double> exact(xt::xarray<double>{{{1., 2.}, {3., 4.}}, {{1., 2.}, {2., 4.}}});
    const Tensor<double> of_log = gradient([](const auto& x) { return linalg::slogdet(x).second; }, exact);
    CHECK(all_finite(of_batch(of_log, 0)));
    CHECK(all_nan(of_batch(of_log, 1)));
}

TEST_CASE_TEMPLATE("slogdet of a singular matrix: sign 0, -inf, a gradient of NaNs at every order", T, float, double) {
    for (const auto& matrix : {xt::xarray<T>{{1, 2}, {2, 4}}, xt::xarray<T>{{0, 0}, {0, 0}}}) {
        const auto a = parameter(matrix);
        const auto [sign, log_magnitude] = linalg::slogdet(a);
        CHECK(sign.item() == T(0));
        CHECK_FALSE(std::signbit(sign.item()));
        CHECK(log_magnitude.item() == -std::numeric_limits<T>::infinity());
        CHECK(all_nan(gradient([](const auto& x) { return linalg::slogdet(x).second; }, a.detach())));
        const auto first = grad(log_magnitude, {a}, {.create_graph = true}).front();
        CHECK(all_nan(grad(sum(first), {a}).front()));
    }
}

TEST_CASE_TEMPLATE("cholesky and eigh read the symmetric part, and their gradients are symmetric", T, float, double) {
    const Tensor<T> a = noise<T>({4, 4}) + 4.0 * eye<T>(4);
    const Tensor<T> symmetric = 0.5 * (a + transpose(a));
    check_close("L", linalg::cholesky(a), linalg::cholesky(symmetric), 0);
    check_close("w", linalg::eigh(a).first, linalg::eigh(symmetric).first, 0);
    const Tensor<T> weights = noise<T>({4, 4}, 7);
    for (const auto& g : {gradient([&](const auto& x) { return linalg::cholesky(x) * weights; }, a),
                          gradient([&](const auto& x) { return square(linalg::eigh(x).second) * weights; }, a)}) {
        check_close("gradient", g, transpose(g), 0);
        CHECK(all_finite(g));
    }
}

namespace {

/// A symmetric matrix with the eigenvalues given, or a matrix with the singular values given.
template <typename T>
Tensor<T> with_eigenvalues(const xt::xarray<T>& w) {
    const Tensor<T> q = linalg::qr(noise<T>({w.size(), w.size()}, 3)).first;
    return matmul_transposed(q * Tensor<T>(w), false, q, true);
}
template <typename T>
Tensor<T> with_singular_values(const xt::xarray<T>& s, std::size_t rows) {
    const Tensor<T> u = linalg::qr(noise<T>({rows, s.size()}, 4)).first;
    const Tensor<T> v = linalg::qr(noise<T>({s.size(), s.size()}, 5)).first;
    return matmul_transposed(u * Tensor<T>(s), false, v, true);
}

}  // namespace

TEST_CASE_TEMPLATE("equal eigenvalues: right values, finite gradients of what ignores the choice of vectors", T, float,
                   double) {
    for (const Tensor<T>& a :
         {with_eigenvalues<T>({1, 1, 3}), Tensor<T>(xt::xarray<T>{{1, 0, 0}, {0, 1, 0}, {0, 0, 3}})}) {
        check_close("w", linalg::eigh(a).first, Tensor<T>(xt::xarray<T>{1, 1, 3}));
        check_close("sum of w", gradient([](const auto& x) { return linalg::eigh(x).first; }, a), eye<T>(3));
        check_close("sum of w^2", gradient([](const auto& x) { return square(linalg::eigh(x).first); }, a), 2.0 * a);
        CHECK(all_nan(gradient([](const auto& x) { return linalg::eigh(x).second * noise<T>({3, 3}); }, a)));
    }
    CHECK(all_nan(gradient([](const auto& x) { return linalg::eigh(x).second * noise<T>({2, 2}); }, eye<T>(2))));
}

TEST_CASE("projectors onto eigenspaces have right derivatives where eigenvalues within or without are equal") {
    const Tensor<double> weights = noise<double>({3, 3}, 9);
    const auto onto = [&](std::size_t first, std::size_t last) {
        return [=](const std::vector<Tensor<double>>& x) {
            const auto v = view(linalg::eigh(x[0]).second, xt::all(), xt::range(first, last));
            return matmul_transposed(v, false, v, true) * weights;
        };
    };
    for (const auto& a : {with_eigenvalues<double>({1., 1., 3.}),
                          Tensor<double>(xt::xarray<double>{{1., 0., 0.}, {0., 1., 0.}, {0., 0., 3.}})}) {
        for (const auto& f : {onto(0, 2), onto(2, 3)}) {
            const auto result = check_gradients(f, {a}, {.tolerance = 1e-7});
            CHECK_MESSAGE(result.ok, result.message);
        }
    }
}

TEST_CASE_TEMPLATE("equal singular values: right values, finite gradients of what ignores the choice of vectors", T,
                   float, double) {
    for (const std::size_t rows : {3U, 5U}) {
        const Tensor<T> a = with_singular_values<T>({2, 2, 1}, rows);
        check_close("s", std::get<1>(linalg::svd(a)), Tensor<T>(xt::xarray<T>{2, 2, 1}));
        check_close("sum of s^2", gradient([](const auto& x) { return square(std::get<1>(linalg::svd(x))); }, a),
                    2.0 * a);
        CHECK(all_nan(gradient([&](const auto& x) { return std::get<0>(linalg::svd(x)) * noise<T>({rows, 3}); }, a)));
        CHECK(all_nan(gradient([](const auto& x) { return std::get<2>(linalg::svd(x)) * noise<T>({3, 3}); }, a)));
        // Rank 1: two values are 0.
        const Tensor<T> flat = with_singular_values<T>({2, 0, 0}, rows);
        check_close("of rank 1", gradient([](const auto& x) { return square(std::get<1>(linalg::svd(x))); }, flat),
                    2.0 * flat);
    }
    // Values that are 0 exactly, in a matrix whose vectors span less than the space.
    const Tensor<T> tall(xt::xarray<T>{{3, 0}, {0, 0}, {0, 0}});
    for (const Tensor<T>& a : {tall, transpose(tall)}) {
        check_close("of zeros", gradient([](const auto& x) { return square(std::get<1>(linalg::svd(x))); }, a),
                    2.0 * a);
    }
}

TEST_CASE("the polar factor U Vt has right derivatives where singular values are equal") {
    const Tensor<double> weights = noise<double>({4, 3}, 9);
    const auto polar = [&](const std::vector<Tensor<double>>& x) {
        const auto [u, s, vt] = linalg::svd(x[0]);
        return matmul(u, vt) * view(weights, xt::range(0, x[0].shape()[0]));
    };
    for (const std::size_t rows : {3U, 4U}) {
        const auto result =
            check_gradients(polar, {with_singular_values<double>({2., 2., 1.}, rows)}, {.tolerance = 1e-7});
        CHECK_MESSAGE(result.ok, result.message);
    }
}

TEST_CASE("qr of dependent columns has its values, and no finite gradient") {
    const Tensor<double> a(xt::xarray<double>{{1., 0., 1.}, {0., 0., 0.}, {0., 0., 2.}});
    const auto [q, r] = linalg::qr(a);
    check_close("Q R", matmul(q, r), a);
    CHECK_FALSE(all_finite(gradient([](const auto& x) { return linalg::qr(x).first * noise<double>({3, 3}); }, a)));
}

TEST_CASE_TEMPLATE("norms have the gradient of least norm at their kinks, and 0 at 0 to every order", T, float,
                   double) {
    for (const Norm order : {Norm::one, Norm::two, Norm::inf, Norm::fro, Norm::nuc}) {
        const auto f = [order](const auto& x) { return linalg::norm(x, order); };
        CHECK(elements(gradient(f, zeros<T>({2, 2}))) == std::vector<T>(4, T(0)));
        const Tensor<T> x = parameter(zeros<T>({2, 2}));
        const auto first = grad(f(x), {x}, {.create_graph = true}).front();
        if (first.requires_grad()) {
            CHECK(elements(grad(sum(first), {x}, {.allow_unused = true}).front()) == std::vector<T>(4, T(0)));
        }
    }
    const auto two = [](const auto& x) { return linalg::norm(x, Norm::two); };
    const auto nuclear = [](const auto& x) { return linalg::norm(x, Norm::nuc); };
    check_close("the identity's largest singular values share", gradient(two, eye<T>(4)), 0.25 * eye<T>(4));
    check_close("a rank-deficient matrix's nuclear norm", gradient(nuclear, with_singular_values<T>({2, 1, 0}, 3)),
                gradient(
                    [](const auto& x) {
                        const auto [u, s, vt] = linalg::svd(x.detach());
                        return x * matmul(view(u, xt::all(), xt::range(0, 2)), view(vt, xt::range(0, 2)));
                    },
                    with_singular_values<T>({2, 1, 0}, 3)));
    const auto largest = [](const auto& x) { return linalg::norm(x, Norm::inf); };
    CHECK(elements(gradient(largest, Tensor<T>(xt::xarray<T>{2, -2, 1}))) == std::vector<T>{T(0.5), T(-0.5), 0});
    check_close("elsewhere", gradient([](const auto& x) { return linalg::norm(x); }, Tensor<T>(xt::xarray<T>{3, 4})),
                Tensor<T>(xt::xarray<T>{T(0.6), T(0.8)}));
}
