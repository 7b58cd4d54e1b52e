#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// How a CSV file is to be read.
struct CsvOptions {
    bool header = false;   ///< the first row holds the columns' names
    char delimiter = ',';  ///< what separates fields
    std::vector<std::string> missing =
        {};  ///< fields that mean "no value" and become NaN: {"", "NA"}; none unless asked for
};

/// A table of numbers, and the names of its columns if it has any.
struct CsvTable {
    std::vector<std::string> names;  ///< one a column; empty without a header
    xt::xarray<double> values;       ///< rows x columns

    /// The index of the column of this name. Throws ValueError, listing the names, if there is none.
    std::size_t column(std::string_view name) const;
};

/// Reads a CSV file of numbers (RFC 4180: fields may be quoted, lines may end in CR LF; blank lines are skipped).
/// Throws IoError, naming file, line and column, for what is not a number in a double's range, for a row with more or
/// fewer fields than the first, and for bad quoting; also if the file is missing or holds no rows.
CsvTable read_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace xtape::data
