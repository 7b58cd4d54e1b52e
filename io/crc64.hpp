#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xtape::io {

/// The cyclic redundancy check CRC-64/XZ: polynomial of ECMA-182, bits reflected, all ones before and after. It differs
/// for data that differ in one bit, or in bits less than 64 apart; else it is the same by chance once in 2^64.
/// Eight bytes a step: Kounavis and Berry, "A systematic approach to building high performance, software-based, CRC
/// generators", ISCC 2005.
[[nodiscard]] std::uint64_t crc64(std::span<const std::byte> bytes) noexcept;

}  // namespace xtape::io
