#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xtape::io {

/// All bytes of a regular file.
/// Throws IoError, naming the file, if it is missing, unreadable or no regular file.
std::vector<std::byte> read_file(const std::string& path);

/// The bytes as characters.
std::string_view as_text(std::span<const std::byte> bytes);

/// Walks over the bytes of a file that nobody vouches for. Whatever it throws is an IoError that names the file, the
/// offset and the field that was being read.
class Cursor {
public:
    /// `file` is how messages call the file. The bytes must outlive the cursor.
    Cursor(std::span<const std::byte> bytes, std::string file) : bytes_(bytes), file_(std::move(file)) {}

    std::size_t offset() const { return offset_; }
    std::size_t remaining() const { return bytes_.size() - offset_; }

    /// The next `count` bytes. Throws IoError if the file ends before.
    std::span<const std::byte> take(std::size_t count, std::string_view field);
    /// The next `width` bytes (at most 8) as an unsigned integer.
    std::uint64_t little_endian(std::size_t width, std::string_view field);
    std::uint64_t big_endian(std::size_t width, std::string_view field);

    /// Throws the IoError for a `field` that starts at `offset`.
    [[noreturn]] void fail(std::size_t offset, std::string_view field, std::string_view problem) const;

private:
    std::span<const std::byte> bytes_;
    std::string file_;
    std::size_t offset_ = 0;
};

/// As many dimensions as NumPy's arrays have at most: what a file may say of an array.
inline constexpr std::size_t most_dimensions = 64;

/// The bytes that an array of this shape takes; nothing if that, or a stride, is beyond what a pointer can address (an
/// empty array counts with its other extents, because its strides are computed from them).
std::optional<std::size_t> byte_count(std::span<const std::size_t> shape, std::size_t item_size);

/// Reverses the bytes of each item: from one endianness to the other.
void swap_endianness(std::span<std::byte> bytes, std::size_t item_size);

/// "(3, 4)", "(3,)", "()": as Python writes a shape.
std::string shape_text(std::span<const std::size_t> shape);

}  // namespace xtape::io
