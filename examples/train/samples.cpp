#include "samples.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/split.hpp>

namespace train {
namespace {

/// Draws a part of some rows, of each class alike.
xtape::data::Split draw(const std::vector<std::size_t>& rows, const xt::xarray<int>& classes, double fraction,
                        std::uint64_t seed) {
    auto labels = xt::xarray<int>::from_shape({rows.size()});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        labels(i) = classes.size() == 0 ? 0 : classes(rows[i]);
    }
    const xtape::data::Split drawn = xtape::data::stratified_split(labels, fraction, seed);
    xtape::data::Split result;
    for (const std::size_t i : drawn.train) {
        result.train.push_back(rows[i]);
    }
    for (const std::size_t i : drawn.test) {
        result.test.push_back(rows[i]);
    }
    return result;
}

/// A target that is there is not enough: every sample must have one.
void require_values(const Files& files, const Target& target) {
    constexpr std::size_t most = 5;
    std::vector<std::size_t> rows = rows_without_value(target);
    if (rows.empty()) {
        return;
    }
    std::ranges::for_each(rows, [](std::size_t& row) { ++row; });
    throw xtape::ValueError(fmt::format(
        "{}: the target is missing or infinite in sample{} {}{}, counted from 1: leave them out", files.data,
        rows.size() == 1 ? "" : "s", fmt::join(std::span(rows).first(std::min(most, rows.size())), ", "),
        rows.size() > most ? fmt::format(" and {} more", rows.size() - most) : ""));
}

}  // namespace

Division divide(const Table& table, Task task, const Options& options, bool own_test_file) {
    const xt::xarray<int> classes =
        task == Task::classification ? class_numbers(*table.target) : xt::xarray<int>::from_shape({0});
    const double test = own_test_file ? 0 : options.test;
    auto [rest, test_rows] = draw(all_rows(table), classes, test, options.split_seed);
    auto [train, validation] = draw(rest, classes, options.validation, options.split_seed + 1);
    if (train.empty() || (test > 0 && test_rows.empty()) || (options.validation > 0 && validation.empty())) {
        throw UsageError(fmt::format("{} samples, divided by --test {} and --validation {}, leave {} to learn from, {} "
                                     "to validate and {} to test: choose other parts (0 for none)",
                                     table.size, test, options.validation, train.size(), validation.size(),
                                     test_rows.size()));
    }
    return {std::move(train), std::move(validation), std::move(test_rows)};
}

Data read_data(const Options& options) {
    const Files files = files_of(options.data, options.labels);
    std::optional<Files> test_files;
    if (!options.test_file.empty()) {
        test_files = files_of(options.test_file, options.test_labels);
    } else if (files.data != options.data) {
        test_files = files_of(options.data, "", true);  // MNIST has a test part
    }
    auto [schema, table] = read_training_table(files, options);
    require_values(files, *table.target);
    std::optional<Table> test_table;
    if (test_files) {
        test_table = read_table(*test_files, schema);
        if (!test_table->target) {
            throw xtape::IoError(fmt::format("{}: there is no target in it to compare with", test_files->data));
        }
        require_values(*test_files, *test_table->target);
    }
    const Task task = task_of(options.task, *table.target);
    Division division = divide(table, task, options, test_table.has_value());
    Preprocessing preprocessing = Preprocessing::fit(schema, table, division.train, task, options.standardize);
    return {files,
            test_files,
            fingerprint(files),
            test_files ? fingerprint(*test_files) : std::string(),
            std::move(table),
            std::move(test_table),
            std::move(division),
            std::move(preprocessing)};
}

}  // namespace train
