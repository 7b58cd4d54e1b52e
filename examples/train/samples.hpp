#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <xtape/data/dataset.hpp>

#include "preprocessing.hpp"

namespace train {

/// Which rows of a table are for what.
struct Division {
    std::vector<std::size_t> train;
    std::vector<std::size_t> validation;
    std::vector<std::size_t> test;  ///< empty if the test has a file of its own
};

/// Depends on the table, the options --test, --validation, --split-seed and the task alone; classes are divided alike.
/// Throws UsageError if nothing is left to learn from.
Division divide(const Table& table, Task task, const Options& options, bool own_test_file);

/// Samples as the network sees them. `Label` is int for classes and float for values.
template <class Label>
struct Samples {
    using Set = xtape::data::Dataset<float, Label>;

    Set train;
    Set validation;  ///< may be empty
    Set test;        ///< may be empty
};

/// The rows of a table as a data set.
template <class Label>
xtape::data::Dataset<float, Label> dataset_of(const Preprocessing& preprocessing, const Table& table,
                                              const std::vector<std::size_t>& rows) {
    if constexpr (std::is_integral_v<Label>) {
        return {preprocessing.transform(table, rows), preprocessing.labels(table, rows)};
    } else {
        return {preprocessing.transform(table, rows), preprocessing.values(table, rows)};
    }
}

/// All that a run reads, as it was before any option of training matters.
struct Data {
    Files files;
    std::optional<Files> test_files;
    std::string fingerprint;
    std::string test_fingerprint;  ///< empty: the test is a part of the data
    Table table;
    std::optional<Table> test_table;
    Division division;
    Preprocessing preprocessing;

    template <class Label>
    Samples<Label> samples() const {
        return {dataset_of<Label>(preprocessing, table, division.train),
                dataset_of<Label>(preprocessing, table, division.validation),
                test_table ? dataset_of<Label>(preprocessing, *test_table, all_rows(*test_table))
                           : dataset_of<Label>(preprocessing, table, division.test)};
    }
};

/// Reads, divides, and fits the preprocessing. Throws IoError, ValueError and UsageError.
Data read_data(const Options& options);

}  // namespace train
