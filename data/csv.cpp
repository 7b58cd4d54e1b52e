#include <xtape/data/csv.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <csv.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::data {

namespace {

/// A field as it can stand in a message: in quotes, short, and printable.
std::string displayed(std::string_view field) {
    constexpr std::size_t longest = 40;
    std::string text = "'";
    for (const char c : field.substr(0, longest)) {
        const auto code = static_cast<unsigned char>(c);
        text += code < 0x20 || code == 0x7f ? fmt::format("\\x{:02x}", code) : std::string(1, c);
    }
    return text + (field.size() > longest ? "...'" : "'");
}

std::size_t index_of(std::string_view name, const std::vector<std::string>& names, std::string_view who) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
        throw ValueError(fmt::format("{} = {}: the table has {}", who, displayed(name),
                                     names.empty() ? "no names; read it with {.header = true}"
                                                   : fmt::format("only {}", fmt::join(names, ", "))));
    }
    return static_cast<std::size_t>(found - names.begin());
}

/// Takes libcsv's fields and rows, and makes the table.
class TableReader {
public:
    using Texts = std::map<std::size_t, CsvText>;

    /// Columns that are known to be text are in `texts`, still without fields.
    TableReader(std::string path, const CsvOptions& options, Texts texts = {})
        : path_(std::move(path)), options_(options), texts_(std::move(texts)) {}

    void read(std::string_view contents) {
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        if (contents.starts_with(byte_order_mark)) {
            contents.remove_prefix(byte_order_mark.size());
        }
        csv_parser parser;
        if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
            throw std::bad_alloc();
        }
        const std::unique_ptr<csv_parser, void (*)(csv_parser*)> owner(&parser, csv_free);
        csv_set_delim(&parser, static_cast<unsigned char>(options_.delimiter));
        // Line by line, so that the callbacks know where they are: libcsv does not tell.
        while (!contents.empty() && !error_) {
            ++line_;
            const std::size_t newline = contents.find('\n');
            const std::string_view line =
                newline == std::string_view::npos ? contents : contents.substr(0, newline + 1);
            if (csv_parse(&parser, line.data(), line.size(), take_field, end_row, this) != line.size()) {
                fail_to_parse(parser);
            }
            contents.remove_prefix(line.size());
        }
        if (!error_ && csv_fini(&parser, take_field, end_row, this) != 0) {
            fail_to_parse(parser);
        }
        if (error_) {
            std::rethrow_exception(error_);
        }
        if (width_ == 0) {
            throw IoError(fmt::format("{}: line 1: the file holds no rows", path_));
        }
    }

    /// Where a column turned out to be text after its first row: then all such columns, for another reader, since
    /// nobody has kept the fields before.
    std::optional<Texts> take_late_texts() {
        if (!has_late_text_) {
            return std::nullopt;
        }
        for (auto& [column, text] : texts_) {
            text.fields.clear();
        }
        return std::move(texts_);
    }

    CsvTable take_table() {
        CsvTable table{std::move(names_), xt::xarray<double>::from_shape({rows_, width_}), std::move(texts_)};
        std::ranges::copy(values_, table.values.data());
        return table;
    }

private:
    // libcsv is C: no exception may pass through it. After the first one, whatever it still delivers is ignored.
    template <class Step>
    void guarded(Step step) noexcept {
        if (!error_) {
            try {
                step();
            } catch (...) {
                error_ = std::current_exception();
            }
        }
    }
    static void take_field(void* text, std::size_t size, void* self) {
        auto& reader = *static_cast<TableReader*>(self);
        reader.guarded([&] { reader.field({static_cast<const char*>(text), size}); });
    }
    static void end_row(int, void* self) {
        auto& reader = *static_cast<TableReader*>(self);
        reader.guarded([&] { reader.row(); });
    }

    std::string at(std::size_t column, std::string_view problem) const {
        return fmt::format("{}: line {}, column {}: {}", path_, line_, column, problem);
    }
    [[noreturn]] void fail(std::size_t column, std::string_view problem) const { throw IoError(at(column, problem)); }
    [[noreturn]] void fail_to_parse(csv_parser& parser) const {
        if (error_) {
            std::rethrow_exception(error_);
        }
        if (csv_error(&parser) == CSV_ENOMEM) {
            throw std::bad_alloc();
        }
        fail(column_ + 1, "a quote is out of place or is not closed; inside a quoted field it is written twice");
    }

    bool in_header() const { return options_.header && names_.empty(); }

    void field(std::string_view text) {
        ++column_;
        if (in_header()) {
            header_.emplace_back(text);
        } else if (width_ != 0 && column_ > width_) {
            fail(column_, fmt::format("the row has more fields than the first, which has {}", width_));
        } else {
            take_value(text);
        }
    }

    void take_value(std::string_view field) {
        const bool is_missing = std::ranges::find(options_.missing, field) != options_.missing.end();
        const std::size_t column = column_ - 1;
        double value = std::numeric_limits<double>::quiet_NaN();
        auto text = texts_.find(column);
        if (text == texts_.end() && !is_missing) {
            if (const std::string problem = parse(field, value); !problem.empty()) {
                if (!options_.text) {
                    fail(column_, problem);
                }
                text = texts_.insert({column, {{}, at(column_, problem)}}).first;
                has_late_text_ |= rows_ > 0;
            }
        }
        if (text != texts_.end()) {
            text->second.fields.emplace_back(is_missing ? "" : field);
        }
        values_.push_back(value);
    }

    /// Sets `value` to the number that a field is, or says why it is none.
    std::string parse(std::string_view field, double& value) const {
        if (field.empty()) {
            return "the field is empty; to read it as NaN, pass {.missing = {\"\"}}";
        }
        const char* begin = field.data();
        const char* end = begin + field.size();
        if (*begin == '+' && field.size() > 1 && begin[1] != '-') {
            ++begin;
        }
        double number = 0;
        const auto [rest, error] = std::from_chars(begin, end, number);
        if (error == std::errc::result_out_of_range) {
            return fmt::format("{} is beyond the range of a double", displayed(field));
        }
        if (error != std::errc() || rest != end) {
            return fmt::format("{} is not a number{}", displayed(field), hint());
        }
        value = number;
        return {};
    }

    /// What may be wrong with a whole file is known by its first row.
    std::string_view hint() const {
        if (rows_ > 0 || options_.text) {
            return "";
        }
        return options_.header ? "; if its column holds text, pass {.text = true}"
                               : "; if this line names the columns, pass {.header = true}";
    }

    void row() {
        if (width_ != 0 && column_ < width_) {
            fail(column_, fmt::format("the row ends after {} fields, but the first has {}", column_, width_));
        }
        width_ = column_;
        column_ = 0;
        if (in_header()) {
            names_ = std::move(header_);
            for (const std::string& name : options_.text_columns) {
                texts_.try_emplace(index_of(name, names_, "read_csv: text_columns"),
                                   CsvText{{}, "text_columns asked for its text"});
            }
        } else {
            ++rows_;
        }
    }

    std::string path_;
    const CsvOptions& options_;
    std::exception_ptr error_;
    std::size_t line_ = 0;
    std::size_t column_ = 0;  // fields seen in this row
    std::size_t width_ = 0;   // of the first row
    std::size_t rows_ = 0;
    std::vector<std::string> header_;
    std::vector<std::string> names_;
    std::vector<double> values_;
    Texts texts_;
    bool has_late_text_ = false;
};

/// A column as messages call it.
std::string described(const CsvTable& table, std::size_t column) {
    return table.names.empty() ? fmt::format("column {}", column + 1)
                               : fmt::format("column {}, {},", column + 1, displayed(table.names[column]));
}

void require_column(std::string_view function, const CsvTable& table, std::size_t column) {
    if (column >= table.values.shape(1)) {
        throw ValueError(fmt::format("CsvTable::{}: wanted = {}: the table has {} columns, from 0", function, column,
                                     table.values.shape(1)));
    }
}

}  // namespace

std::size_t CsvTable::column(std::string_view name) const { return index_of(name, names, "CsvTable::column: name"); }

std::vector<std::size_t> CsvTable::columns(const std::vector<std::string>& wanted) const {
    std::vector<std::size_t> indices;
    indices.reserve(wanted.size());
    for (const std::string& name : wanted) {
        indices.push_back(index_of(name, names, "CsvTable::columns: wanted"));
    }
    return indices;
}

xt::xarray<double> CsvTable::numbers(std::span<const std::size_t> wanted) const {
    for (const std::size_t column : wanted) {
        require_column("numbers", *this, column);
        if (const auto found = texts.find(column); found != texts.end()) {
            throw ValueError(
                fmt::format("CsvTable::numbers: {} holds text: {}", described(*this, column), found->second.reason));
        }
    }
    const std::size_t rows = values.shape(0);
    auto result = xt::xarray<double>::from_shape({rows, wanted.size()});
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            result(row, i) = values(row, wanted[i]);
        }
    }
    return result;
}

const std::vector<std::string>& CsvTable::text(std::size_t wanted) const {
    require_column("text", *this, wanted);
    const auto found = texts.find(wanted);
    if (found == texts.end()) {
        throw ValueError(fmt::format("CsvTable::text: {} holds numbers; name it in text_columns to have its text",
                                     described(*this, wanted)));
    }
    return found->second.fields;
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
    if (std::string_view("\"\r\n ").find(options.delimiter) != std::string_view::npos || options.delimiter == '\0') {
        throw ValueError(fmt::format("read_csv: delimiter = {:#04x}: it can be no quote, blank, line end or zero byte",
                                     static_cast<unsigned char>(options.delimiter)));
    }
    if (!options.text_columns.empty() && !options.header) {
        throw ValueError(fmt::format("read_csv: text_columns = {}: without {{.header = true}} columns have no names",
                                     fmt::join(options.text_columns, ", ")));
    }
    const std::vector<std::byte> contents = io::read_file(path);
    std::optional<TableReader> reader(std::in_place, path, options);
    reader->read(io::as_text(contents));
    if (auto texts = reader->take_late_texts()) {
        reader.emplace(path, options, std::move(*texts));
        reader->read(io::as_text(contents));
    }
    return reader->take_table();
}

}  // namespace xtape::data
