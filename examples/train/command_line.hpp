#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "options.hpp"

namespace train {

/// `xtape-train DATA [options]`
struct TrainCommand {
    Options options;  ///< as given, not completed
    Given given;
};

/// `xtape-train predict MODEL DATA [options]`
struct PredictCommand {
    std::filesystem::path model;
    std::string data;
    std::string labels;                  ///< IDX: the labels' file; empty: beside the images, if there is one
    std::filesystem::path output;        ///< .csv or .npz; empty: none
    bool test = false;                   ///< only the samples that training held out for the test
    std::optional<std::size_t> threads;  ///< as in training unless given
};

/// What ends the program right away, such as the text of --help.
struct TextCommand {
    std::string text;
};

using Command = std::variant<TrainCommand, PredictCommand, TextCommand>;

/// Throws UsageError, saying what is allowed, for what it does not understand.
Command parse_command_line(int argc, char** argv);

}  // namespace train
