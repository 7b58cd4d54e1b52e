// A user's program: it includes everything, uses a piece of each part, and knows its answers by hand.

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <xtape/xtape.hpp>

namespace {

void expect(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "consumer: %s does not hold\n", what);
        std::exit(EXIT_FAILURE);
    }
}

}  // namespace

int main() {
    // y = sum(x^2 W), W = [[1, 2], [3, 4]], so dy/dx = 2 x (row sums of W).
    auto x = xtape::parameter(xt::xarray<double>{{1., 2.}});
    const xtape::Tensor<double> w{xt::xarray<double>{{1., 2.}, {3., 4.}}};
    auto y = xtape::sum(xtape::matmul(x * x, w));
    y.backward();
    expect(std::abs(y.item() - 31.) < 1e-12, "y = 31");
    expect(std::abs(x.grad().value()(0, 0) - 6.) < 1e-12, "dy/dx0 = 6");
    expect(std::abs(x.grad().value()(0, 1) - 28.) < 1e-12, "dy/dx1 = 28");

    // A thousand steps of momentum SGD teach one layer (2 a - b + 1, a + b) from four examples.
    const xt::xarray<float> inputs{{0.f, 0.f}, {0.f, 1.f}, {1.f, 0.f}, {1.f, 1.f}};
    const xt::xarray<float> targets{{1.f, 0.f}, {0.f, 1.f}, {3.f, 1.f}, {2.f, 2.f}};
    xtape::nn::Linear<float> layer(2, 2);
    xtape::optim::SGD<float> optimiser(layer.parameters(), {.lr = 0.1, .momentum = 0.9});
    xtape::data::DataLoader loader(xtape::data::Dataset{inputs, targets}, {.batch_size = 2, .shuffle = true});
    for (int epoch = 0; epoch < 500; ++epoch) {
        for (auto& [input, target] : loader) {
            optimiser.zero_grad();
            xtape::nn::mse_loss(layer(input), xtape::Tensor<float>{target}).backward();
            optimiser.step();
        }
    }
    const auto error = layer(xtape::Tensor<float>{inputs}) - xtape::Tensor<float>{targets};
    expect(xtape::amax(xtape::abs(error)).item() < 1e-3f, "the layer has learned its four examples");
    std::puts("consumer: ok");
}
