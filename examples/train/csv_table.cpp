// CSV files as tables.

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/csv.hpp>

#include "table.hpp"
#include "utf8.hpp"

namespace train {
namespace {

using xtape::data::CsvTable;

bool is_number(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Reads with text; `header` "auto" is decided by the first row.
CsvTable read(const std::string& path, const Options& options) {
    xtape::data::CsvOptions how{.header = options.header != "no",
                                .delimiter = options.delimiter[0],
                                .missing = options.missing,
                                .text = true,
                                .text_columns = options.text_columns};
    if (options.header == "auto") {
        how.text_columns.clear();
        const CsvTable guess = xtape::data::read_csv(path, how);
        how.header = std::ranges::none_of(guess.names, is_number);
        how.text_columns = options.text_columns;
        if (how.header && how.text_columns.empty()) {
            return guess;
        }
    }
    if (!how.header && !options.text_columns.empty()) {
        throw UsageError(
            fmt::format("--text-columns: {} has no header that names columns; --header yes says it has", path));
    }
    return xtape::data::read_csv(path, how);
}

std::string name_of(const CsvTable& table, std::size_t column) {
    return table.names.empty() ? fmt::format("column {}", column + 1) : table.names[column];
}

/// The column that a name or a number from 1 means.
std::size_t find_column(const CsvTable& table, const std::string& text, const char* option) {
    if (const auto found = std::ranges::find(table.names, text); found != table.names.end()) {
        return static_cast<std::size_t>(found - table.names.begin());
    }
    std::size_t number = 0;
    const std::size_t width = table.values.shape(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > width) {
        throw UsageError(fmt::format(
            "{}: there is no column {}; columns are {}", option, text,
            table.names.empty() ? fmt::format("the numbers 1 to {}, since there is no header", width)
                                : fmt::format("{}, or a number from 1 to {}", fmt::join(table.names, ", "), width)));
    }
    return number - 1;
}

/// Names and categories travel in JSON, and appear in a page.
void require_utf8(const std::string& path, std::string_view where, const std::string& text) {
    if (!is_utf8(text)) {
        throw xtape::IoError(fmt::format("{}: {} has text that is not UTF-8; if it is Latin-1, convert the file: iconv "
                                         "-f latin1 -t utf8",
                                         path, where));
    }
}

void check_texts(const std::string& path, const CsvTable& table) {
    for (const auto& [column, text] : table.texts) {
        for (const std::string& field : text.fields) {
            require_utf8(path, name_of(table, column), field);
        }
    }
}

void check_names(const std::string& path, const CsvTable& table) {
    std::set<std::string> seen;
    for (const std::string& name : table.names) {
        require_utf8(path, "the header", name);
        if (!seen.insert(name).second) {
            throw xtape::IoError(
                fmt::format("{}: two columns are called \"{}\"; rename one, or --header no", path, name));
        }
    }
}

/// Where a file has the columns of a schema. The target may be missing.
struct Places {
    std::vector<std::size_t> numbers;
    std::vector<std::size_t> texts;
    std::optional<std::size_t> target;
};

Places find_places(const std::string& path, const CsvTable& table, const Schema& schema) {
    const std::size_t width = table.values.shape(1);
    const auto numbered = [](const std::string& name) { return std::stoul(name.substr(name.find(' ') + 1)) - 1; };
    // Without a header, columns are known by their places; a file may lack the target's.
    const std::size_t target = schema.header ? 0 : numbered(schema.target);
    const bool without_target = !schema.header && width + 1 == schema.width;
    if (!schema.header && width != schema.width && !without_target) {
        throw xtape::IoError(fmt::format("{}: it has {} columns, but the model was trained on {}, target included",
                                         path, width, schema.width));
    }
    std::vector<std::string> absent;
    const auto place = [&](const std::string& name) -> std::size_t {
        if (!schema.header) {
            const std::size_t column = numbered(name);
            return without_target && column > target ? column - 1 : column;
        }
        const auto found = std::ranges::find(table.names, name);
        if (found == table.names.end()) {
            absent.push_back(name);
            return 0;
        }
        return static_cast<std::size_t>(found - table.names.begin());
    };
    Places places;
    std::ranges::transform(schema.numbers, std::back_inserter(places.numbers), place);
    std::ranges::transform(schema.texts, std::back_inserter(places.texts), place);
    if (!absent.empty()) {
        throw xtape::IoError(fmt::format("{}: columns of the training are missing: {}; there are {}", path,
                                         fmt::join(absent, ", "), fmt::join(table.names, ", ")));
    }
    if (schema.header) {
        const auto found = std::ranges::find(table.names, schema.target);
        if (found != table.names.end()) {
            places.target = static_cast<std::size_t>(found - table.names.begin());
        }
    } else if (!without_target) {
        places.target = target;
    }
    return places;
}

Table select(const std::string& path, const CsvTable& csv, const Schema& schema) {
    const Places places = find_places(path, csv, schema);
    const auto text = [&](std::size_t column) {
        if (!csv.texts.contains(column)) {
            throw xtape::IoError(
                fmt::format("{}: column {} holds numbers, but held texts in training", path, name_of(csv, column)));
        }
        return csv.text(column);
    };
    Table table;
    table.size = csv.values.shape(0);
    table.numbers = csv.numbers(places.numbers);
    for (std::size_t i = 0; i < places.texts.size(); ++i) {
        table.texts.push_back({schema.texts[i], text(places.texts[i])});
    }
    if (places.target) {
        const std::array column{*places.target};
        table.target.emplace();
        if (schema.target_is_text) {
            table.target->texts = text(column[0]);
        } else {
            table.target->numbers = csv.numbers(column);
        }
    }
    return table;
}

}  // namespace

std::pair<Schema, Table> read_training_csv(const std::string& path, const Options& options) {
    const CsvTable csv = read(path, options);
    check_names(path, csv);
    check_texts(path, csv);
    const std::size_t width = csv.values.shape(1);
    if (width < 2) {
        throw xtape::IoError(fmt::format("{}: its rows have one field; if they are separated by something else than "
                                         "'{}', --delimiter says so",
                                         path, options.delimiter));
    }
    const std::size_t target = options.target.empty() ? width - 1 : find_column(csv, options.target, "--target");
    std::set<std::size_t> left_out{target};
    for (const std::string& column : options.ignore) {
        left_out.insert(find_column(csv, column, "--ignore"));
    }

    Schema schema{.format = Schema::Format::csv,
                  .header = !csv.names.empty(),
                  .delimiter = options.delimiter,
                  .missing = options.missing,
                  .width = width,
                  .target = name_of(csv, target),
                  .target_is_text = csv.texts.contains(target)};
    for (std::size_t column = 0; column < width; ++column) {
        if (!left_out.contains(column)) {
            (csv.texts.contains(column) ? schema.texts : schema.numbers).push_back(name_of(csv, column));
        }
    }
    schema.features = schema.numbers.size();
    if (schema.numbers.empty() && schema.texts.empty()) {
        throw UsageError("--ignore: no column is left to learn from");
    }
    return {schema, select(path, csv, schema)};
}

Table read_csv_table(const std::string& path, const Schema& schema) {
    xtape::data::CsvOptions how{
        .header = schema.header, .delimiter = schema.delimiter[0], .missing = schema.missing, .text = true};
    CsvTable csv = xtape::data::read_csv(path, how);
    if (schema.header) {
        // What happens to look like numbers here, but was text in training.
        how.text_columns = schema.texts;
        if (schema.target_is_text) {
            how.text_columns.push_back(schema.target);
        }
        std::erase_if(how.text_columns, [&](const auto& name) { return std::ranges::count(csv.names, name) == 0; });
        const bool again = std::ranges::any_of(how.text_columns,
                                               [&](const auto& name) { return !csv.texts.contains(csv.column(name)); });
        if (again) {
            csv = xtape::data::read_csv(path, how);
        }
    }
    return select(path, csv, schema);
}

}  // namespace train
