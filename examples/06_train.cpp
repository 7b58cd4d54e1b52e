// xtape-train: a multilayer perceptron from a data file, without programming. docs/train.md tells how to use it; its
// parts are in train/: the command line (command_line, options), reading and dividing data (table, preprocessing,
// samples), the network and what trains it (model, trainer), what a run remembers (course), and what it leaves
// (model_file, report, predict).

#include <cstdio>

#include <fmt/format.h>

#include "train/predict.hpp"
#include "train/run.hpp"

int main(int argc, char** argv) try {
    auto command = train::parse_command_line(argc, argv);
    if (const auto* text = std::get_if<train::TextCommand>(&command)) {
        fmt::print("{}", text->text);
        return 0;
    }
    if (const auto* prediction = std::get_if<train::PredictCommand>(&command)) {
        train::predict(*prediction);
        return 0;
    }
    return train::run(std::get<train::TrainCommand>(std::move(command)));
} catch (const train::UsageError& error) {
    fmt::print(stderr, "xtape-train: {}\n(xtape-train --help tells everything)\n", error.what());
    return 2;
} catch (const train::Json::exception& error) {
    fmt::print(stderr, "xtape-train: this checkpoint is of another version, or a text in it is not UTF-8: {}\n",
               error.what());
    return 1;
} catch (const std::exception& error) {
    fmt::print(stderr, "xtape-train: {}\n", error.what());
    return 1;
}
