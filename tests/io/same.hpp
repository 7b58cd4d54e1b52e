#pragma once

#include <algorithm>

#include <xtape/io/array.hpp>

/// Whether arrays are of the same type and shape and hold the same bits.
inline bool same(const xtape::io::Array& a, const xtape::io::Array& b) {
    return a.dtype() == b.dtype() && a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
}

inline bool same(const xtape::io::StateDict& a, const xtape::io::StateDict& b) {
    return std::ranges::equal(
        a, b, [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
}
