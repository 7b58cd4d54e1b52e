// The optimisers' kernels against their formulas in a wider precision, at all sizes and places in memory.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/kernels/kernels.hpp>

#include "autograd/kernel_memory.hpp"

using namespace xtape;
using kernel_memory::Array;
using kernel_memory::fill;
using kernel_memory::Place;

namespace {

using Wide = long double;

/// A parameter, a gradient, and three buffers, as they lie in memory.
template <class T>
struct Memory {
    Array<T> theta, gradient, buffers[3];

    void lay_out(std::size_t n, Place place) {
        unsigned seed = 1;
        for (Array<T>* array : {&theta, &gradient, &buffers[0], &buffers[1], &buffers[2]}) {
            array->lay_out(n, place);
            fill(*array, seed++);
        }
    }
};

/// Calls `kernel(memory, n)` at all sizes and places, and compares theta and buffers with what `formula(theta, buffers,
/// g)` makes of each element.
template <class T, class Kernel, class Formula>
void compare(const char* what, Kernel kernel, Formula formula) {
    Memory<T> memory;
    for (const std::size_t n : kernel_memory::sizes) {
        for (const Place place : kernel_memory::places) {
            memory.lay_out(n, place);
            for (std::size_t i = 0; i < n; ++i) {  // what is squares is not negative
                memory.buffers[1][i] = std::abs(memory.buffers[1][i]) + 2;
                memory.buffers[2][i] = std::abs(memory.buffers[2][i]) + 2;
            }
            std::vector<Wide> expected[4];
            for (std::size_t i = 0; i < n; ++i) {
                Wide theta = memory.theta[i];
                Wide buffers[] = {memory.buffers[0][i], memory.buffers[1][i], memory.buffers[2][i]};
                formula(theta, buffers, Wide(memory.gradient[i]));
                expected[0].push_back(theta);
                for (int k = 0; k < 3; ++k) {
                    expected[k + 1].push_back(buffers[k]);
                }
            }
            const std::vector<T> gradient(memory.gradient.data(), memory.gradient.data() + n);
            kernel(memory, n);
            Array<T>* const arrays[] = {&memory.theta, &memory.buffers[0], &memory.buffers[1], &memory.buffers[2]};
            for (std::size_t k = 0; k < 4; ++k) {
                Wide off = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    off = std::max(off, std::abs(Wide((*arrays[k])[i]) - expected[k][i]));
                }
                CHECK_MESSAGE(off <= 16 * Wide(std::numeric_limits<T>::epsilon()), what, " array ", k, " of ", n);
                CHECK(arrays[k]->kept_to_its_own());
            }
            CHECK(std::equal(gradient.begin(), gradient.end(), memory.gradient.data()));
        }
    }
}

}  // namespace

TEST_CASE_TEMPLATE("a step of Adam and AdamW, with every option", T, float, double) {
    for (const bool amsgrad : {false, true}) {
        for (const bool maximize : {false, true}) {
            for (const double decay : {0.0, 0.25}) {
                for (const double shrink : {1.0, 0.75}) {
                    const kernels::AdamStep step{.step_size = 0.125,
                                                 .root_scale = 1.5,
                                                 .beta1 = 0.75,
                                                 .beta2 = 0.875,
                                                 .eps = 0.5,
                                                 .weight_decay = decay,
                                                 .shrink = shrink,
                                                 .maximize = maximize};
                    compare<T>(
                        "adam",
                        [&](Memory<T>& m, std::size_t n) {
                            kernels::active<T>().update.adam(m.theta.data(), m.buffers[0].data(), m.buffers[1].data(),
                                                             amsgrad ? m.buffers[2].data() : nullptr, m.gradient.data(),
                                                             n, step);
                        },
                        [&](Wide& theta, Wide(&b)[3], Wide g) {
                            theta *= Wide(shrink);
                            g = (maximize ? -g : g) + Wide(decay) * theta;
                            b[0] = Wide(0.75) * b[0] + Wide(0.25) * g;
                            b[1] = Wide(0.875) * b[1] + Wide(0.125) * g * g;
                            b[2] = amsgrad ? std::max(b[1], b[2]) : b[2];
                            theta -= Wide(0.125) * b[0] / (std::sqrt(amsgrad ? b[2] : b[1]) * Wide(1.5) + Wide(0.5));
                        });
                }
            }
        }
    }
}

TEST_CASE_TEMPLATE("a step of RMSprop, with every option", T, float, double) {
    for (const bool centered : {false, true}) {
        for (const bool maximize : {false, true}) {
            for (const double decay : {0.0, 0.25}) {
                for (const double momentum : {0.0, 0.75}) {
                    const kernels::RmspropStep step{.lr = 0.125,
                                                    .alpha = 0.875,
                                                    .eps = 0.5,
                                                    .weight_decay = decay,
                                                    .momentum = momentum,
                                                    .maximize = maximize};
                    // The squares' average is buffer 1 here, which is large enough to be one.
                    compare<T>(
                        "rmsprop",
                        [&](Memory<T>& m, std::size_t n) {
                            kernels::active<T>().update.rmsprop(
                                m.theta.data(), m.buffers[1].data(), momentum != 0 ? m.buffers[2].data() : nullptr,
                                centered ? m.buffers[0].data() : nullptr, m.gradient.data(), n, step);
                        },
                        [&](Wide& theta, Wide(&b)[3], Wide g) {
                            g = (maximize ? -g : g) + Wide(decay) * theta;
                            b[1] = Wide(0.875) * b[1] + Wide(0.125) * g * g;
                            b[0] = centered ? Wide(0.875) * b[0] + Wide(0.125) * g : b[0];
                            const Wide spread = centered ? std::max(b[1] - b[0] * b[0], Wide(0)) : b[1];
                            const Wide scaled = g / (std::sqrt(spread) + Wide(0.5));
                            b[2] = momentum != 0 ? Wide(momentum) * b[2] + scaled : b[2];
                            theta -= Wide(0.125) * (momentum != 0 ? b[2] : scaled);
                        });
                }
            }
        }
    }
}

TEST_CASE_TEMPLATE("a step of Adagrad, with every option", T, float, double) {
    for (const bool maximize : {false, true}) {
        for (const double decay : {0.0, 0.25}) {
            const kernels::AdagradStep step{.lr = 0.125, .eps = 0.5, .weight_decay = decay, .maximize = maximize};
            compare<T>(
                "adagrad",
                [&](Memory<T>& m, std::size_t n) {
                    kernels::active<T>().update.adagrad(m.theta.data(), m.buffers[1].data(), m.gradient.data(), n,
                                                        step);
                },
                [&](Wide& theta, Wide(&b)[3], Wide g) {
                    g = (maximize ? -g : g) + Wide(decay) * theta;
                    b[1] += g * g;
                    theta -= Wide(0.125) * g / (std::sqrt(b[1]) + Wide(0.5));
                });
        }
    }
}
