// Linear regression: finds the coefficients behind noisy measurements by descending the mean squared error.

#include <fmt/core.h>

#include <xtape/xtape.hpp>

#include "support/check.hpp"

namespace nn = xtape::nn;
namespace optim = xtape::optim;

int main() {
    xtape::random::seed(0);

    // 500 measurements of y = 3 a - 2 b + 0.5, each off by about 0.1.
    const auto a = xtape::random::uniform<float>({500, 1}, -1, 1);
    const auto b = xtape::random::uniform<float>({500, 1}, -1, 1);
    const auto noise = xtape::random::normal<float>({500, 1}, 0, 0.1);
    const auto x = xtape::concatenate({a, b}, 1);
    const auto y = 3 * a - 2 * b + 0.5 + noise;

    // One linear layer and no activation after it: the output is what the layer computes.
    nn::Linear<float> model(2, 1);
    optim::SGD<float> optimizer(model.parameters(), {.lr = 0.3, .momentum = 0.5});

    double error = 0;
    for (int step = 0; step <= 100; ++step) {
        const auto loss = nn::mse_loss(model(x), y);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        error = loss.item();
        if (step % 20 == 0) {
            fmt::print("step {:3}  mean squared error {:.5f}\n", step, error);
        }
    }

    // 500 measurements with an error of 0.1 settle a coefficient to about 0.1 / sqrt(500 / 3) = 0.008: four times that
    // is allowed here. What is left of the mean squared error is the noise's own, 0.1².
    support::Check check;
    check.close("coefficient of a", model.weight().value()(0, 0), 3, 0.03);
    check.close("coefficient of b", model.weight().value()(0, 1), -2, 0.03);
    check.close("constant", model.bias().value()(0), 0.5, 0.02);
    check.close("mean squared error", error, 0.01, 0.002);
    return check.exit_code();
}
