// Running sums and products against naive loops; products with zeros, infinities and NaNs; messages.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/cumulative.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Array = xt::xarray<double>;
using Numbers = std::vector<double>;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

/// The gradient of sum(v * cumprod(x)), term by term, a product that lacks a factor each: nothing is divided.
Numbers naive_gradient(const Numbers& x, const Numbers& v) {
    Numbers gradient(x.size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t j = i; j < x.size(); ++j) {
            double term = v[j];
            for (std::size_t m = 0; m <= j; ++m) {
                term *= m == i ? 1.0 : x[m];
            }
            gradient[i] += term;
        }
    }
    return gradient;
}

/// The Hessian likewise, row by row.
Numbers naive_hessian(const Numbers& x, const Numbers& v) {
    Numbers hessian;
    for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t k = 0; k < x.size(); ++k) {
            double total = 0.0;
            for (std::size_t j = std::max(i, k); j < x.size() && i != k; ++j) {
                double term = v[j];
                for (std::size_t m = 0; m <= j; ++m) {
                    term *= m == i || m == k ? 1.0 : x[m];
                }
                total += term;
            }
            hessian.push_back(total);
        }
    }
    return hessian;
}

Tensor<double> from(const Numbers& numbers) {
    Tensor<double> x = Tensor<double>::uninitialized({numbers.size()});
    std::copy(numbers.begin(), numbers.end(), x.fresh_data());
    return x;
}

Numbers gradient_of_cumprod(const Numbers& numbers, const Numbers& v, bool recorded) {
    const auto x = parameter(from(numbers));
    return elements(grad(cumprod(x, 0), {x}, {.seed = from(v), .create_graph = recorded}).front());
}

}  // namespace

TEST_CASE("cumsum and cumprod run along their axis, and over all elements as one row without one") {
    const Tensor<double> x(Array{{{1., 2.}, {3., 4.}, {5., 6.}}, {{-1., 0.}, {2., 0.5}, {3., 2.}}});
    CHECK(elements(cumsum(x, 0)) == Numbers{1, 2, 3, 4, 5, 6, 0, 2, 5, 4.5, 8, 8});
    CHECK(elements(cumsum(x, 1)) == Numbers{1, 2, 4, 6, 9, 12, -1, 0, 1, 0.5, 4, 2.5});
    CHECK(elements(cumsum(x, -1)) == Numbers{1, 3, 3, 7, 5, 11, -1, -1, 2, 2.5, 3, 5});
    CHECK(elements(cumsum(x)) == Numbers{1, 3, 6, 10, 15, 21, 20, 20, 22, 22.5, 25.5, 27.5});
    CHECK(to_string(cumsum(x).shape()) == "(12,)");
    CHECK(elements(cumprod(x, 0)) == Numbers{1, 2, 3, 4, 5, 6, -1, 0, 6, 2, 15, 12});
    CHECK(elements(cumprod(x, 1)) == Numbers{1, 2, 3, 8, 15, 48, -1, 0, -2, 0, -6, 0});
    CHECK(elements(cumprod(x, -1)) == Numbers{1, 2, 3, 12, 5, 30, -1, 0, 2, 1, 3, 6});
    CHECK(elements(cumprod(x)) == Numbers{1, 2, 6, 24, 120, 720, -720, 0, 0, 0, 0, 0});
    CHECK(to_string(cumprod(x, 1).shape()) == "(2, 3, 2)");
}

TEST_CASE("cumsum and cumprod of nothing, of one element, and 0-d") {
    CHECK(to_string(cumsum(zeros<double>({2, 0}), 1).shape()) == "(2, 0)");
    CHECK(to_string(cumprod(zeros<double>({0, 2})).shape()) == "(0,)");
    CHECK(elements(cumsum(Tensor<double>(3.0))) == Numbers{3});
    CHECK(to_string(cumprod(Tensor<double>(3.0)).shape()) == "(1,)");
    const auto x = parameter(zeros<double>({0, 2}));
    CHECK(elements(grad(sum(cumprod(x, 0)), {x}).front()).empty());
}

TEST_CASE("cumsum's gradient is the running sum from the other end") {
    const auto x = parameter(Array{{1., 2., 3.}, {4., 5., 6.}});
    const Tensor<double> v(Array{{1., 10., 100.}, {2., 20., 200.}});
    for (const bool recorded : {false, true}) {
        const auto along = [&](const Tensor<double>& y, const Tensor<double>& seed) {
            return elements(grad(y, {x}, {.seed = seed, .create_graph = recorded}).front());
        };
        CHECK(along(cumsum(x, 1), v) == Numbers{111, 110, 100, 222, 220, 200});
        CHECK(along(cumsum(x, 0), v) == Numbers{3, 30, 300, 2, 20, 200});
        CHECK(along(cumsum(x), reshape(v, -1)) == Numbers{333, 332, 322, 222, 220, 200});
    }
}

TEST_CASE("cumprod's derivatives are exact with any number of zeros, first and second order") {
    const Numbers v = {1.0, -2.0, 3.0, 0.5, 4.0};
    for (const Numbers& x :
         {Numbers{2, 3, -1, 0.5, 4}, Numbers{2, 0, -1, 0.5, 4}, Numbers{0, 3, -1, 0.5, 4}, Numbers{2, 3, -1, 0.5, 0},
          Numbers{2, 0, -1, 0, 4}, Numbers{0, 0, -1, 0.5, 4}, Numbers{2, 0, 0, 0, 4}, Numbers{0, 0, 0, 0, 0}}) {
        CHECK(gradient_of_cumprod(x, v, false) == naive_gradient(x, v));
        CHECK(gradient_of_cumprod(x, v, true) == naive_gradient(x, v));
        const auto at = parameter(from(x));
        const auto first = grad(cumprod(at, 0), {at}, {.seed = from(v), .create_graph = true}).front();
        Numbers hessian;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const auto row = grad(view(first, i), {at}, {.retain_graph = true}).front();
            hessian.insert(hessian.end(), row.data(), row.data() + row.size());
        }
        CHECK(hessian == naive_hessian(x, v));
    }
}

TEST_CASE("a product that nobody asks about passes 0 on, whatever stands behind or before it") {
    for (const bool recorded : {false, true}) {
        CHECK(gradient_of_cumprod({3, inf, 2}, {1, 0, 0}, recorded) == Numbers{1, 0, 0});
        CHECK(gradient_of_cumprod({3, NaN, 2}, {1, 0, 0}, recorded) == Numbers{1, 0, 0});
        CHECK(gradient_of_cumprod({inf, 2, 3}, {1, 0, 0}, recorded) == Numbers{1, 0, 0});
        CHECK(gradient_of_cumprod({NaN, 2, 3}, {0, 0, 0}, recorded) == Numbers{0, 0, 0});
        CHECK(gradient_of_cumprod({inf, 2, 3}, {0, 1, 0}, recorded) == Numbers{2, inf, 0});
        CHECK(gradient_of_cumprod({0, 2, 3}, {1, 1, 1}, recorded) == Numbers{9, 0, 0});
    }
    // NaNs stay where they stand: a running product is NaN from there on.
    const auto y = cumprod(Tensor<double>(Array{2., NaN, 3.}), 0);
    CHECK(y.data()[0] == 2.0);
    CHECK(std::isnan(y.data()[2]));
}

TEST_CASE("scans' errors name the op and the shape") {
    const Tensor<double> x = zeros<double>({2, 3});
    CHECK(message<ShapeError>([&] { (void)cumsum(x, 2); }) ==
          "cumsum: axis 2 is out of range for shape (2, 3), which has 2 axes");
    CHECK(message<ShapeError>([&] { (void)cumprod(x, -3); }) ==
          "cumprod: axis -3 is out of range for shape (2, 3), which has 2 axes");
    CHECK(message<ShapeError>([&] { (void)cumprod(Tensor<double>(1.0), 0); }) ==
          "cumprod: axis 0 is out of range for shape (), which has 0 axes");
}
