// Ops on tensors at the sizes around every SIMD width, against the same computation written out for one number at a
// time. The kernels by themselves are in kernels_test.cpp.

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd/broadcast.hpp>

#include "gradient_rows.hpp"
#include "kernel_memory.hpp"
#include "sizes.hpp"

using namespace xtape;
using sizes::Case;
using sizes::each;
using sizes::folded;
using sizes::Table;
using sizes::Tensors;
using sizes::total;

namespace {

template <class T>
Tensor<T> squared_deviations(const Tensors<T>& line) {
    const Tensor<T> center = total(line) / static_cast<double>(line.size());
    return total(each([&](const auto& x) { return square(x - center); }, line));
}

#define XTAPE_ALONG(op) [](const auto& x, std::ptrdiff_t axis) { return op(x, axis); }
#define XTAPE_TO_ONE(expression) [](const auto& line) { return Tensors<T>{expression}; }

template <class T>
void add_reductions(Table<T>& table) {
    table.add_along("sum", XTAPE_ALONG(sum), XTAPE_TO_ONE(total(line)));
    table.add_along("mean", XTAPE_ALONG(mean), XTAPE_TO_ONE(total(line) / static_cast<double>(line.size())), -2, 2, 1);
    table.add_along("amax", XTAPE_ALONG(amax),
                    XTAPE_TO_ONE(folded(line, [](const auto& a, const auto& b) { return maximum(a, b); })), -2, 2, 1);
    table.add_along("amin", XTAPE_ALONG(amin),
                    XTAPE_TO_ONE(folded(line, [](const auto& a, const auto& b) { return minimum(a, b); })), -2, 2, 1);
    table.add_along("prod", XTAPE_ALONG(prod), XTAPE_TO_ONE(folded(line, std::multiplies<>())), 0.9, 1.1, 1);
    table.add_along("logsumexp", XTAPE_ALONG(logsumexp),
                    XTAPE_TO_ONE(log(total(each([](const auto& x) { return exp(x); }, line)))), -2, 2, 1);
    table.add_along("norm_l1", XTAPE_ALONG(norm_l1),
                    XTAPE_TO_ONE(total(each([](const auto& x) { return abs(x); }, line))));
    table.add_along("norm_l2", XTAPE_ALONG(norm_l2),
                    XTAPE_TO_ONE(sqrt(total(each([](const auto& x) { return square(x); }, line)))), 0.5, 2, 1);
    table.add_along("norm_sq", XTAPE_ALONG(norm_sq),
                    XTAPE_TO_ONE(total(each([](const auto& x) { return square(x); }, line))));
    table.add_along("variance", XTAPE_ALONG(variance),
                    XTAPE_TO_ONE(squared_deviations(line) / static_cast<double>(line.size())), -2, 2, 1);
    table.add_along("stddev", XTAPE_ALONG(stddev),
                    XTAPE_TO_ONE(sqrt(squared_deviations(line) / static_cast<double>(line.size()))), -2, 2, 2);
}

template <class T>
void add_lines(Table<T>& table) {
    const auto exps = [](const Tensors<T>& line) { return each([](const auto& x) { return exp(x); }, line); };
    table.add_along("softmax", XTAPE_ALONG(softmax), [exps](const auto& line) {
        const auto sum_of_exps = total(exps(line));
        return each([&](const auto& e) { return e / sum_of_exps; }, exps(line));
    });
    table.add_along("log_softmax", XTAPE_ALONG(log_softmax), [exps](const auto& line) {
        const auto sum_of_exps = total(exps(line));
        return each([&](const auto& x) { return x - log(sum_of_exps); }, line);
    });
    const auto scan = [](auto f) {
        return [f](const Tensors<T>& line) {
            Tensors<T> sums = line;
            std::partial_sum(line.begin(), line.end(), sums.begin(), f);
            return sums;
        };
    };
    table.add_along(
        "cumsum", [](const auto& x, std::ptrdiff_t axis) { return xtape::cumsum(x, axis); }, scan(std::plus<>()));
    table.add_along(
        "cumprod", [](const auto& x, std::ptrdiff_t axis) { return xtape::cumprod(x, axis); },
        scan(std::multiplies<>()), 0.9, 1.1);
    table.add_along("sort", XTAPE_ALONG(sort), [](Tensors<T> line) {
        std::ranges::stable_sort(line, {}, [](const auto& x) { return *x.data(); });
        return line;
    });
    table.add_along("flip", XTAPE_ALONG(flip), [](Tensors<T> line) {
        std::ranges::reverse(line);
        return line;
    });
    table.add_along(
        "roll", [](const auto& x, std::ptrdiff_t axis) { return roll(x, -1, axis); },
        [](Tensors<T> line) {
            std::rotate(line.begin(), line.begin() + (line.empty() ? 0 : 1), line.end());
            return line;
        });
    table.add_along(
        "concatenate",
        [](const auto& x, std::ptrdiff_t axis) {
            return concatenate({x, x}, axis);
        },
        [](Tensors<T> line) {
            const Tensors<T> again = line;
            line.insert(line.end(), again.begin(), again.end());
            return line;
        });
    table.add_along(
        "take",
        [](const auto& x, std::ptrdiff_t axis) {
            return take(x, {-1, 0, -1}, axis);
        },
        [](const Tensors<T>& line) {
            return Tensors<T>{line.back(), line.front(), line.back()};
        },
        -2, 2, 1);
    table.add_along(
        "the parts of a split",
        [](const auto& x, std::ptrdiff_t axis) {
            const auto parts = split(x, {1, 3}, axis);
            return concatenate({parts[2], parts[0]}, axis);
        },
        [](Tensors<T> line) {
            Tensors<T> y(line.begin() + std::min<std::ptrdiff_t>(3, std::ssize(line)), line.end());
            y.insert(y.end(), line.begin(), line.begin() + (line.empty() ? 0 : 1));
            return y;
        });
}

/// Every index (row, column) of a matrix that has a source, row by row.
template <class F>
std::vector<std::size_t> places(std::size_t rows, std::size_t columns, F source) {
    std::vector<std::size_t> sources;
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            sources.push_back(source(i, j));
        }
    }
    return sources;
}

template <class T>
void add_moves(Table<T>& table) {
    const std::size_t n = table.n;
    const auto extent = static_cast<std::ptrdiff_t>(n);
    const auto nowhere = Table<T>::nowhere;
    table.add_move(
        "reshape", {n, 6},
        [=](const auto& x) {
            return reshape(x, {2, extent, 3});
        },
        places(1, 6 * n, [](std::size_t, std::size_t j) { return j; }));
    table.add_move(
        "transpose (n, 3)", {n, 3}, [](const auto& x) { return transpose(x); },
        places(3, n, [](std::size_t i, std::size_t j) { return 3 * j + i; }));
    table.add_move(
        "transpose (17, n)", {17, n}, [](const auto& x) { return transpose(x); },
        places(n, 17, [=](std::size_t i, std::size_t j) { return n * j + i; }));
    table.add_move(
        "broadcast_to along the last axis", {n, 1},
        [=](const auto& x) {
            return broadcast_to(x, {n, 3});
        },
        places(n, 3, [](std::size_t i, std::size_t) { return i; }));
    table.add_move(
        "broadcast_to along the first", {n},
        [=](const auto& x) {
            return broadcast_to(x, {3, n});
        },
        places(3, n, [](std::size_t, std::size_t j) { return j; }));
    table.add_move(
        "broadcast_to n", {3, 1},
        [=](const auto& x) {
            return broadcast_to(x, {3, n});
        },
        places(3, n, [](std::size_t i, std::size_t) { return i; }));
    table.add_move(
        "view backward", {3, n},
        [](const auto& x) {
            using namespace xt::placeholders;
            return view(x, xt::all(), xt::range(_, _, -1));
        },
        places(3, n, [=](std::size_t i, std::size_t j) { return n * i + (n - 1 - j); }));
    table.add_move(
        "view by two", {n, 3}, [=](const auto& x) { return view(x, xt::range(0, extent, 2), xt::range(1, 3)); },
        places((n + 1) / 2, 2, [](std::size_t i, std::size_t j) { return 6 * i + j + 1; }));
    table.add_move(
        "pad", {n},
        [](const auto& x) {
            return pad(x, {{2, 1}});
        },
        places(1, n + 3, [=](std::size_t, std::size_t j) { return j < 2 || j >= n + 2 ? nowhere : j - 2; }));
    table.add_move(
        "tile", {n},
        [](const auto& x) {
            return xtape::tile(x, {2, 3});
        },
        places(6, n, [](std::size_t, std::size_t j) { return j; }));
    table.add_move(
        "stack", {n},
        [](const auto& x) {
            return stack({x, x}, 1);
        },
        places(n, 2, [](std::size_t i, std::size_t) { return i; }));
    table.add_move(
        "diagonal", {n, 3, 3}, [](const auto& x) { return xtape::diagonal(x, 1, -2, -1); },
        places(n, 2, [](std::size_t i, std::size_t j) { return 9 * i + 4 * j + 1; }));
    table.add_move(
        "tril", {3, n}, [](const auto& x) { return tril(x); },
        places(3, n, [=](std::size_t i, std::size_t j) { return j > i ? nowhere : n * i + j; }));
    table.add_move(
        "triu", {3, n}, [](const auto& x) { return triu(x, 1); },
        places(3, n, [=](std::size_t i, std::size_t j) { return j <= i ? nowhere : n * i + j; }));
    if (n <= 33) {
        table.add_move(
            "diag", {n}, [](const auto& x) { return diag(x); },
            places(n, n, [=](std::size_t i, std::size_t j) { return i == j ? i : nowhere; }));
    }
}

template <class T>
void add_products(Table<T>& table) {
    const std::size_t n = table.n;
    const auto product = [](const auto& x) { return matmul(x[0], x[1]); };
    const auto add = [&](std::size_t rows, std::size_t inner, std::size_t columns) {
        const auto row = [=](std::size_t i, std::size_t k) { return inner * i + k; };
        const auto column = [=](std::size_t k, std::size_t j) { return columns * k + j; };
        const auto weight = [=](std::size_t k, std::size_t j) { return inner * j + k; };
        const std::string extents = fmt::format("{} x {} x {}", rows, inner, columns);
        table.add_product("matmul " + extents, {{rows, inner}, {inner, columns}}, product, {rows, inner, columns}, row,
                          column);
        table.add_product(
            "linear " + extents, {{rows, inner}, {columns, inner}, {columns}},
            [](const auto& x) { return xtape::linear(x[0], x[1], x[2]); }, {rows, inner, columns}, row, weight);
        table.add_product(
            "einsum " + extents, {{rows, inner}, {columns, inner}},
            [](const auto& x) { return einsum("ik,jk->ij", x); }, {rows, inner, columns}, row, weight);
    };
    add(n, 3, 2);
    add(2, n, 3);
    add(3, 2, n);
    const auto first = [](std::size_t i, std::size_t) { return i; };
    const auto second = [](std::size_t, std::size_t j) { return j; };
    table.add_product("matmul of vectors", {{n}, {n}}, product, {1, n, 1}, second, first);
    table.add_product(
        "vdot", {{n}, {n}}, [](const auto& x) { return vdot(x[0], x[1]); }, {1, n, 1}, second, first);
    table.add_product(
        "outer (n) (3)", {{n}, {3}}, [](const auto& x) { return outer(x[0], x[1]); }, {n, 1, 3}, first, second);
    table.add_product(
        "outer (3) (n)", {{3}, {n}}, [](const auto& x) { return outer(x[0], x[1]); }, {3, 1, n}, first, second);
}

template <class T>
void add_losses(Table<T>& table) {
    const std::size_t n = table.n;
    const auto add_cross_entropy = [&](std::size_t rows, std::size_t classes) {
        const auto label = [=](std::size_t row) { return (5 * row + 1) % classes; };
        auto labels = xt::xarray<std::size_t>::from_shape({rows});
        for (std::size_t i = 0; i < rows; ++i) {
            labels(i) = label(i);
        }
        table.add(
            fmt::format("softmax_cross_entropy of {} x {}", rows, classes), {{rows, classes}},
            [=](const auto& x) { return softmax_cross_entropy(x[0], Labels(labels)); },
            [=](const auto& x) {
                Tensors<T> of_rows;
                for (std::size_t i = 0; i < rows; ++i) {
                    const Tensor<T>* row = x[0].data() + i * classes;
                    const auto exps = each([](const auto& e) { return exp(e); }, Tensors<T>(row, row + classes));
                    of_rows.push_back(log(total(exps)) - row[label(i)]);
                }
                return of_rows;
            });
    };
    add_cross_entropy(n, 3);
    if (n > 0) {
        add_cross_entropy(3, n);
    }
    table.add(
        "mse_loss", {{n}, {n}},
        [](const auto& x) { return nn::mse_loss(x[0], x[1], {.reduction = nn::Reduction::sum}); },
        [=](const auto& x) {
            Tensors<T> squares;
            for (std::size_t i = 0; i < n; ++i) {
                squares.push_back(square(x[0][i] - x[1][i]));
            }
            return Tensors<T>{total(squares)};
        });
}

/// n matrices of 2 x 2.
template <class T>
void add_matrices(Table<T>& table) {
    const std::size_t n = table.n;
    // f's elements, for each matrix [[a, b], [c, d]].
    const auto each_matrix = [=](auto f) {
        return [=](const std::vector<Tensors<T>>& x) {
            Tensors<T> y;
            for (std::size_t i = 0; i < n; ++i) {
                const Tensor<T>* of = x[0].data() + 4 * i;
                const Tensors<T> elements = f(of[0] + 2.0, of[1], of[2], of[3] + 2.0, x, i);
                y.insert(y.end(), elements.begin(), elements.end());
            }
            return y;
        };
    };
    const auto regular = [](const auto& x) { return x + 2.0 * eye<T>(2); };
    table.add(
        "linalg::det", {{n, 2, 2}}, [=](const auto& x) { return linalg::det(regular(x[0])); },
        each_matrix([](auto a, auto b, auto c, auto d, const auto&, std::size_t) { return Tensors<T>{a * d - b * c}; }),
        -0.5, 0.5);
    table.add(
        "linalg::inv", {{n, 2, 2}}, [=](const auto& x) { return linalg::inv(regular(x[0])); },
        each_matrix([](auto a, auto b, auto c, auto d, const auto&, std::size_t) {
            const auto det = a * d - b * c;
            return Tensors<T>{d / det, -b / det, -c / det, a / det};
        }),
        -0.5, 0.5);
    table.add(
        "linalg::solve", {{n, 2, 2}, {n, 2, 1}}, [=](const auto& x) { return linalg::solve(regular(x[0]), x[1]); },
        each_matrix([](auto a, auto b, auto c, auto d, const auto& x, std::size_t i) {
            const auto det = a * d - b * c;
            const auto& first = x[1][2 * i];
            const auto& second = x[1][2 * i + 1];
            return Tensors<T>{(d * first - b * second) / det, (a * second - c * first) / det};
        }),
        -0.5, 0.5);
}

template <class T>
void check_table(void (*add_cases)(Table<T>&)) {
    for (const std::size_t n : kernel_memory::sizes) {
        Table<T> table(n);
        add_cases(table);
        CHECK(!table.cases.empty());
        for (const Case<T>& one : table.cases) {
            INFO(one.name, " of ", n);
            CHECK_NOTHROW(sizes::check(one, n));
        }
    }
}

/// Where in an operand of this shape the element lies that broadcasting puts at `place` of the result.
std::size_t place_in(const Shape& operand, const Shape& result, std::size_t place) {
    std::size_t index = 0;
    std::size_t stride = 1;
    for (std::size_t from_last = 1; from_last <= operand.size(); ++from_last) {
        const std::size_t extent = operand[operand.size() - from_last];
        const std::size_t of_result = result[result.size() - from_last];
        index += extent == 1 ? 0 : place % of_result * stride;
        stride *= extent;
        place /= of_result;
    }
    return index;
}

/// The table of gradients_test.cpp has every elementwise op at shapes with an extent of 19: those, with n for 19.
template <class T>
std::size_t check_elementwise(std::size_t n) {
    std::size_t count = 0;
    for (gradients::Row row : gradients::all_rows()) {
        const auto has_19 = [](const auto& input) { return std::ranges::count(input.shape, 19U) != 0; };
        const auto of_result = [&] {
            return row.inputs.size() == 2 ? broadcast_shapes("", row.inputs[0].shape, row.inputs[1].shape)
                                          : row.inputs[0].shape;
        };
        const bool one_or_two = row.inputs.size() == 2 || (row.inputs.size() == 1 && row.inputs[0].shape == Shape{19});
        if (!one_or_two || std::ranges::none_of(row.inputs, has_19) ||
            row.f(gradients::sample<T>(row)).shape() != of_result()) {
            continue;
        }
        for (auto& input : row.inputs) {
            std::ranges::replace(input.shape, 19U, n);
        }
        const Shape result = of_result();
        const auto one_by_one = [&](const std::vector<Tensors<T>>& x) {
            Tensors<T> y;
            for (std::size_t i = 0; i < element_count(result); ++i) {
                Tensors<T> operands;
                for (std::size_t k = 0; k < x.size(); ++k) {
                    operands.push_back(x[k][place_in(row.inputs[k].shape, result, i)]);
                }
                y.push_back(row.f(operands));
            }
            return y;
        };
        INFO(row.name, " of ", n);
        const auto op = [&](const Tensors<T>& x) { return row.f(x); };
        CHECK_NOTHROW(sizes::check<T>({row.name, gradients::sample<T>(row), op, one_by_one}, n));
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE_TEMPLATE("elementwise ops are those of each element, at every size", T, float, double) {
    for (const std::size_t n : kernel_memory::sizes) {
        CHECK(check_elementwise<T>(n) > 80);
    }
}

TEST_CASE_TEMPLATE("reductions fold the lines of their axis, at every size", T, float, double) {
    check_table<T>(add_reductions);
}

TEST_CASE_TEMPLATE("softmax, scans and what else goes along lines does so at every size", T, float, double) {
    check_table<T>(add_lines);
}

TEST_CASE_TEMPLATE("elements are moved where they belong, at every size", T, float, double) {
    check_table<T>(add_moves);
}

TEST_CASE_TEMPLATE("products are sums of products of elements, at every size", T, float, double) {
    check_table<T>(add_products);
}

TEST_CASE_TEMPLATE("losses are those of each row, at every size", T, float, double) { check_table<T>(add_losses); }

TEST_CASE_TEMPLATE("linear algebra treats each matrix by itself, however many", T, float, double) {
    check_table<T>(add_matrices);
}
