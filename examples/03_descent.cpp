// Three ways down: full-batch gradient descent, stochastic descent, and stochastic descent with momentum learn the
// digits from the same start; their loss curves go into one picture, descent.svg (in the folder given as argument).

#include <fmt/core.h>

#include <algorithm>
#include <xtape/xtape.hpp>

#include "support/check.hpp"
#include "support/images.hpp"
#include "support/picture.hpp"

namespace nn = xtape::nn;
namespace optim = xtape::optim;
namespace data = xtape::data;

namespace {

constexpr std::size_t epochs = 100;

/// Trains a small network with batches of that size, and returns the loss over all images after each epoch.
support::Curve descend(const std::string& name, const support::Images& digits, std::size_t batch_size,
                       double momentum) {
    xtape::random::seed(0);  // the same start for all three
    nn::MLP<float> net({64, 32, 10}, nn::Activation::relu);
    optim::SGD<float> optimizer(net.parameters(), {.lr = 0.1, .momentum = momentum});
    data::DataLoader loader(digits, {.batch_size = batch_size, .seed = 0});

    const xtape::Tensor<float> all{digits.inputs()};
    support::Curve curve{.name = name, .x = {}, .y = {}};
    for (std::size_t epoch = 0; epoch <= epochs; ++epoch) {
        {
            const xtape::NoGradGuard no_grad;  // looking at the loss needs no tape
            curve.x.push_back(static_cast<double>(epoch));
            curve.y.push_back(nn::cross_entropy(net(all), digits.labels()).item());
        }
        for (auto& [x, y] : loader) {
            const auto loss = nn::cross_entropy(net(x), y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
        }
    }
    fmt::print("{:<28} loss {:.4f} -> {:.4f}\n", name, curve.y.front(), curve.y.back());
    return curve;
}

bool always_falls(const support::Curve& curve) { return std::is_sorted(curve.y.rbegin(), curve.y.rend()); }

}  // namespace

int main(int argc, char** argv) try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    const auto digits = support::load_digits(support::data_folder());
    const auto full = descend("full batch", digits, digits.size(), 0);
    const auto stochastic = descend("stochastic, batches of 32", digits, 32, 0);
    const auto momentum = descend("stochastic with momentum 0.9", digits, 32, 0.9);

    fmt::print("{}\n", support::draw_curves(folder / "descent", "Three ways down, one learning rate", "epoch",
                                            "loss over all digits", {full, stochastic, momentum}));

    support::Check check;
    check.holds("a full batch descends at every step", always_falls(full));
    check.holds("57 small steps an epoch beat a large one ten times over", 10 * stochastic.y.back() < full.y.back());
    check.holds("momentum beats them five times over", 5 * momentum.y.back() < stochastic.y.back());
    return check.exit_code();
} catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
}
