// Trains 2-16-16-1 on one batch of 32 for as many steps as its argument says: what instructions_test.sh counts.

#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

// OpenBLAS has it; with another BLAS the count is for as many threads as that takes.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

using namespace xtape;

int main(int argc, char** argv) {
    const int steps = argc == 2 ? std::atoi(argv[1]) : 0;
    if (steps <= 0) {
        fmt::print(stderr, "usage: {} STEPS\n", argv[0]);
        return 2;
    }
    if (openblas_set_num_threads != nullptr) {
        openblas_set_num_threads(1);
    }
    random::seed(0);
    const auto x = random::normal<float>({32, 2});
    const auto target = sin(sum(x, {1}, keep_dims));
    nn::MLP<float> net({2, 16, 16, 1}, nn::Activation::relu);
    optim::SGD<float> optimizer(net.parameters(), {.lr = 0.01, .momentum = 0.9});
    float first = 0.0f;
    float last = 0.0f;
    for (int i = 0; i < steps; ++i) {
        optimizer.zero_grad();
        const auto loss = nn::mse_loss(net(x), target);
        loss.backward();
        optimizer.step();
        last = loss.item();
        if (i == 0) {
            first = last;
        }
    }
    fmt::print("{} steps: loss {} to {}\n", steps, first, last);
    return std::isfinite(last) && (steps == 1 || last < first) ? EXIT_SUCCESS : EXIT_FAILURE;
}
