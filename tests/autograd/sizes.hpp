#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/describe.hpp>

/// An op on tensors against the same computation written out for one number at a time: on 0-d tensors, whose
/// derivatives are the tape's too.
namespace sizes {

using namespace xtape;

template <class T>
using Tensors = std::vector<Tensor<T>>;

/// What to compute on tensors of size n, and how its elements come from the elements of the inputs.
template <class T>
struct Case {
    std::string name;
    Tensors<T> inputs;
    std::function<Tensor<T>(const Tensors<T>&)> op;
    std::function<Tensors<T>(const std::vector<Tensors<T>>&)> one_by_one;
};

/// The elements of some tensors, one after the other.
template <class T>
std::vector<double> numbers(const Tensors<T>& tensors) {
    std::vector<double> all;
    for (const auto& tensor : tensors) {
        all.insert(all.end(), tensor.data(), tensor.data() + tensor.size());
    }
    return all;
}

/// The sum of f(element) with weights, the same however the elements are spread over tensors.
template <class T, class F>
Tensor<T> weighted_sum(const Tensors<T>& tensors, F f) {
    Tensor<T> total = T(0);
    random::Stream stream(0, random::stream_id("weights"));
    for (const auto& tensor : tensors) {
        Tensor<T> weights = Tensor<T>::uninitialized(tensor.shape());
        std::generate_n(weights.fresh_data(), weights.size(), [&] { return stream.uniform<T>(-1.0, 1.0); });
        total = total + sum(f(tensor) * weights);
    }
    return total;
}

/// Value, gradient and, if asked for, second derivative. Outputs are squared, so that linear ops have one too.
template <class T>
std::vector<std::vector<double>> derivatives(const Tensors<T>& outputs, const Tensors<T>& xs, bool second) {
    const auto by_inputs = [&](const Tensor<T>& y, bool create_graph) {
        return grad(y, xs, {.create_graph = create_graph, .allow_unused = true});
    };
    const auto squared = weighted_sum(outputs, [](const auto& y) { return square(y); });
    const Tensors<T> gradients = by_inputs(squared, second);
    std::vector<std::vector<double>> all = {numbers(outputs), numbers(gradients)};
    if (second) {
        all.push_back(numbers(by_inputs(weighted_sum(gradients, [](const auto& g) { return g; }), false)));
    }
    return all;
}

template <class T>
void check(const Case<T>& one, std::size_t n) {
    Tensors<T> whole;
    Tensors<T> scalars;
    std::vector<Tensors<T>> elements;
    for (const auto& input : one.inputs) {
        whole.push_back(parameter(input));
        elements.emplace_back();
        for (std::size_t i = 0; i < input.size(); ++i) {
            elements.back().push_back(parameter(Tensor<T>(input.data()[i])));
        }
        scalars.insert(scalars.end(), elements.back().begin(), elements.back().end());
    }
    const bool second = n < 100;  // the graphs of scalars grow large
    const auto got = derivatives<T>({one.op(whole)}, whole, second);
    const auto expected = derivatives<T>(one.one_by_one(elements), scalars, second);
    // Sums in another order differ by their length; what cancels keeps fewer digits.
    constexpr double epsilon = std::numeric_limits<T>::epsilon();
    const double tolerance = epsilon * static_cast<double>(256 + n);
    for (std::size_t order = 0; order < expected.size(); ++order) {
        const auto where =
            fmt::format("{} of {} ({}), derivative {}", one.name, n, sizeof(T) == 4 ? "float" : "double", order);
        REQUIRE_MESSAGE(got[order].size() == expected[order].size(), where);
        double largest = 0;
        for (const double e : expected[order]) {
            largest = std::max(largest, std::abs(e));
        }
        for (std::size_t i = 0; i < got[order].size(); ++i) {
            if (!(std::abs(got[order][i] - expected[order][i]) <= tolerance * largest + 4 * epsilon)) {
                FAIL_CHECK(
                    fmt::format("{}: element {} is {:.12g}, not {:.12g}", where, i, got[order][i], expected[order][i]));
                break;
            }
        }
    }
}

/// The cases at one size.
template <class T>
class Table {
public:
    explicit Table(std::size_t size) : n(size) {}

    using Op = std::function<Tensor<T>(const Tensors<T>&)>;
    using OneByOne = std::function<Tensors<T>(const std::vector<Tensors<T>>&)>;
    /// Inputs are drawn evenly from `low` to `high`.
    void add(const std::string& name, const std::vector<Shape>& shapes, Op op, OneByOne one_by_one, double low = -2.0,
             double high = 2.0) {
        random::Stream stream(0, random::stream_id(name), n);
        Tensors<T> inputs;
        for (const Shape& shape : shapes) {
            Tensor<T> x = Tensor<T>::uninitialized(shape);
            T* data = x.fresh_data();
            std::generate_n(data, x.size(), [&] { return stream.uniform<T>(low, high); });
            inputs.push_back(std::move(x));
        }
        cases.push_back({name, std::move(inputs), std::move(op), std::move(one_by_one)});
    }

    /// A function of the lines along an axis: the whole axis n long, or n lines. `along(line)` gives what takes the
    /// line's place.
    template <class F, class G>
    void add_along(const std::string& name, F op, G along, double low = -2.0, double high = 2.0,
                   std::size_t shortest = 0) {
        const auto place = [&](const Shape& shape, std::ptrdiff_t axis) {
            const Lines lines(shape, static_cast<std::size_t>(axis));
            if (lines.extent < shortest) {
                return;
            }
            add(
                fmt::format("{} of {} along {}", name, to_string(shape), axis), {shape},
                [=](const Tensors<T>& x) { return op(x[0], axis); },
                [=](const std::vector<Tensors<T>>& x) {
                    std::vector<Tensors<T>> results;  // of each line
                    for (std::size_t o = 0; o < lines.outer; ++o) {
                        for (std::size_t k = 0; k < lines.inner; ++k) {
                            Tensors<T> line;
                            for (std::size_t i = 0; i < lines.extent; ++i) {
                                line.push_back(x[0][lines.at(o, i, k)]);
                            }
                            results.push_back(along(line));
                        }
                    }
                    Tensors<T> y;
                    for (std::size_t o = 0; o < lines.outer; ++o) {
                        for (std::size_t i = 0; lines.inner != 0 && i < results[o * lines.inner].size(); ++i) {
                            for (std::size_t k = 0; k < lines.inner; ++k) {
                                y.push_back(results[o * lines.inner + k][i]);
                            }
                        }
                    }
                    return y;
                },
                low, high);
        };
        place({n}, 0);
        place({2, n}, 1);
        place({n, 2}, 0);
        place({n, 2}, 1);
        place({2, n}, 0);
        if (n < 100) {
            place({2, 2, n}, 1);
        }
    }

    /// An op that only moves elements: `sources` says which of the input's is where.
    template <class F>
    void add_move(const std::string& name, const Shape& shape, F op, std::vector<std::size_t> sources) {
        add(
            name, {shape}, [=](const Tensors<T>& x) { return op(x[0]); },
            [=](const std::vector<Tensors<T>>& x) {
                Tensors<T> y;
                for (const std::size_t source : sources) {
                    y.push_back(source == nowhere ? Tensor<T>(T(0)) : x[0][source]);
                }
                return y;
            });
    }
    static constexpr std::size_t nowhere = ~std::size_t{0};

    /// Sums of products: element (i, j) is the sum over k of left(i, k) right(k, j), those being indices of elements.
    template <class F, class L, class R>
    void add_product(const std::string& name, const std::vector<Shape>& shapes, F op,
                     std::array<std::size_t, 3> extents, L left, R right) {
        const auto [rows, inner, columns] = extents;
        add(name, shapes, op, [=, rows = rows, inner = inner, columns = columns](const std::vector<Tensors<T>>& x) {
            Tensors<T> y;
            for (std::size_t i = 0; i < rows; ++i) {
                for (std::size_t j = 0; j < columns; ++j) {
                    y.push_back(x.size() == 3 ? x[2][j] : Tensor<T>(T(0)));
                    for (std::size_t k = 0; k < inner; ++k) {
                        y.back() = y.back() + x[0][left(i, k)] * x[1][right(k, j)];
                    }
                }
            }
            return y;
        });
    }

    const std::size_t n;
    std::vector<Case<T>> cases;
};

// Lists of numbers, and what becomes of them.
template <class T, class F>
Tensor<T> folded(const Tensors<T>& line, F f) {
    return std::accumulate(line.begin() + 1, line.end(), line.front(), f);
}
template <class T>
Tensor<T> total(const Tensors<T>& line) {
    return std::accumulate(line.begin(), line.end(), Tensor<T>(T(0)),
                           [](const auto& a, const auto& b) { return a + b; });
}
template <class F, class T>
Tensors<T> each(F f, Tensors<T> line) {
    std::transform(line.begin(), line.end(), line.begin(), f);
    return line;
}
}  // namespace sizes
