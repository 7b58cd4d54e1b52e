#include <xtape/io/crc64.hpp>

#include <array>

namespace xtape::io {

namespace {

/// Table k holds what a byte becomes when it and k bytes of zeros after it have gone through the register.
constexpr auto make_tables() {
    constexpr std::uint64_t polynomial = 0xc96c5795d7870f42;  // ECMA-182's, reflected
    std::array<std::array<std::uint64_t, 256>, 8> tables{};
    for (std::size_t byte = 0; byte < 256; ++byte) {
        std::uint64_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        }
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < tables.size(); ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint64_t crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
        }
    }
    return tables;
}

constexpr auto tables = make_tables();

}  // namespace

std::uint64_t crc64(std::span<const std::byte> bytes) noexcept {
    constexpr std::size_t step = tables.size();
    std::uint64_t crc = ~std::uint64_t{0};
    for (; bytes.size() >= step; bytes = bytes.subspan(step)) {
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < step; ++i) {
            const std::uint64_t byte = (crc >> 8 * i & 0xff) ^ std::to_integer<std::uint64_t>(bytes[i]);
            next ^= tables[step - 1 - i][byte];
        }
        crc = next;
    }
    for (const std::byte byte : bytes) {
        crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint64_t>(byte)) & 0xff];
    }
    return ~crc;
}

}  // namespace xtape::io
