#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

#include "options.hpp"

namespace train {

/// What is known of data files beside their numbers, and travels with the model: which columns or arrays hold what.
struct Schema {
    enum class Format { csv, idx, npz };

    Format format = Format::csv;
    std::size_t features = 0;  ///< numbers a sample, without those that texts become

    // Of CSV files.
    bool header = false;
    std::string delimiter = ",";
    std::vector<std::string> missing{};
    std::size_t width = 0;               ///< columns of the file
    std::vector<std::string> numbers{};  ///< names of the features that are numbers; without a header "column 3"
    std::vector<std::string> texts{};    ///< and of those that are categories
    std::string target{};
    bool target_is_text = false;

    // Of npz files.
    std::string inputs_array{};
    std::string target_array{};
};

Json to_json(const Schema& schema);
Schema schema_from(const Json& json);

/// A column of categories.
struct TextColumn {
    std::string name;
    std::vector<std::string> fields;
};

/// What is to be learned: a text a sample, or numbers, samples x outputs.
struct Target {
    std::vector<std::string> texts{};
    xt::xarray<double> numbers{};
    bool is_label = false;  ///< of a kind of file that holds classes, not values
};

/// Samples as a file holds them: nothing is scaled, nothing is fitted.
struct Table {
    std::size_t size = 0;
    std::variant<xt::xarray<std::uint8_t>, xt::xarray<double>> numbers{};  ///< samples x features; NaN: missing
    std::vector<TextColumn> texts{};
    std::optional<Target> target{};
};

/// Files of samples.
struct Files {
    std::string data;
    std::string labels;  ///< empty: there is none
};

/// The files that a command line means: `mnist` is replaced by their names, and labels that lie beside images are
/// found. Throws xtape::data::MissingFile if the MNIST files are not there.
Files files_of(const std::string& data, const std::string& labels, bool test_part = false);

/// A checksum over the files' contents. Throws IoError.
std::string fingerprint(const Files& files);

/// Reads a training file, and finds out what it holds. It must have a target.
/// Throws IoError, ValueError or UsageError, saying what to do.
std::pair<Schema, Table> read_training_table(const Files& files, const Options& options);

/// Reads another file of the kind. Columns are found by their names if there is a header; what else there is, is
/// ignored. The target may be absent. Throws as the above for a file that does not fit.
Table read_table(const Files& files, const Schema& schema);

// The parts of the two functions above: csv_table.cpp and array_table.cpp.
std::pair<Schema, Table> read_training_csv(const std::string& path, const Options& options);
Table read_csv_table(const std::string& path, const Schema& schema);
std::pair<Schema, Table> read_idx_table(const Files& files);
std::pair<Schema, Table> read_npz_table(const std::string& path, const std::string& inputs, const std::string& target);

}  // namespace train
