#include <xtape/io/safetensors.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/atomic_file.hpp>
#include <xtape/io/bytes.hpp>
#include <xtape/io/safetensors_header.hpp>

namespace xtape::io {

namespace {

constexpr std::size_t most_header_bytes = 100'000'000;  // the reference implementation's limit
constexpr std::size_t length_bytes = 8;

/// How an element lies in a file, and what it becomes.
struct Stored {
    std::string_view dtype;
    std::size_t width;
    DType becomes;
};

// The types that an array is written as come first.
constexpr std::array every_stored{
    Stored{"I8", 1, DType::int8},     Stored{"U8", 1, DType::uint8},   Stored{"I16", 2, DType::int16},
    Stored{"U16", 2, DType::uint16},  Stored{"I32", 4, DType::int32},  Stored{"U32", 4, DType::uint32},
    Stored{"I64", 8, DType::int64},   Stored{"U64", 8, DType::uint64}, Stored{"F32", 4, DType::float32},
    Stored{"F64", 8, DType::float64}, Stored{"BOOL", 1, DType::uint8}, Stored{"F16", 2, DType::float32},
    Stored{"BF16", 2, DType::float32}};

/// IEEE 754 binary16 as binary32.
float from_half(std::uint16_t half) {
    const std::uint32_t sign = (half & 0x8000U) << 16;
    const std::uint32_t exponent = half >> 10 & 0x1f;
    const std::uint32_t fraction = half & 0x3ff;
    if (exponent == 0) {  // zero or subnormal: a multiple of 2^-24
        const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
        return sign != 0 ? -magnitude : magnitude;
    }
    constexpr std::uint32_t rebias = 127 - 15;
    const std::uint32_t wide = exponent == 0x1f ? 0xff : exponent + rebias;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// bfloat16 is the upper half of a binary32.
float from_bfloat(std::uint16_t upper) { return std::bit_cast<float>(std::uint32_t{upper} << 16); }

std::vector<std::byte> widened(std::span<const std::byte> bytes, float (*convert)(std::uint16_t)) {
    std::vector<std::byte> result(2 * bytes.size());
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto low = std::to_integer<unsigned>(bytes[i]);
        const auto high = std::to_integer<unsigned>(bytes[i + 1]);
        const float element = convert(static_cast<std::uint16_t>(high << 8 | low));
        std::memcpy(result.data() + 2 * i, &element, sizeof element);
    }
    return result;
}

/// From the file's endianness, which is little, to this machine's, and back.
std::vector<std::byte> little_or_native(std::span<const std::byte> bytes, std::size_t width) {
    std::vector<std::byte> result(bytes.begin(), bytes.end());
    if constexpr (std::endian::native != std::endian::little) {
        swap_endianness(result, width);
    }
    return result;
}

/// Turns the header's entries, which follow one another in the data, into arrays.
class DataReader {
public:
    DataReader(const Cursor& file, std::size_t data_begin, std::span<const std::byte> data)
        : file_(file), data_begin_(data_begin), data_(data) {}

    Array next(const std::string& name, const TensorEntry& entry) {
        const auto fail = [&](std::string_view field, const std::string& problem) {
            file_.fail(entry.offset, fmt::format("{}, {}", tensor_label(name), field), problem);
        };
        const auto stored = std::ranges::find(every_stored, entry.dtype, &Stored::dtype);
        if (stored == every_stored.end()) {
            fail("dtype", "it is none of I8 to I64, U8 to U64, BOOL, BF16, F16, F32, F64; convert the tensor before "
                          "saving it");
        }
        const std::uint64_t begin = entry.data_offsets[0];
        const std::uint64_t end = entry.data_offsets[1];
        if (begin != taken_ || end < begin || end > data_.size()) {
            fail("data_offsets",
                 fmt::format("[{}, {}], but it should begin at {}, where the tensor before it ends, and "
                             "end by {}, where the file does; it is truncated or damaged",
                             begin, end, taken_, data_.size()));
        }
        // What an array takes here, too, must be countable: wider than in the file for F16 and BF16.
        const bool countable = byte_count(entry.shape, item_size(stored->becomes)).has_value();
        const std::optional<std::size_t> wanted = byte_count(entry.shape, stored->width);
        if (!countable || wanted != end - begin) {
            fail("shape",
                 fmt::format("{} of {} takes {} bytes, but data_offsets gives it {}", shape_text(entry.shape),
                             entry.dtype, countable ? fmt::to_string(*wanted) : "more than any file's", end - begin));
        }
        const auto bytes = data_.subspan(begin, end - begin);
        taken_ = end;
        if (entry.dtype == "BOOL") {
            const auto wrong = std::ranges::find_if(bytes, [](std::byte b) { return b > std::byte{1}; });
            if (wrong != bytes.end()) {
                file_.fail(data_begin_ + begin + static_cast<std::size_t>(wrong - bytes.begin()), tensor_label(name),
                           "a BOOL is neither 0 nor 1");
            }
        }
        return {stored->becomes, entry.shape,
                entry.dtype == "F16"    ? widened(bytes, from_half)
                : entry.dtype == "BF16" ? widened(bytes, from_bfloat)
                                        : little_or_native(bytes, stored->width)};
    }

    void finish() const {
        if (taken_ != data_.size()) {
            file_.fail(data_begin_ + taken_, "data",
                       fmt::format("{} bytes at the end belong to no tensor", data_.size() - taken_));
        }
    }

private:
    const Cursor& file_;
    std::size_t data_begin_;
    std::span<const std::byte> data_;
    std::size_t taken_ = 0;
};

}  // namespace

SafeTensors read_safetensors(const std::string& path) { return parse_safetensors(read_file(path), path); }

SafeTensors parse_safetensors(std::span<const std::byte> contents, const std::string& file) {
    Cursor cursor(contents, file);
    const std::uint64_t length = cursor.little_endian(length_bytes, "header length");
    if (length > most_header_bytes) {
        cursor.fail(0, "header length",
                    fmt::format("{} bytes are more than the {} that the format allows", length, most_header_bytes));
    }
    SafetensorsHeader header = parse_safetensors_header(cursor, length_bytes, as_text(cursor.take(length, "header")));

    std::vector<const std::pair<const std::string, TensorEntry>*> in_order;
    for (const auto& tensor : header.tensors) {
        in_order.push_back(&tensor);
    }
    std::ranges::sort(
        in_order, {}, [](const auto* tensor) -> auto& { return tensor->second.data_offsets; });
    const std::size_t data_begin = cursor.offset();
    DataReader data(cursor, data_begin, cursor.take(cursor.remaining(), "data"));
    SafeTensors result{{}, std::move(header.metadata)};
    for (const auto* tensor : in_order) {
        result.arrays.emplace(tensor->first, data.next(tensor->first, tensor->second));
    }
    data.finish();
    return result;
}

std::vector<std::byte> format_safetensors(const StateDict& arrays, const std::map<std::string, std::string>& metadata) {
    std::vector<std::string> members;
    if (!metadata.empty()) {
        std::vector<std::string> texts;
        for (const auto& [name, text] : metadata) {
            texts.push_back(json_string(name) + ":" + json_string(text));
        }
        members.push_back(fmt::format("\"{}\":{{{}}}", metadata_key, fmt::join(texts, ",")));
    }
    std::vector<const StateDict::value_type*> in_order;
    for (const auto& named : arrays) {
        in_order.push_back(&named);
    }
    std::ranges::stable_sort(in_order, std::greater(),
                             [](const auto* named) { return item_size(named->second.dtype()); });
    std::size_t end = 0;
    for (const auto* named : in_order) {
        const auto& [name, array] = *named;
        if (name == metadata_key) {
            throw ValueError(fmt::format("safetensors: no array can be called {}; rename it", metadata_key));
        }
        if (array.shape().size() > most_dimensions) {
            throw ShapeError(fmt::format("safetensors: {} has {} dimensions; at most {} are read again",
                                         tensor_label(name), array.shape().size(), most_dimensions));
        }
        const std::size_t begin = std::exchange(end, end + array.bytes().size());
        members.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                      json_string(name),
                                      std::ranges::find(every_stored, array.dtype(), &Stored::becomes)->dtype,
                                      fmt::join(array.shape(), ","), begin, end));
    }
    std::string header = fmt::format("{{{}}}", fmt::join(members, ","));
    header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the data, too, is aligned
    if (header.size() > most_header_bytes) {
        throw ValueError(fmt::format("safetensors: the header takes {} bytes, more than the {} that the format allows; "
                                     "save less text, or fewer arrays a file",
                                     header.size(), most_header_bytes));
    }

    std::vector<std::byte> contents;
    contents.reserve(length_bytes + header.size() + end);
    for (std::size_t i = 0; i < length_bytes; ++i) {
        contents.push_back(static_cast<std::byte>(header.size() >> 8 * i & 0xff));
    }
    const auto append = [&](std::span<const std::byte> bytes) {
        contents.insert(contents.end(), bytes.begin(), bytes.end());
    };
    append(std::as_bytes(std::span(header)));
    for (const auto* named : in_order) {
        const Array& array = named->second;
        append(array.bytes());
        if constexpr (std::endian::native != std::endian::little) {
            swap_endianness(std::span(contents).last(array.bytes().size()), item_size(array.dtype()));
        }
    }
    return contents;
}

void write_safetensors(const std::string& path, const StateDict& arrays,
                       const std::map<std::string, std::string>& metadata) {
    write_file(path, format_safetensors(arrays, metadata));
}

}  // namespace xtape::io
