// Trains a network on 1,438 images of handwritten digits and tests it on 359 others: a progress bar, the test accuracy,
// a confusion matrix, and a picture of the loss, the accuracy and the mistakes. `04_digits --help` lists what can be
// set. The training loop is in support/training.cpp; 05_mnist runs the same one on larger images.

#include "support/images.hpp"
#include "support/training.hpp"

int main(int argc, char** argv) {
    support::Settings defaults;
    defaults.name = "digits";
    defaults.epochs = 60;
    defaults.batch_size = 32;
    defaults.lr = 0.1;
    defaults.weight_decay = 1e-3;
    defaults.layers = {256, 128};

    return support::train_and_report(argc, argv, defaults, [](const support::Settings& settings, std::uint64_t seed) {
        // A fifth of each class is held out for the test; the seed draws which.
        const support::Images digits = support::load_digits(settings.data);
        const auto [train, test] = xtape::data::stratified_split(digits.labels(), 0.2, seed);
        return support::Task{digits.subset(train), digits.subset(test), 8, 8};
    });
}
