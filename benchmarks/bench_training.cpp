// A training from beginning to end: 784-512-256-10 on MNIST's images in batches of 128, Adam on a one-cycle schedule,
// by xtape as its user writes it and by libtorch, an epoch of the one and an epoch of the other in turn.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xtape/xtape.hpp>

#include "figures.hpp"
#include "options.hpp"
#include "peer_libtorch.hpp"

namespace {

using namespace xtape;
using Images = data::Dataset<float, int>;

constexpr double most_of_libtorch = 0.85;
constexpr double max_lr = 2e-3;
constexpr std::size_t batch_size = 128;
const std::vector<int> layers{784, 512, 256, 10};

struct Task {
    Images train;
    std::optional<Images> test;  // only of real images
};

// Noise of MNIST's shape: as much work, and nothing to learn.
Images noise(std::size_t samples) {
    random::Stream stream(1);
    auto inputs = xt::xarray<float>::from_shape({samples, 784});
    auto labels = xt::xarray<int>::from_shape({samples});
    std::ranges::generate(inputs.storage(), [&] { return stream.uniform<float>(0, 1); });
    std::ranges::generate(labels.storage(), [&] { return static_cast<int>(stream.below(10)); });
    return {std::move(inputs), std::move(labels)};
}

Task load(bool quick) {
    const std::filesystem::path folder = XTAPE_MNIST_DIR;
    if (quick || !std::filesystem::exists(folder / "train-images-idx3-ubyte")) {
        if (!quick) {
            fmt::print("without MNIST's images (scripts/fetch-mnist.sh gets them): on noise of their shape\n");
        }
        return {noise(quick ? 1000 : 60'000), std::nullopt};
    }
    auto [train, test] = data::mnist(folder);
    return {std::move(train), std::move(test)};
}

class Training {
public:
    Training(const Images& train, std::size_t epochs, std::uint64_t seed)
        : net_((random::seed(seed), std::vector<std::size_t>(layers.begin(), layers.end()))),
          optimizer_(net_.parameters()), loader_(train, {.batch_size = batch_size, .seed = seed}),
          schedule_(optimizer_, {.max_lr = max_lr, .total_steps = epochs * loader_.size()}) {}

    double epoch() {
        double total = 0.0;
        for (auto& [x, y] : loader_) {
            const auto loss = nn::cross_entropy(net_(x), y);
            optimizer_.zero_grad();
            loss.backward();
            optimizer_.step();
            schedule_.step();
            total += static_cast<double>(loss.item()) * static_cast<double>(y.size());
        }
        return total / static_cast<double>(loader_.dataset().size());
    }

    double accuracy(const Images& images) {
        const NoGradGuard no_grad;
        return nn::accuracy(net_(Tensor<float>(images.inputs())), images.labels());
    }

private:
    nn::MLP<float> net_;
    optim::Adam<float> optimizer_;
    data::DataLoader<float, int> loader_;
    optim::OneCycleLR schedule_;
};

constexpr const char* usage = R"(usage: bench_training [OPTION...]

Trains 784-512-256-10 on MNIST (on noise of its shape where scripts/fetch-mnist.sh has not been run) in batches of 128 with
Adam on a one-cycle schedule: by xtape and, where it is installed, by libtorch, an epoch of each in turn; both times are of
the whole training, its batches and its schedule included.

  --seconds S       how long to train, all together: as many epochs as fit, at least 2 and at most 10 (60)

Fails if xtape takes more than 0.85 times as long as libtorch.)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 60.0}, false);
    const Task task = load(options.quick);
    const xt::xarray<float> inputs = task.train.inputs();
    const xt::xarray<int> labels = task.train.labels();
    const auto make_peer = [&](std::size_t epochs) {
        return bench::make_libtorch_training({.layers = layers,
                                              .batch = batch_size,
                                              .epochs = epochs,
                                              .max_lr = max_lr,
                                              .seed = 0,
                                              .inputs = {inputs.data(), inputs.size()},
                                              .labels = {labels.data(), labels.size()}});
    };

    // An epoch of each tells how many there is time for, and warms both up.
    const double of_both = bench::seconds([&] {
        Training(task.train, 1, 0).epoch();
        if (const auto peer = make_peer(1)) {
            peer->epoch();
        }
    });
    const auto epochs =
        options.quick ? std::size_t{1}
                      : static_cast<std::size_t>(std::clamp(std::round(options.budget / of_both) - 1.0, 2.0, 10.0));

    Training mine(task.train, epochs, 0);
    const std::unique_ptr<bench::LibtorchTraining> peer = make_peer(epochs);
    double my_seconds = 0.0;
    double peer_seconds = 0.0;
    double my_loss = 0.0;
    double peer_loss = 0.0;
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        my_seconds += bench::seconds([&] { my_loss = mine.epoch(); });
        if (peer) {
            peer_seconds += bench::seconds([&] { peer_loss = peer->epoch(); });
        }
    }

    bench::Figures figures("training", options.json);
    const std::string what = fmt::format("784-512-256-10, Adam, one cycle, {} epochs", epochs);
    const auto tell = [&](const std::string& name, double seconds, double loss, std::optional<double> accuracy) {
        fmt::print("{:<16} {:>8.2f} s {:>10.4f}{}\n", name, seconds, loss,
                   accuracy ? fmt::format(" {:>13.2f}%", 100.0 * *accuracy) : "");
    };
    fmt::print("{}\n{:<16} {:>10} {:>10} {:>14}\n", what, "", "training", "last loss",
               task.test ? "test accuracy" : "");
    tell("xtape", my_seconds, my_loss, task.test ? std::optional(mine.accuracy(*task.test)) : std::nullopt);
    figures.note(what + ", xtape", my_seconds, "s");
    if (!peer) {
        return EXIT_SUCCESS;
    }
    std::optional<double> peer_accuracy;
    if (task.test) {
        peer_accuracy = peer->accuracy({task.test->inputs().data(), task.test->inputs().size()},
                                       {task.test->labels().data(), task.test->labels().size()});
    }
    tell("libtorch " + bench::libtorch_version(), peer_seconds, peer_loss, peer_accuracy);
    const double ratio = my_seconds / peer_seconds;
    const bool met = ratio <= most_of_libtorch;
    fmt::print("{:.2f} of libtorch's time, limit {}{}\n", ratio, most_of_libtorch, met ? "" : "  TOO SLOW");
    figures.note(what + ", libtorch", peer_seconds, "s");
    figures.at_most(most_of_libtorch, what + ": xtape over libtorch", ratio);
    return options.accept(met) ? EXIT_SUCCESS : EXIT_FAILURE;
}
