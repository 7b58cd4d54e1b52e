// How often a steady training step of 784-128-10 calls the allocator, OpenBLAS on one thread. The counting is that of
// tests/allocations, which fails where a call is made; here the figure is for the table.

#include <cstdlib>

#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "../tests/allocations/interposed.hpp"
#include "figures.hpp"
#include "options.hpp"

namespace {

using namespace xtape;

constexpr int steps = 100;

constexpr const char* usage = R"(usage: bench_allocations [OPTION...]

Counts the calls of malloc, its like and mmap by anybody in the process during 100 training steps of 784-128-10, batch 64,
OpenBLAS on one thread, after 20 steps that fill the pool. Fails if there is one.)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 0.0}, false);
    xtape::set_num_threads(1);
    nn::MLP<float> net({784, 128, 10}, nn::Activation::relu);
    optim::SGD<float> optimizer(net.parameters(), {.lr = 0.01, .momentum = 0.9});
    const auto inputs = ones<float>({64, 784});
    const xt::xarray<int> labels = xt::zeros<int>({64});
    const auto train = [&](int count) {
        for (int i = 0; i < count; ++i) {
            optimizer.zero_grad();
            const auto loss = nn::cross_entropy(net(inputs), labels);
            loss.backward();
            optimizer.step();
        }
    };
    train(20);
    const testing::AllocatorCalls calls = testing::count_allocator_calls([&] { train(steps); });
    const double a_step = static_cast<double>(testing::total(calls)) / steps;
    fmt::print("allocator calls in a steady training step: {}, limit 0 ({} steps: {})\n", a_step, steps,
               a_step == 0.0 ? "none" : testing::describe(calls));
    bench::Figures("allocations", options.json).at_most(0.0, "allocator calls in a steady training step", a_step);
    return a_step == 0.0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
