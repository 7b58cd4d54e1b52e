#include <xtape/io/npy.hpp>

#include <array>
#include <bit>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

// The format: NumPy Enhancement Proposal 1 (numpy.lib.format). A magic string, a version, the length of a header, the
// header (a Python dict literal, padded with spaces and ended by a newline), the elements.

namespace xtape::io {

namespace {

constexpr std::string_view magic = "\x93NUMPY";

constexpr std::array every_dtype{DType::int8,   DType::uint8, DType::int16,  DType::uint16,  DType::int32,
                                 DType::uint32, DType::int64, DType::uint64, DType::float32, DType::float64};

/// NumPy's code for a type, without its endianness: "f4".
std::string code(DType dtype) { return fmt::format("{}{}", name(dtype)[0], item_size(dtype)); }

struct Header {
    DType dtype = DType::float64;
    bool foreign_endianness = false;
    bool fortran_order = false;
    std::vector<std::size_t> shape;
};

/// Parses the dict literal: exactly the keys descr, fortran_order and shape, in any order.
class HeaderParser {
public:
    HeaderParser(const Cursor& file, std::size_t offset, std::string_view text)
        : file_(file), offset_(offset), text_(text) {}

    Header parse() {
        Header header;
        bool has_descr = false;
        bool has_order = false;
        bool has_shape = false;
        expect('{');
        while (!accept('}')) {
            const std::size_t key_begin = position_;
            const std::string_view key = quoted("header");
            expect(':');
            if (key == "descr" && !has_descr) {
                has_descr = true;
                read_descr(header);
            } else if (key == "fortran_order" && !has_order) {
                has_order = true;
                header.fortran_order = boolean();
            } else if (key == "shape" && !has_shape) {
                has_shape = true;
                header.shape = tuple();
            } else {
                fail(key_begin, "header", "a key is unknown or comes twice");
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (position_ != text_.size()) {
            fail(position_, "header", "something follows the dict");
        }
        if (!has_descr || !has_order || !has_shape) {
            fail(0, "header", "descr, fortran_order or shape is missing");
        }
        return header;
    }

private:
    [[noreturn]] void fail(std::size_t position, std::string_view field, std::string_view problem) const {
        file_.fail(offset_ + position, field, problem);
    }

    void skip_space() {
        while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) {
            ++position_;
        }
    }

    bool accept(char wanted) {
        skip_space();
        const bool found = position_ < text_.size() && text_[position_] == wanted;
        position_ += found ? 1 : 0;
        return found;
    }

    void expect(char wanted) {
        if (!accept(wanted)) {
            fail(position_, "header", fmt::format("'{}' expected", wanted));
        }
    }

    std::string_view quoted(std::string_view field) {
        const char quote = accept('"') ? '"' : '\'';
        if (quote == '\'' && !accept('\'')) {
            fail(position_, field, "a string in quotes expected");
        }
        const std::size_t end = text_.find(quote, position_);
        if (end == std::string_view::npos) {
            fail(position_, field, "a string is not closed");
        }
        const std::string_view content = text_.substr(position_, end - position_);
        position_ = end + 1;
        return content;
    }

    void read_descr(Header& header) {
        skip_space();
        const std::size_t begin = position_;
        if (text_.substr(begin).starts_with('[')) {
            fail(begin, "descr", "it holds records with fields; save each field as an array of its own");
        }
        const std::string_view descr = quoted("descr");
        for (const DType dtype : every_dtype) {
            if (descr.size() == 3 && descr.substr(1) == code(dtype)) {
                const bool little = std::endian::native == std::endian::little;
                const char foreign = little ? '>' : '<';
                const bool known = item_size(dtype) == 1 || descr[0] == '<' || descr[0] == '>';
                if (known && std::string_view("<>|").find(descr[0]) != std::string_view::npos) {
                    header.dtype = dtype;
                    header.foreign_endianness = descr[0] == foreign;
                    return;
                }
            }
        }
        fail(begin, "descr",
             "its type is none of int8 to int64, uint8 to uint64, float32, float64; convert it with "
             "NumPy's astype before saving");
    }

    bool boolean() {
        skip_space();
        for (const bool value : {false, true}) {
            const std::string_view word = value ? "True" : "False";
            if (text_.substr(position_).starts_with(word)) {
                position_ += word.size();
                return value;
            }
        }
        fail(position_, "fortran_order", "True or False expected");
    }

    std::vector<std::size_t> tuple() {
        std::vector<std::size_t> shape;
        expect('(');
        while (!accept(')')) {
            skip_space();
            if (shape.size() == most_dimensions) {
                fail(position_, "shape", fmt::format("it has more than {} dimensions", most_dimensions));
            }
            std::size_t extent = 0;
            const char* begin = text_.data() + position_;
            const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
            if (error != std::errc()) {
                fail(position_, "shape", "a non-negative integer of at most 64 bits expected");
            }
            position_ += static_cast<std::size_t>(end - begin);
            shape.push_back(extent);
            if (!accept(',')) {
                if (shape.size() == 1) {
                    fail(position_, "shape", "',' expected: (n) is not a tuple");
                }
                expect(')');
                break;
            }
        }
        return shape;
    }

    const Cursor& file_;
    std::size_t offset_;  // of the text in the file
    std::string_view text_;
    std::size_t position_ = 0;
};

/// From Fortran's order (the first index runs fastest) to C's.
std::vector<std::byte> to_row_major(std::span<const std::byte> bytes, std::span<const std::size_t> shape,
                                    std::size_t width) {
    std::vector<std::byte> result;
    result.reserve(bytes.size());
    std::vector<std::size_t> index(shape.size(), 0);
    std::size_t from = 0;  // the element at `index`, counted in Fortran's order
    while (result.size() < bytes.size()) {
        const auto element = bytes.subspan(from * width, width);
        result.insert(result.end(), element.begin(), element.end());
        std::size_t stride = bytes.size() / width;
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            stride /= shape[axis];
            from += stride;
            if (++index[axis] < shape[axis]) {
                break;
            }
            from -= stride * shape[axis];
            index[axis] = 0;
        }
    }
    return result;
}

}  // namespace

Array read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

Array parse_npy(std::vector<std::byte> contents, const std::string& file) {
    Cursor cursor(contents, file);
    if (as_text(cursor.take(magic.size(), "magic string")) != magic) {
        cursor.fail(0, "magic string", "this is not a .npy file");
    }
    const std::uint64_t major = cursor.little_endian(1, "version");
    const std::uint64_t minor = cursor.little_endian(1, "version");
    if (major < 1 || major > 3 || minor != 0) {
        cursor.fail(magic.size(), "version", fmt::format("{}.{} is not one of 1.0, 2.0, 3.0", major, minor));
    }
    const std::size_t header_size = cursor.little_endian(major == 1 ? 2 : 4, "header length");
    const std::size_t header_begin = cursor.offset();
    const std::string_view text = as_text(cursor.take(header_size, "header"));
    Header header = HeaderParser(cursor, header_begin, text).parse();

    const std::size_t width = item_size(header.dtype);
    const std::optional<std::size_t> wanted = byte_count(header.shape, width);
    if (!wanted || *wanted != cursor.remaining()) {
        cursor.fail(cursor.offset(), "elements",
                    fmt::format("shape {} of {} takes {} bytes, but the file has {}; it is truncated or damaged",
                                shape_text(header.shape), name(header.dtype),
                                wanted ? fmt::to_string(*wanted) : "more than any file's", cursor.remaining()));
    }
    contents.erase(contents.begin(), contents.begin() + static_cast<std::ptrdiff_t>(cursor.offset()));
    if (header.foreign_endianness) {
        swap_endianness(contents, width);
    }
    if (header.fortran_order && header.shape.size() > 1) {
        contents = to_row_major(contents, header.shape, width);
    }
    return {header.dtype, std::move(header.shape), std::move(contents)};
}

std::string npy_header(const Array& array) {
    const char endianness = item_size(array.dtype()) == 1                ? '|'
                            : std::endian::native == std::endian::little ? '<'
                                                                         : '>';
    std::string dict = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}", endianness,
                                   code(array.dtype()), shape_text(array.shape()));
    // The elements start at a multiple of 64 bytes; before the dict come magic, two version bytes and a 16-bit length.
    const std::size_t prefix = magic.size() + 4;
    const std::size_t padded = (prefix + dict.size() + 1 + 63) / 64 * 64;
    dict.append(padded - prefix - dict.size() - 1, ' ').push_back('\n');
    if (dict.size() > 0xffff) {
        throw ShapeError(fmt::format("npy: an array of {} dimensions does not fit a header", array.shape().size()));
    }
    std::string header(magic);
    for (const std::size_t byte : {std::size_t{1}, std::size_t{0}, dict.size() & 0xff, dict.size() >> 8}) {
        header.push_back(static_cast<char>(byte));
    }
    return header + dict;
}

void detail::require_dtype(const std::string& path, const Array& array, DType wanted) {
    if (array.dtype() != wanted) {
        throw IoError(fmt::format("{}: descr: the file holds {}, not {}; read it as {}, or read it as an Array and "
                                  "convert that with cast<float>() or cast<double>()",
                                  path, name(array.dtype()), name(wanted), name(array.dtype())));
    }
}

}  // namespace xtape::io
