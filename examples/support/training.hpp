#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "images.hpp"

namespace support {

/// What the command line can set; each program has its own defaults.
struct Settings {
    std::string name;  ///< of the data, and the beginning of the output files' names
    std::size_t epochs = 15;
    std::size_t batch_size = 128;
    double lr = 0.1;  ///< in the first epoch; it then falls towards 0 along half a cosine
    double momentum = 0.9;
    double weight_decay = 0;
    std::vector<std::size_t> layers{128};  ///< widths of the hidden layers
    std::vector<std::uint64_t> seeds{0};   ///< one run each
    std::filesystem::path output = ".";
    std::filesystem::path data = data_folder();
    double require = 0;  ///< the program fails if the (mean) test accuracy, in percent, is less
    bool quiet = false;
};

/// Images to learn from and others to be tested on, all of one size.
struct Task {
    Images train;
    Images test;
    std::size_t height = 0;
    std::size_t width = 0;
};

/// Gives the images for a run with that seed.
using LoadTask = std::function<Task(const Settings& settings, std::uint64_t seed)>;

/// The program that 04_digits and 05_mnist share: reads the command line, trains an MLP with momentum SGD while a
/// progress bar moves, and reports. Ctrl-C stops after the current batch; the report then shows, and the file keeps,
/// what was learned. Returns the program's exit code: 0, 1 after an error, 77 if the data is missing.
int train_and_report(int argc, char** argv, const Settings& defaults, const LoadTask& load);

/// The settings with what the command line says. Prints and ends the program for --help and for what it does not
/// understand.
Settings parse_command_line(int argc, char** argv, Settings settings);

}  // namespace support
