// Everything together: what a network, a loss and an optimiser can learn.

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;

TEST_CASE_TEMPLATE("an MLP learns XOR", T, float, double) {
    const Tensor<T> x(xt::xarray<T>{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
    const xt::xarray<int> labels{0, 1, 1, 0};
    for (const nn::Activation activation : {nn::Activation::tanh, nn::Activation::relu}) {
        random::seed(1);
        nn::MLP<T> net({2, 8, 2}, activation);
        optim::SGD<T> optimizer(net.parameters(), {.lr = 0.3, .momentum = 0.9});
        const T before = nn::cross_entropy(net(x), labels).item();
        for (int step = 0; step < 300; ++step) {
            optimizer.zero_grad();
            nn::cross_entropy(net(x), labels).backward();
            optimizer.step();
        }
        const auto logits = net(x);
        CHECK(nn::accuracy(logits, labels) == 1.0);
        CHECK(nn::cross_entropy(logits, labels).item() < T(0.05));
        CHECK(before > T(0.4));
    }
}

TEST_CASE("a Linear layer finds the line that it is shown") {
    random::seed(2);
    const auto x = random::normal<double>({64, 3});
    const Tensor<double> truth(xt::xarray<double>{{1.5, -2.0, 0.25}});
    const auto y = linear(x, truth, Tensor<double>(xt::xarray<double>{0.75}));
    nn::Linear<double> layer(3, 1);
    optim::SGD<double> optimizer(layer.parameters(), {.lr = 0.1, .momentum = 0.8});
    for (int step = 0; step < 300; ++step) {
        optimizer.zero_grad();
        nn::mse_loss(layer(x), y).backward();
        optimizer.step();
    }
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(layer.weight().data()[i] == doctest::Approx(truth.data()[i]).epsilon(1e-9));
    }
    CHECK(layer.bias().item() == doctest::Approx(0.75).epsilon(1e-9));
}

TEST_CASE("the same seed trains the same network, to the last bit") {
    const auto train = [](std::uint64_t seed) {
        random::seed(seed);
        nn::MLP<float> net({4, 16, 3}, nn::Activation::relu);
        optim::SGD<float> optimizer(net.parameters(),
                                    {.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-3, .nesterov = true});
        const auto x = random::normal<float>({32, 4});
        const xt::xarray<int> labels = xt::arange<int>(32) % 3;
        for (int step = 0; step < 20; ++step) {
            optimizer.zero_grad();
            nn::cross_entropy(net(x), labels).backward();
            optimizer.step();
        }
        std::vector<std::vector<float>> weights;
        for (const auto& p : net.parameters()) {
            weights.push_back(expect::elements(p));
        }
        return weights;
    };
    CHECK(train(3) == train(3));
    CHECK(train(3) != train(4));
}
