#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <xtape/autograd/random.hpp>

namespace xtape::data {

/// Puts items in a random order, all orders being equally likely (R. A. Fisher and F. Yates 1938, as in D. E. Knuth,
/// "The Art of Computer Programming", volume 2, algorithm 3.4.2 P).
inline void shuffle(std::span<std::size_t> items, random::Stream& stream) {
    for (std::size_t left = items.size(); left > 1; --left) {
        std::swap(items[left - 1], items[stream.below(left)]);
    }
}

}  // namespace xtape::data
