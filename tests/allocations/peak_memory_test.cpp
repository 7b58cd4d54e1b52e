// What a training loop takes from the system at its worst, beside what it cannot do without.

#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

using namespace xtape;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // with which there is no pool

TEST_CASE("training takes little more memory than parameters, gradients, momentum and activations") {
    const std::vector<std::size_t> widths = {1024, 1024, 1024, 1024, 10};
    constexpr std::size_t batch = 512;
    release_cached_memory();
    memory::reset_peak();
    const std::size_t before = memory::peak_bytes();

    std::size_t needed = batch * widths.front();  // the data
    nn::MLP<float> mlp(widths, nn::Activation::relu);
    for (std::size_t i = 1; i < widths.size(); ++i) {
        needed += 3 * (widths[i - 1] + 1) * widths[i] + batch * widths[i];
    }
    {
        optim::SGD<float> sgd(mlp.parameters(), {.lr = 1e-3, .momentum = 0.9});
        const Tensor<float> x = random::normal<float>({batch, widths.front()});
        const xt::xarray<int> labels = xt::zeros<int>({batch});
        for (int step = 0; step < 3; ++step) {
            sgd.zero_grad();
            nn::cross_entropy(mlp(x), labels).backward();
            sgd.step();
        }
    }
    const std::size_t peak = memory::peak_bytes() - before;
    CAPTURE(peak);
    CHECK(peak > needed * sizeof(float) / 2);
    CHECK(static_cast<double>(peak) <= 1.1 * static_cast<double>(needed * sizeof(float)));
}

#endif
