#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// How a CSV file is to be read.
struct CsvOptions {
    bool header = false;   ///< the first row holds the columns' names
    char delimiter = ',';  ///< what separates fields
    /// Fields that mean "no value" and become NaN: {"", "NA"}; none unless asked for.
    std::vector<std::string> missing = {};
    /// A field that is neither a number nor missing makes its column one of text; else it is an error.
    bool text = false;
    /// Columns that are text whatever is in them, such as postcodes.
    std::vector<std::string> text_columns = {};
};

/// A column of text.
struct CsvText {
    std::vector<std::string> fields;  ///< one a row; empty where the value is missing
    std::string reason;               ///< why these are no numbers: the first field that is none, with its place
};

/// A table of numbers and texts, and the names of its columns if it has any.
///
///     const auto iris = data::read_csv("iris.csv", {.header = true, .text = true});
///     const auto x = iris.numbers(iris.columns({"petal length", "petal width"}));
///     const auto& species = iris.text(iris.column("species"));    // "setosa", "setosa", ...
struct CsvTable {
    std::vector<std::string> names;        ///< one a column; empty without a header
    xt::xarray<double> values;             ///< rows x columns; NaN in columns of text
    std::map<std::size_t, CsvText> texts;  ///< the columns of text, by their indices

    /// The index of the column of this name. Throws ValueError, listing the names, if there is none.
    std::size_t column(std::string_view name) const;
    /// The indices of several.
    std::vector<std::size_t> columns(const std::vector<std::string>& wanted) const;
    /// The numbers of some columns, rows x columns.
    /// Throws ValueError for a column that is not there, and for one of text, with the place of what is no number.
    xt::xarray<double> numbers(std::span<const std::size_t> wanted) const;
    /// The fields of a column of text.
    /// Throws ValueError for a column that is not there, and for one of numbers.
    const std::vector<std::string>& text(std::size_t wanted) const;
};

/// Reads a CSV file (RFC 4180: fields may be quoted, lines may end in CR LF; blank lines are skipped). Its columns hold
/// numbers, unless `text` or `text_columns` of the options allow text.
/// Throws IoError, naming file, line and column, for what is not a number in a double's range, for a row with more or
/// fewer fields than the first, and for bad quoting; also if the file is missing or holds no rows. Throws ValueError
/// for a delimiter that CSV needs itself, and for text columns that the header does not name.
CsvTable read_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace xtape::data
