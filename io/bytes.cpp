#include <xtape/io/bytes.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

namespace xtape::io {

namespace {

struct Descriptor {
    int number;
    explicit Descriptor(int opened) : number(opened) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) {
            ::close(number);
        }
    }
};

[[noreturn]] void fail_to_read(const std::string& path, std::string_view problem) {
    throw IoError(fmt::format("cannot read '{}': {}", path, problem));
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
    // O_NONBLOCK: opening a pipe must not wait for its writer before it can be refused.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.number < 0 || ::fstat(file.number, &status) != 0) {
        fail_to_read(path, std::generic_category().message(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        fail_to_read(path, S_ISDIR(status.st_mode) ? "it is a directory" : "it is not a regular file");
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t count = ::read(file.number, bytes.data() + filled, bytes.size() - filled);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            fail_to_read(path, fmt::format("byte {}: {}", filled, std::generic_category().message(errno)));
        }
        if (count == 0) {
            break;  // it shrank meanwhile: its parser will find the end
        }
        filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
}

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> Cursor::take(std::size_t count, std::string_view field) {
    if (count > remaining()) {
        fail(
            offset_, field,
            fmt::format("{} bytes wanted, but the file ends after {}; it is truncated or damaged", count, remaining()));
    }
    const auto taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
}

std::uint64_t Cursor::little_endian(std::size_t width, std::string_view field) {
    const auto taken = take(width, field);
    std::uint64_t value = 0;
    for (std::size_t i = width; i-- > 0;) {
        value = value << 8 | std::to_integer<std::uint64_t>(taken[i]);
    }
    return value;
}

std::uint64_t Cursor::big_endian(std::size_t width, std::string_view field) {
    std::uint64_t value = 0;
    for (const std::byte byte : take(width, field)) {
        value = value << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return value;
}

void Cursor::fail(std::size_t offset, std::string_view field, std::string_view problem) const {
    throw IoError(fmt::format("{}: byte {}, {}: {}", file_, offset, field, problem));
}

std::optional<std::size_t> byte_count(std::span<const std::size_t> shape, std::size_t item_size) {
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    std::size_t spanned = item_size;
    bool empty = false;
    for (const std::size_t extent : shape) {
        empty = empty || extent == 0;
        const std::size_t factor = std::max<std::size_t>(extent, 1);
        if (factor > limit / spanned) {
            return std::nullopt;
        }
        spanned *= factor;
    }
    return empty ? 0 : spanned;
}

void swap_endianness(std::span<std::byte> bytes, std::size_t item_size) {
    for (std::size_t begin = 0; begin + item_size <= bytes.size(); begin += item_size) {
        std::ranges::reverse(bytes.subspan(begin, item_size));
    }
}

std::string shape_text(std::span<const std::size_t> shape) {
    return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

}  // namespace xtape::io
