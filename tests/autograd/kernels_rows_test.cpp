// Kernels over whole rows (the softmax family, updates) against naive loops in a wider precision, at all sizes and
// places in memory. Folds are in reductions_kernels_test.cpp.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "kernel_memory.hpp"
#include "kernel_reading.hpp"

using namespace xtape;
using kernel_memory::Array;
using kernel_memory::fill;
using kernel_memory::Place;
using one_by_one::agrees;
using one_by_one::Wider;

namespace {

template <class T>
void expect_near(const std::string& what, T got, Wider<T> expected, Wider<T> magnitude, double ulps = 8) {
    if (!agrees(got, expected, magnitude, ulps)) {
        FAIL_CHECK(fmt::format("{}, {}: {:.17g}, not {:.17g}", what, sizeof(T) == sizeof(float) ? "float" : "double",
                               static_cast<double>(got), static_cast<double>(expected)));
    }
}

constexpr std::size_t row_counts[] = {0, 1, 2, 4};
/// Runs f(rows, columns, place) over matrices of all sizes.
template <class F>
void over_matrices(F f) {
    for (const std::size_t columns : kernel_memory::sizes) {
        for (const std::size_t rows : row_counts) {
            for (const Place place : kernel_memory::places) {
                f(rows, columns, place);
            }
        }
    }
}

/// softmax of each row and the logarithm of its denominator, naively.
template <class T>
struct Softmax {
    std::vector<Wider<T>> p;
    std::vector<Wider<T>> lse;

    Softmax(Array<T>& x, std::size_t rows, std::size_t columns) : p(rows * columns), lse(rows) {
        for (std::size_t i = 0; i < rows; ++i) {
            Wider<T> total = 0;
            for (std::size_t j = 0; j < columns; ++j) {
                total += std::exp(static_cast<Wider<T>>(x[i * columns + j]));
            }
            lse[i] = std::log(total);
            for (std::size_t j = 0; j < columns; ++j) {
                p[i * columns + j] = std::exp(static_cast<Wider<T>>(x[i * columns + j])) / total;
            }
        }
    }
};

template <class T>
void check_softmax_forward() {
    Array<T> x, y, lse;
    over_matrices([&](std::size_t rows, std::size_t columns, Place place) {
        const auto name = fmt::format("{} x {}", rows, columns);
        const auto& kernel = kernels::active<T>().rows;
        x.lay_out(rows * columns, place);
        fill(x, 4);
        const Softmax<T> expected(x, rows, columns);
        lse.lay_out(rows, place);
        kernel.logsumexp(x.data(), lse.data(), {rows, columns, 1});
        for (std::size_t i = 0; i < rows; ++i) {
            expect_near("logsumexp " + name, lse[i], expected.lse[i], Wider<T>(4));
        }
        CHECK(lse.kept_to_its_own());
        y.lay_out(rows * columns, place);
        for (const auto infinite : {kernels::Infinite::nan, kernels::Infinite::shared}) {
            kernel.softmax(x.data(), y.data(), rows, columns, infinite);
            for (std::size_t k = 0; k < y.size(); ++k) {
                expect_near("softmax " + name, y[k], expected.p[k], Wider<T>(0), 16);
            }
        }
        CHECK(y.kept_to_its_own());
        if (columns > 0) {
            std::vector<std::int64_t> labels(rows);
            for (std::size_t i = 0; i < rows; ++i) {
                labels[i] = static_cast<std::int64_t>((7 * i + 2) % columns);
            }
            kernel.cross_entropy(x.data(), labels.data(), lse.data(), rows, columns);
            for (std::size_t i = 0; i < rows; ++i) {
                const Wider<T> at_label = x[i * columns + static_cast<std::size_t>(labels[i])];
                expect_near("cross_entropy " + name, lse[i], expected.lse[i] - at_label, Wider<T>(4));
            }
            CHECK(lse.kept_to_its_own());
        }
        kernel.log_softmax(x.data(), y.data(), rows, columns);
        for (std::size_t k = 0; k < y.size(); ++k) {
            expect_near("log_softmax " + name, y[k], Wider<T>(x[k]) - expected.lse[k / columns], Wider<T>(4), 16);
        }
        CHECK(y.kept_to_its_own());
    });
}

template <class T>
void check_softmax_backward() {
    Array<T> x, y, g, out;
    over_matrices([&](std::size_t rows, std::size_t columns, Place place) {
        const auto name = fmt::format("{} x {}", rows, columns);
        const auto& kernel = kernels::active<T>().rows;
        x.lay_out(rows * columns, place);
        fill(x, 5);
        y.lay_out(rows * columns, place);
        g.lay_out(std::max(rows, rows * columns), place);
        fill(g, 6);
        const Softmax<T> softmax(x, rows, columns);
        enum Kind { of_softmax, of_log_softmax, scaled };
        for (const Kind kind : {of_softmax, of_log_softmax, scaled}) {
            for (const bool add : {false, true}) {
                out.lay_out(rows * columns, place);
                fill(out, 7);
                const std::vector<T> before(out.data(), out.data() + out.size());
                if (kind == of_softmax) {
                    kernel.softmax(x.data(), y.data(), rows, columns, kernels::Infinite::nan);
                    kernel.softmax_backward(g.data(), y.data(), out.data(), rows, columns, add);
                } else if (kind == of_log_softmax) {
                    kernel.log_softmax(x.data(), y.data(), rows, columns);
                    kernel.log_softmax_backward(g.data(), y.data(), out.data(), rows, columns, add);
                } else {
                    kernel.scaled_softmax(x.data(), g.data(), out.data(), rows, columns, add);
                }
                for (std::size_t k = 0; k < out.size(); ++k) {
                    const std::size_t i = k / columns;
                    Wider<T> dot = 0;
                    Wider<T> total = 0;
                    Wider<T> magnitude = 4;
                    for (std::size_t j = i * columns; j < (i + 1) * columns; ++j) {
                        dot += Wider<T>(g[j]) * softmax.p[j];
                        total += Wider<T>(g[j]);
                        magnitude += std::abs(Wider<T>(g[j])) * softmax.p[k];
                    }
                    const Wider<T> gradient = kind == of_softmax       ? softmax.p[k] * (Wider<T>(g[k]) - dot)
                                              : kind == of_log_softmax ? Wider<T>(g[k]) - softmax.p[k] * total
                                                                       : Wider<T>(g[i]) * softmax.p[k];
                    expect_near(fmt::format("softmax backward, kind {}, {}", static_cast<int>(kind), name), out[k],
                                (add ? before[k] : Wider<T>(0)) + gradient, magnitude);
                }
                CHECK(out.kept_to_its_own());
            }
        }
    });
}

// On multiples of 1/8 sums are exact, in whatever order.
template <class T>
void check_small_product() {
    Array<T> a, b, c;
    for (const auto& [m, n, k] : {std::array<std::size_t, 3>{1, 1, 1},
                                  {3, 2, 5},
                                  {8, 16, 4},
                                  {9, 17, 16},
                                  {12, 31, 33},
                                  {33, 4, 7},
                                  {5, 64, 16},
                                  {32, 1, 16},
                                  {1, 16, 32},
                                  {16, 2, 32},
                                  {13, 9, 1},
                                  {4, 8, 128}}) {
        for (const Place place : kernel_memory::places) {
            for (int flags = 0; flags < 8; ++flags) {
                const bool a_transposed = (flags & 1) != 0;
                const bool b_transposed = (flags & 2) != 0;
                const bool add = (flags & 4) != 0;
                a.lay_out(m * k, place);
                fill(a, 11);
                b.lay_out(k * n, place);
                fill(b, 12);
                c.lay_out(m * n, place);
                fill(c, 13);
                const std::vector<T> before(c.data(), c.data() + c.size());
                kernels::active<T>().product.small(a.data(), a_transposed, b.data(), b_transposed, c.data(), m, n, k,
                                                   add);
                std::size_t wrong = 0;
                for (std::size_t i = 0; i < m; ++i) {
                    for (std::size_t j = 0; j < n; ++j) {
                        T sum = add ? before[i * n + j] : T(0);
                        for (std::size_t l = 0; l < k; ++l) {
                            sum += a[a_transposed ? l * m + i : i * k + l] * b[b_transposed ? j * k + l : l * n + j];
                        }
                        wrong += c[i * n + j] == sum ? 0 : 1;
                    }
                }
                CHECK_MESSAGE(wrong == 0, fmt::format("({}, {}) times ({}, {}), {}", m, k, k, n, flags));
                CHECK(c.kept_to_its_own());
            }
        }
    }
}

template <class T>
void check_update(kernels::SgdStep step) {
    Array<T> theta, velocity, gradient;
    for (const std::size_t n : kernel_memory::sizes) {
        for (const Place place : kernel_memory::places) {
            theta.lay_out(n, place);
            fill(theta, 8);
            velocity.lay_out(n, place);
            fill(velocity, 9);
            gradient.lay_out(n, place);
            fill(gradient, 10);
            const std::vector<T> before(theta.data(), theta.data() + n);
            const std::vector<T> velocity_before(velocity.data(), velocity.data() + n);
            const std::vector<T> gradient_before(gradient.data(), gradient.data() + n);
            const bool has_velocity = step.momentum != 0;
            kernels::active<T>().update.sgd(theta.data(), has_velocity ? velocity.data() : nullptr, gradient.data(), n,
                                            step);
            for (std::size_t i = 0; i < n; ++i) {
                using W = Wider<T>;
                const W g = W(gradient_before[i]) + W(step.weight_decay) * W(before[i]);
                const W v = step.first ? g : W(step.momentum) * W(velocity_before[i]) + W(1 - step.dampening) * g;
                const W direction = !has_velocity ? g : step.nesterov ? g + W(step.momentum) * v : v;
                expect_near("theta", theta[i], W(before[i]) - W(step.lr) * direction, W(4));
                expect_near("velocity", velocity[i], has_velocity ? v : W(velocity_before[i]), W(4));
                CHECK(gradient[i] == gradient_before[i]);
            }
            CHECK(theta.kept_to_its_own());
            CHECK(velocity.kept_to_its_own());
        }
    }
}

}  // namespace

TEST_CASE("logsumexp, softmax and log_softmax of rows") {
    check_softmax_forward<float>();
    check_softmax_forward<double>();
}

TEST_CASE("small products, transposed or not, overwriting and adding") {
    check_small_product<float>();
    check_small_product<double>();
}

TEST_CASE("gradients of the softmax family, overwriting and adding") {
    check_softmax_backward<float>();
    check_softmax_backward<double>();
}

TEST_CASE("a step of momentum SGD, with every option") {
    for (const double momentum : {0.0, 0.875}) {
        for (const double weight_decay : {0.0, 0.25}) {
            for (const bool first : {true, false}) {
                for (const bool nesterov : {false, true}) {
                    for (const double dampening : {0.0, 0.5}) {
                        const kernels::SgdStep step = {.lr = 0.125,
                                                       .momentum = momentum,
                                                       .dampening = dampening,
                                                       .weight_decay = weight_decay,
                                                       .nesterov = nesterov,
                                                       .first = first};
                        check_update<float>(step);
                        check_update<double>(step);
                    }
                }
            }
        }
    }
}
