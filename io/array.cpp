#include <xtape/io/array.hpp>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::io {

namespace {

template <class From, class To>
void convert_elements(std::span<const std::byte> bytes, To* to) {
    for (std::size_t begin = 0; begin < bytes.size(); begin += sizeof(From)) {
        From element;
        std::memcpy(&element, bytes.data() + begin, sizeof(From));
        *to++ = static_cast<To>(element);
    }
}

template <class To>
void convert_bytes(DType from, std::span<const std::byte> bytes, To* to) {
    switch (from) {
    case DType::int8: return convert_elements<std::int8_t>(bytes, to);
    case DType::uint8: return convert_elements<std::uint8_t>(bytes, to);
    case DType::int16: return convert_elements<std::int16_t>(bytes, to);
    case DType::uint16: return convert_elements<std::uint16_t>(bytes, to);
    case DType::int32: return convert_elements<std::int32_t>(bytes, to);
    case DType::uint32: return convert_elements<std::uint32_t>(bytes, to);
    case DType::int64: return convert_elements<std::int64_t>(bytes, to);
    case DType::uint64: return convert_elements<std::uint64_t>(bytes, to);
    case DType::float32: return convert_elements<float>(bytes, to);
    case DType::float64: return convert_elements<double>(bytes, to);
    }
}

}  // namespace

std::string_view name(DType dtype) {
    switch (dtype) {
    case DType::int8: return "int8";
    case DType::uint8: return "uint8";
    case DType::int16: return "int16";
    case DType::uint16: return "uint16";
    case DType::int32: return "int32";
    case DType::uint32: return "uint32";
    case DType::int64: return "int64";
    case DType::uint64: return "uint64";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    }
    return "unknown";
}

std::size_t item_size(DType dtype) {
    switch (dtype) {
    case DType::int8:
    case DType::uint8: return 1;
    case DType::int16:
    case DType::uint16: return 2;
    case DType::int32:
    case DType::uint32:
    case DType::float32: return 4;
    case DType::int64:
    case DType::uint64:
    case DType::float64: return 8;
    }
    return 8;
}

Array::Array() : Array(zeros(DType::float64, {})) {}

Array::Array(DType dtype, std::vector<std::size_t> shape, std::vector<std::byte> bytes)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(std::move(bytes)) {
    if (byte_count(shape_, item_size(dtype_)) != bytes_.size()) {
        throw ShapeError(fmt::format("io::Array: {} bytes are not an array of {} with shape {}", bytes_.size(),
                                     name(dtype_), shape_text(shape_)));
    }
}

Array Array::zeros(DType dtype, std::vector<std::size_t> shape) {
    // An overflow leaves 0 bytes, which the constructor refuses.
    std::vector<std::byte> bytes(byte_count(shape, item_size(dtype)).value_or(0));
    return {dtype, std::move(shape), std::move(bytes)};
}

void Array::require(DType wanted) const {
    if (wanted != dtype_) {
        throw ValueError(fmt::format("io::Array: it holds {}, not {}; read it as {}, or convert it with "
                                     "cast<float>() or cast<double>()",
                                     name(dtype_), name(wanted), name(dtype_)));
    }
}

void Array::convert(float* to) const { convert_bytes(dtype_, bytes_, to); }
void Array::convert(double* to) const { convert_bytes(dtype_, bytes_, to); }

}  // namespace xtape::io
