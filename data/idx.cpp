#include <xtape/data/idx.hpp>

#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include <xtape/io/array.hpp>
#include <xtape/io/bytes.hpp>

// The format: two zero bytes, a code for the element type, the number of dimensions, each extent as a big-endian 32-bit
// integer, the elements, big-endian, row-major.

namespace xtape::data {

namespace {

std::optional<io::DType> dtype_of_code(std::uint64_t code) {
    switch (code) {
    case 0x08: return io::DType::uint8;
    case 0x09: return io::DType::int8;
    case 0x0B: return io::DType::int16;
    case 0x0C: return io::DType::int32;
    case 0x0D: return io::DType::float32;
    case 0x0E: return io::DType::float64;
    default: return std::nullopt;
    }
}

}  // namespace

template <class T>
xt::xarray<T> read_idx(const std::string& path) {
    const std::vector<std::byte> contents = io::read_file(path);
    io::Cursor cursor(contents, path);

    const std::uint64_t magic = cursor.big_endian(2, "magic number");
    if (magic == 0x1F8B) {
        cursor.fail(0, "magic number", "this file is compressed; unpack it first with gunzip");
    }
    if (magic != 0) {
        cursor.fail(0, "magic number",
                    fmt::format("an IDX file starts with two zero bytes, this one with {:#06x}", magic));
    }
    const std::uint64_t code = cursor.big_endian(1, "element type");
    const std::optional<io::DType> dtype = dtype_of_code(code);
    if (!dtype) {
        cursor.fail(2, "element type", fmt::format("{:#04x} is none of IDX's types", code));
    }
    if (*dtype != io::dtype_of<T>()) {
        cursor.fail(2, "element type",
                    fmt::format("the file holds {0}, but {1} was asked for; read it as {0} and convert that",
                                io::name(*dtype), io::name(io::dtype_of<T>())));
    }
    std::vector<std::size_t> shape(cursor.big_endian(1, "number of dimensions"));
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        shape[axis] = cursor.big_endian(4, fmt::format("extent of dimension {}", axis));
    }

    const std::optional<std::size_t> wanted = io::byte_count(shape, sizeof(T));
    if (!wanted || *wanted != cursor.remaining()) {
        cursor.fail(cursor.offset(), "elements",
                    fmt::format("shape {} of {} takes {} bytes, but the file has {}; it is truncated or damaged",
                                io::shape_text(shape), io::name(*dtype),
                                wanted ? fmt::to_string(*wanted) : "more than any file's", cursor.remaining()));
    }
    auto result = xt::xarray<T>::from_shape(shape);
    const auto elements = cursor.take(*wanted, "elements");
    if (!elements.empty()) {
        std::memcpy(result.data(), elements.data(), elements.size());
    }
    if (sizeof(T) > 1 && std::endian::native == std::endian::little) {
        io::swap_endianness(std::as_writable_bytes(std::span<T>(result.data(), result.size())), sizeof(T));
    }
    return result;
}

template xt::xarray<std::uint8_t> read_idx(const std::string&);
template xt::xarray<std::int8_t> read_idx(const std::string&);
template xt::xarray<std::int16_t> read_idx(const std::string&);
template xt::xarray<std::int32_t> read_idx(const std::string&);
template xt::xarray<float> read_idx(const std::string&);
template xt::xarray<double> read_idx(const std::string&);

}  // namespace xtape::data
