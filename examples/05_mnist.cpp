// 04_digits on MNIST: 60,000 images of 28 x 28 pixels to learn from, 10,000 to be tested on. `scripts/fetch-mnist.sh`
// gets the files; without them this program says so and exits with 77, which ctest reports as skipped.

#include "support/images.hpp"
#include "support/training.hpp"

int main(int argc, char** argv) {
    support::Settings defaults;
    defaults.name = "mnist";
    defaults.epochs = 15;
    defaults.batch_size = 64;
    defaults.lr = 0.1;
    defaults.weight_decay = 1e-4;
    defaults.layers = {256, 128};

    return support::train_and_report(argc, argv, defaults, [](const support::Settings& settings, std::uint64_t) {
        const auto mnist = xtape::data::mnist(settings.data / "mnist");
        return support::Task{mnist.train, mnist.test, 28, 28};
    });
}
