#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <xtape/data/categories.hpp>
#include <xtape/data/standardizer.hpp>

#include "table.hpp"

namespace train {

/// What is learned.
enum class Task { classification, regression };

/// The samples, from 0, whose target is missing or infinite.
std::vector<std::size_t> rows_without_value(const Target& target);

/// The task that an option names, or that a target looks like: classification for texts, labels, and up to 20 different
/// whole numbers.
Task task_of(const std::string& option, const Target& target);

/// What is done to samples before the network sees them, fitted on training samples: numbers are shifted and scaled,
/// texts become a number for each category (1 for its own, 0 for the others; all 0 for a category that training has not
/// seen), classes become integers, and values to be predicted are shifted and scaled too. It travels with the model.
class Preprocessing {
public:
    /// Fits on the samples at `indices`; classes are those of all samples of the table.
    /// Throws ValueError for what can't be fitted, naming columns and rows.
    static Preprocessing fit(const Schema& schema, const Table& table, std::span<const std::size_t> indices, Task task,
                             const std::string& standardize);
    explicit Preprocessing(const Json& json);
    Json to_json() const;

    const Schema& schema() const { return schema_; }
    Task task() const { return classes_ ? Task::classification : Task::regression; }
    /// Numbers that the network gets a sample.
    std::size_t inputs() const;
    /// Classes, or values a sample.
    std::size_t outputs() const;
    /// Names of the classes; of a classification only.
    const std::vector<std::string>& classes() const { return classes_->names(); }
    /// What the values were scaled by; of a regression only.
    const xtape::data::Standardizer& target() const { return *target_; }

    /// samples x inputs. Throws ValueError for a missing value, unless missing values are imputed.
    xt::xarray<float> transform(const Table& table, std::span<const std::size_t> indices) const;
    /// The class of each. Throws ValueError for one that training has not seen.
    xt::xarray<int> labels(const Table& table, std::span<const std::size_t> indices) const;
    /// samples x outputs, scaled.
    xt::xarray<float> values(const Table& table, std::span<const std::size_t> indices) const;

private:
    Preprocessing() = default;
    void require_values(const xt::xarray<double>& rows, std::span<const std::size_t> indices) const;

    Schema schema_;
    double unit_ = 0;                                   ///< all numbers are divided by this; 0: see scaling_
    std::optional<xtape::data::Standardizer> scaling_;  ///< of the numbers; none: they stay as they are
    std::vector<xtape::data::Categories> categories_;   ///< of each column of text
    std::optional<xtape::data::Categories> classes_;
    std::optional<xtape::data::Standardizer> target_;
};

/// All indices of a table.
std::vector<std::size_t> all_rows(const Table& table);

/// Each sample's class as a number, in the order in which classes are numbered; to divide samples by.
xt::xarray<int> class_numbers(const Target& target);

}  // namespace train
