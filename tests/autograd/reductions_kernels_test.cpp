// Reductions against naive loops in long double: the kernels at all sizes and places in memory, and the ops over axes
// that take one, two and three stages.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd.hpp>

#include "kernel_memory.hpp"
#include "kernel_reading.hpp"

using namespace xtape;
using kernel_memory::Array;
using kernel_memory::fill;
using kernel_memory::Place;
using kernels::Extents;

namespace {

using Real = long double;
constexpr Real inf = std::numeric_limits<Real>::infinity();
constexpr Real NaN = std::numeric_limits<Real>::quiet_NaN();

template <class T>
void expect_near(const std::string& what, T got, Real expected, Real magnitude, double ulps = 8) {
    if (!one_by_one::agrees<T, Real>(got, expected, magnitude, ulps)) {
        FAIL_CHECK(fmt::format("{}, {}: {:.17g}, not {:.17g}", what, sizeof(T) == sizeof(float) ? "float" : "double",
                               static_cast<double>(got), static_cast<double>(expected)));
    }
}

// ------------------------------------------------------------------------------------------------- kernels

/// A fold of the table, and what it comes to by its definition.
template <class T>
struct Case {
    const char* name;
    kernels::Fold<T> fold;
    Real start;
    Real (*next)(Real before, Real x, Real centre);
    bool centred = false;
    bool powers_of_two = false;  // elements whose products are exact
};

Real larger(Real a, Real b) { return std::isnan(a) || a > b ? a : b; }
Real smaller(Real a, Real b) { return std::isnan(a) || a < b ? a : b; }

template <class T>
std::vector<Case<T>> cases() {
    const auto& reduce = kernels::active<T>().reduce;
    return {
        {"sum", reduce.sum, 0, [](Real before, Real x, Real) { return before + x; }},
        {"product", reduce.product, 1, [](Real before, Real x, Real) { return before * x; }, false, true},
        {"largest", reduce.largest, -inf, [](Real before, Real x, Real) { return larger(before, x); }},
        {"smallest", reduce.smallest, inf, [](Real before, Real x, Real) { return smaller(before, x); }},
        {"magnitudes", reduce.magnitudes, 0, [](Real before, Real x, Real) { return before + std::abs(x); }},
        {"squares", reduce.squares, 0, [](Real before, Real x, Real) { return before + x * x; }},
        {"deviations", reduce.deviations, 0, [](Real before, Real x, Real c) { return before + (x - c); }, true},
        {"squared deviations", reduce.squared_deviations, 0,
         [](Real before, Real x, Real c) { return before + (x - c) * (x - c); }, true},
    };
}

constexpr std::size_t most_elements = 4000;  // that an Array holds

/// Runs f(extents, place) over arrays of all sizes.
template <class F>
void over_arrays(F f) {
    for (const std::size_t extent : {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 63, 64, 65, 129, 1000, 3999}) {
        for (const std::size_t inner : {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 65, 130, 1000, 1025}) {
            for (const std::size_t outer : {0, 1, 2, 5}) {
                if (outer * extent * inner <= most_elements && outer * inner <= most_elements) {
                    for (const Place place : kernel_memory::places) {
                        f(Extents{outer, extent, inner}, place);
                    }
                }
            }
        }
    }
}

template <class T>
void check_fold(const Case<T>& one) {
    Array<T> x, centre, out;
    over_arrays([&](Extents extents, Place place) {
        const auto [outer, extent, inner] = extents;
        x.lay_out(outer * extent * inner, place);
        fill(x, 1);
        if (one.powers_of_two) {
            std::transform(x.data(), x.data() + x.size(), x.data(), [](T v) {
                return v < T(-1) ? T(-2) : v < T(0) ? T(0.5) : v < T(1) ? T(2) : T(-0.5);
            });
        }
        centre.lay_out(outer * inner, place);
        fill(centre, 2);
        out.lay_out(outer * inner, place);
        one.fold.elements(x.data(), one.centred ? centre.data() : nullptr, out.data(), extents);
        for (std::size_t i = 0; i < outer; ++i) {
            for (std::size_t k = 0; k < inner; ++k) {
                Real expected = one.start;
                for (std::size_t j = 0; j < extent; ++j) {
                    expected = one.next(expected, x[(i * extent + j) * inner + k], centre[i * inner + k]);
                }
                // All partial results are exact: multiples of 1/64, powers of 2.
                expect_near(fmt::format("{} of ({}, {}, {})", one.name, outer, extent, inner), out[i * inner + k],
                            static_cast<Real>(static_cast<T>(expected)), Real(0), 0.5);
            }
        }
        CHECK(out.kept_to_its_own());
    });
}

/// A number that is not like the others is found wherever it is, along rows and down columns.
template <class T>
void check_odd_one(const Case<T>& one, T usual, T odd, Real expected) {
    const T centre = T(0);
    for (const std::size_t n : {1, 3, 17, 64, 100, 4097, 9000}) {
        std::vector<T> x(n, usual);
        for (std::size_t at = 0; at < n; at += std::max<std::size_t>(1, n / 37)) {
            x[at] = odd;
            for (const std::size_t inner : {1, 3, 20}) {
                std::vector<T> matrix(n * inner, usual);
                for (std::size_t i = 0; i < n; ++i) {
                    matrix[i * inner + inner / 2] = x[i];
                }
                std::vector<T> out(inner);
                const std::vector<T> centres(inner, centre);
                one.fold.elements(matrix.data(), one.centred ? centres.data() : nullptr, out.data(), {1, n, inner});
                expect_near(fmt::format("{} of {} with {} at {}", one.name, n, odd, at), out[inner / 2], expected,
                            Real(0), 1);
            }
            x[at] = usual;
        }
    }
}

template <class T>
void check_odd_ones() {
    const T infinity = std::numeric_limits<T>::infinity();
    const T nan = std::numeric_limits<T>::quiet_NaN();
    for (const Case<T>& one : cases<T>()) {
        check_odd_one(one, T(1), nan, NaN);
        const std::string name = one.name;
        if (name == "largest") {
            check_odd_one(one, T(1), T(2), 2);
            check_odd_one(one, -infinity, T(-5), -5);
            check_odd_one(one, infinity, nan, NaN);
        } else if (name == "smallest") {
            check_odd_one(one, T(1), T(-2), -2);
            check_odd_one(one, infinity, T(5), 5);
            check_odd_one(one, -infinity, nan, NaN);
        } else if (name == "product") {
            check_odd_one(one, T(1), T(0), 0);
            check_odd_one(one, T(1), infinity, inf);
            check_odd_one(one, T(1), T(-3), -3);
        }
    }
}

template <class T>
void check_adding_columns() {
    Array<T> x, out;
    for (const std::size_t columns : kernel_memory::sizes) {
        for (const std::size_t rows : {0, 1, 2, 5, 33, 100}) {
            for (const Place place : kernel_memory::places) {
                if (rows * columns > most_elements) {
                    continue;
                }
                x.lay_out(rows * columns, place);
                fill(x, 3);
                out.lay_out(columns, place);
                fill(out, 4);
                const std::vector<T> before(out.data(), out.data() + columns);
                kernels::active<T>().reduce.add_columns(x.data(), out.data(), rows, columns);
                for (std::size_t j = 0; j < columns; ++j) {
                    Real total = before[j];
                    for (std::size_t i = 0; i < rows; ++i) {
                        total += x[i * columns + j];
                    }
                    expect_near(fmt::format("columns of {} x {} added", rows, columns), out[j], total, Real(0), 0.5);
                }
                CHECK(out.kept_to_its_own());
            }
        }
    }
}

/// Down columns, with blocks of rows of which only a later one holds the largest, or an infinity, or a NaN.
template <class T>
void check_logsumexp() {
    const T infinity = std::numeric_limits<T>::infinity();
    const T nan = std::numeric_limits<T>::quiet_NaN();
    for (const std::size_t rows : {0, 1, 3, 31, 32, 33, 100, 5000}) {
        for (const std::size_t columns : {1, 2, 7, 16, 33, 1030}) {
            if (rows * columns > 200000) {
                continue;
            }
            for (const T odd : {T(0.5), T(40), T(-1e4), T(1e4), infinity, -infinity, nan}) {
                std::vector<T> x(rows * columns);
                for (std::size_t i = 0; i < x.size(); ++i) {
                    x[i] = static_cast<T>(static_cast<int>(i * 37 % 101)) / T(16) - T(3);
                }
                for (std::size_t k = 0; k < columns && rows > 0; ++k) {
                    x[(k * 7 % rows) * columns + k] = odd;
                }
                std::vector<T> out(columns);
                kernels::active<T>().rows.logsumexp(x.data(), out.data(), {1, rows, columns});
                for (std::size_t k = 0; k < columns; ++k) {
                    Real most = -inf;
                    for (std::size_t i = 0; i < rows; ++i) {
                        most = larger(most, x[i * columns + k]);
                    }
                    Real total = 0;
                    for (std::size_t i = 0; i < rows; ++i) {
                        total += std::exp(x[i * columns + k] - most);
                    }
                    const Real expected = std::isinf(most) ? most : most + std::log(total);
                    expect_near(fmt::format("logsumexp of {} x {} with {}", rows, columns, odd), out[k], expected,
                                Real(1));
                }
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------- ops

struct Op {
    const char* name;
    Tensor<float> (*in_float)(const Tensor<float>&, const Axes&);
    Tensor<double> (*in_double)(const Tensor<double>&, const Axes&);
    Real (*define)(const std::vector<Real>&);

    [[nodiscard]] Tensor<float> operator()(const Tensor<float>& x, const Axes& axes) const { return in_float(x, axes); }
    [[nodiscard]] Tensor<double> operator()(const Tensor<double>& x, const Axes& axes) const {
        return in_double(x, axes);
    }
};

template <class F>
Real total(const std::vector<Real>& x, F f) {
    Real sum = 0;
    for (const Real element : x) {
        sum += f(element);
    }
    return sum;
}
Real sum_of(const std::vector<Real>& x) {
    return total(x, [](Real v) { return v; });
}
Real squares_of(const std::vector<Real>& x) {
    return total(x, [](Real v) { return v * v; });
}
Real variance_of(const std::vector<Real>& x) {
    const auto n = static_cast<Real>(x.size());
    const Real mean = sum_of(x) / n;
    return total(x, [mean](Real v) { return (v - mean) * (v - mean); }) / n;
}

#define XTAPE_OP(op)                                                      \
#op, [](const Tensor <float>& x, const Axes& axes) -> Tensor < float> \
    { return op(x, axes); },                                              \
                          [](const Tensor <double>& x, const Axes& axes) -> Tensor < double> { return op(x, axes); }

const std::vector<Op>& ops() {
    using Elements = const std::vector<Real>&;
    static const std::vector<Op> all = {
        {XTAPE_OP(sum), sum_of},
        {XTAPE_OP(mean), [](Elements x) { return sum_of(x) / static_cast<Real>(x.size()); }},
        {XTAPE_OP(amax), [](Elements x) { return *std::ranges::max_element(x); }},
        {XTAPE_OP(amin), [](Elements x) { return *std::ranges::min_element(x); }},
        {XTAPE_OP(prod),
         [](Elements x) {
             Real product = 1;
             for (const Real v : x) {
                 product *= v;
             }
             return product;
         }},
        {XTAPE_OP(norm_l1), [](Elements x) { return total(x, [](Real v) { return std::abs(v); }); }},
        {XTAPE_OP(norm_l2), [](Elements x) { return std::sqrt(squares_of(x)); }},
        {XTAPE_OP(norm_sq), squares_of},
        {XTAPE_OP(variance), variance_of},
        {XTAPE_OP(stddev), [](Elements x) { return std::sqrt(variance_of(x)); }},
        {XTAPE_OP(logsumexp), [](Elements x) { return std::log(total(x, [](Real v) { return std::exp(v); })); }},
    };
    return all;
}

/// The elements behind each result, by their indices alone.
std::vector<std::vector<Real>> behind(const std::vector<Real>& x, const Shape& shape,
                                      const std::vector<bool>& reduced) {
    std::size_t results = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        results *= reduced[axis] ? 1 : shape[axis];
    }
    std::vector<std::vector<Real>> elements(results);
    for (std::size_t i = 0; i < x.size(); ++i) {
        std::size_t rest = i;
        std::size_t result = 0;
        std::size_t stride = 1;
        for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
            if (!reduced[axis]) {
                result += rest % shape[axis] * stride;
                stride *= shape[axis];
            }
        }
        elements[result].push_back(x[i]);
    }
    return elements;
}

template <class T>
void check_ops(const Shape& shape) {
    const std::size_t size = element_count(shape);
    std::vector<Real> numbers;
    xt::xarray<T> array = xt::xarray<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    for (std::size_t i = 0; i < size; ++i) {
        const T number =
            static_cast<T>((i % 2 == 0 ? 1.0 : -1.0) * (0.9 + 0.2 * static_cast<double>(i * 37 % 101) / 101));
        array.flat(i) = number;
        numbers.push_back(static_cast<Real>(number));
    }
    const Tensor<T> x(array);
    for (unsigned set = 1; set < 1U << shape.size(); ++set) {
        Axes axes;
        std::vector<bool> reduced;
        Shape kept;
        Shape dropped;
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            reduced.push_back((set >> axis & 1U) != 0);
            if (reduced.back()) {
                axes.push_back(static_cast<std::ptrdiff_t>(axis));
            } else {
                dropped.push_back(shape[axis]);
            }
            kept.push_back(reduced.back() ? 1 : shape[axis]);
        }
        const auto elements = behind(numbers, shape, reduced);
        for (const Op& op : ops()) {
            const auto name =
                fmt::format("{} of ({}) over ({})", op.name, fmt::join(shape, ", "), fmt::join(axes, ", "));
            const Tensor<T> y = op(x, axes);
            CHECK_MESSAGE(y.shape() == dropped, name);
            REQUIRE(y.size() == elements.size());
            for (std::size_t i = 0; i < y.size(); ++i) {
                const Real expected = op.define(elements[i]);
                // Roundings are those of the terms of a sum, and add up along a product.
                const std::string of = op.name;
                const auto count = static_cast<double>(elements[i].size());
                expect_near(name, y.data()[i], expected, of == "sum" ? static_cast<Real>(count) : 1,
                            of == "prod" ? 8 + count : 8);
            }
        }
        CHECK((sum(x, axes, keep_dims).shape() == kept));
        CHECK((variance(x, axes, 0, keep_dims).shape() == kept));
        CHECK((logsumexp(x, axes, keep_dims).shape() == kept));
    }
}

}  // namespace

TEST_CASE("every fold agrees with its definition, whatever the extents and the place in memory") {
    for (const auto& one : cases<float>()) {
        check_fold(one);
    }
    for (const auto& one : cases<double>()) {
        check_fold(one);
    }
}

TEST_CASE("folds find the one number that matters, and a NaN, wherever it is") {
    check_odd_ones<float>();
    check_odd_ones<double>();
}

TEST_CASE("results of sums of something are added up as they are") {
    const std::vector<double> results = {-2, 3, -5};
    const auto& reduce = kernels::active<double>().reduce;
    for (const auto& fold : {reduce.sum, reduce.magnitudes, reduce.squares, reduce.squared_deviations}) {
        double out = 0;
        fold.results(results.data(), nullptr, &out, {1, 3, 1});
        CHECK(out == -4);
    }
}

TEST_CASE("sums of columns are added to what is there") {
    check_adding_columns<float>();
    check_adding_columns<double>();
}

TEST_CASE("logsumexp down columns, whichever block of rows holds the largest") {
    check_logsumexp<float>();
    check_logsumexp<double>();
}

TEST_CASE("reductions over every set of axes agree with their definitions") {
    for (const Shape& shape :
         {Shape{7}, Shape{1000}, Shape{33, 17}, Shape{1000, 3}, Shape{3, 1000}, Shape{2, 3, 4}, Shape{16, 1, 5},
          Shape{1, 4, 1}, Shape{40, 5, 30}, Shape{3, 4, 2, 5}, Shape{2, 3, 2, 3, 2}}) {
        check_ops<float>(shape);
        check_ops<double>(shape);
    }
}

TEST_CASE("long sums keep their digits, along rows, down columns and in stages") {
    const auto check = [](const char* what, const Tensor<float>& y, double count, double ulps) {
        expect_near(what, y.data()[0], Real(0.1F) * static_cast<Real>(count), Real(0), ulps);
    };
    const auto filled = [](const std::vector<std::size_t>& shape) {
        xt::xarray<float> x = xt::xarray<float>::from_shape(shape);
        x.fill(0.1F);
        return Tensor<float>(x);
    };
    check("a row", sum(filled({1U << 20U})), 1U << 20U, 8);
    check("a matrix", sum(filled({1024, 1024})), 1U << 20U, 8);
    check("a column of three", sum(filled({333334, 3}), 0), 333334, 8);
    check("a column of many", sum(filled({4096, 300}), 0), 4096, 8);
    check("axes 0 and 2", sum(filled({300000, 2, 2}), {0, 2}), 600000, 8);
    check("axis 1", sum(filled({2, 300000, 2}), 1), 300000, 8);
}

TEST_CASE("the variance loses nothing to a large mean") {
    const std::size_t n = 1000;
    xt::xarray<float> x = xt::xarray<float>::from_shape({n, 20});
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = 1e4F + 0.01F * static_cast<float>(static_cast<int>(i * 7919 % 211) - 105) / 105;
    }
    const auto check = [](const Tensor<float>& got, const std::vector<std::vector<Real>>& elements) {
        for (std::size_t i = 0; i < got.size(); ++i) {
            expect_near("the variance around 1e4", got.data()[i], variance_of(elements[i]), Real(0), 32);
        }
    };
    const std::vector<Real> numbers(x.begin(), x.end());
    const Tensor<float> tensor(x);
    check(variance(tensor), {numbers});
    check(variance(tensor, 0), behind(numbers, {n, 20}, {true, false}));
    check(variance(tensor, 1), behind(numbers, {n, 20}, {false, true}));
    check(variance(reshape(tensor, {20, 50, 20}), {0, 2}), behind(numbers, {20, 50, 20}, {true, false, true}));
}

TEST_CASE("equal elements have variance and standard deviation 0 exactly, and gradient 0") {
    for (const double value : {0.1, 1e-30, -7.3e20}) {
        for (const std::size_t n : {3, 1000}) {
            const auto x = parameter(xt::xarray<double>(xt::ones<double>({n, std::size_t{3}}) * value));
            for (const Axes& axes : {Axes{0}, Axes{0, 1}}) {
                const auto deviation = stddev(x, axes);
                const auto squares = variance(x, axes);
                const auto gradient = grad(sum(deviation), {x}).front();
                for (std::size_t i = 0; i < deviation.size(); ++i) {
                    CHECK(deviation.data()[i] == 0.0);
                    CHECK(squares.data()[i] == 0.0);
                }
                CHECK(std::all_of(gradient.data(), gradient.data() + x.size(), [](double g) { return g == 0.0; }));
            }
        }
    }
}

TEST_CASE("lengths and deviations beyond the range of their squares") {
    const Tensor<float> x(xt::xarray<float>{{3e30F, -3e30F, 3e-30F, 0.0F}, {4e30F, 3e30F, -4e-30F, 0.0F}});
    const auto length = norm_l2(x, 0);
    expect_near("large", length.data()[0], 5e30L, Real(0));
    expect_near("small", length.data()[2], 5e-30L, Real(0));
    CHECK(length.data()[3] == 0.0F);
    const auto deviation = stddev(x, 0);
    expect_near("a large deviation", deviation.data()[1], 3e30L, Real(0));
    expect_near("a small deviation", deviation.data()[2], 3.5e-30L, Real(0));
    CHECK(deviation.data()[3] == 0.0F);
    const Tensor<float> far(xt::xarray<float>{3e38F, -3e38F});
    CHECK(variance(far).item() == std::numeric_limits<float>::infinity());
    CHECK(std::isnan(variance(Tensor<float>(xt::xarray<float>{1.0F, std::numeric_limits<float>::infinity()})).item()));
}
