#include <xtape/data/csv.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <utility>

#include <csv.h>
#include <fmt/format.h>

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

/// Takes libcsv's fields and rows, and makes the table.
class TableReader {
public:
    TableReader(std::string path, const CsvOptions& options) : path_(std::move(path)), options_(options) {}

    CsvTable read(std::string_view contents) {
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
        return finish();
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

    [[noreturn]] void fail(std::size_t column, std::string_view problem) const {
        throw IoError(fmt::format("{}: line {}, column {}: {}", path_, line_, column, problem));
    }
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
            values_.push_back(number(text));
        }
    }

    double number(std::string_view text) const {
        if (std::ranges::find(options_.missing, text) != options_.missing.end()) {
            return std::numeric_limits<double>::quiet_NaN();
        }
        if (text.empty()) {
            fail(column_, "the field is empty; to read it as NaN, pass {.missing = {\"\"}}");
        }
        const char* begin = text.data();
        const char* end = begin + text.size();
        if (*begin == '+' && text.size() > 1 && begin[1] != '-') {
            ++begin;
        }
        double value = 0;
        const auto [rest, error] = std::from_chars(begin, end, value);
        if (error == std::errc::result_out_of_range) {
            fail(column_, fmt::format("{} is beyond the range of a double", displayed(text)));
        }
        if (error != std::errc() || rest != end) {
            const bool maybe_header = rows_ == 0 && !options_.header;
            fail(column_, fmt::format("{} is not a number{}", displayed(text),
                                      maybe_header ? "; if this line names the columns, pass {.header = true}" : ""));
        }
        return value;
    }

    void row() {
        if (width_ != 0 && column_ < width_) {
            fail(column_, fmt::format("the row ends after {} fields, but the first has {}", column_, width_));
        }
        width_ = column_;
        column_ = 0;
        if (in_header()) {
            names_ = std::move(header_);
        } else {
            ++rows_;
        }
    }

    CsvTable finish() {
        if (width_ == 0) {
            throw IoError(fmt::format("{}: line 1: the file holds no rows", path_));
        }
        CsvTable table{std::move(names_), xt::xarray<double>::from_shape({rows_, width_})};
        std::ranges::copy(values_, table.values.data());
        return table;
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
};

}  // namespace

std::size_t CsvTable::column(std::string_view name) const {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
        throw ValueError(fmt::format("CsvTable::column: name = {}: the table has {}", displayed(name),
                                     names.empty() ? "no names; read it with {.header = true}"
                                                   : fmt::format("only {}", fmt::join(names, ", "))));
    }
    return static_cast<std::size_t>(found - names.begin());
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
    if (std::string_view("\"\r\n ").find(options.delimiter) != std::string_view::npos || options.delimiter == '\0') {
        throw ValueError(fmt::format("read_csv: delimiter = {:#04x}: it can be no quote, blank, line end or zero byte",
                                     static_cast<unsigned char>(options.delimiter)));
    }
    const std::vector<std::byte> contents = io::read_file(path);
    return TableReader(path, options).read({reinterpret_cast<const char*>(contents.data()), contents.size()});
}

}  // namespace xtape::data
