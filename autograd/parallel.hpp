#pragma once

#include <algorithm>
#include <cstddef>

namespace xtape {

/// How many threads one op may use, the calling one included, in the whole process: in matrix products (OpenBLAS's own)
/// and in passes over large tensors (xtape's). Results don't depend on it, but for those of matrix products. Throws
/// ValueError for less than 1.
void set_num_threads(int threads);
/// OpenBLAS's setting; at first the number of processors, or what OPENBLAS_NUM_THREADS says.
[[nodiscard]] int num_threads() noexcept;

}  // namespace xtape

/// Passes over large arrays on several threads. One set of helpers serves the process; while it is busy for one caller,
/// others work alone.
namespace xtape::parallel {

/// A pass is shared when each thread gets this many elements: waking a helper takes some 5 µs, in which one thread gets
/// through about as many.
inline constexpr std::size_t least_share = 32 * 1024;

namespace detail {
void run(std::size_t parts, void (*call)(void* context, std::size_t part), void* context) noexcept;
}

/// Calls `pass(begin, end)` for ranges that together are 0..n, at once where it pays, each of the n standing for
/// `weight` elements. Only for passes whose result does not depend on the division. `pass` must not throw.
template <class F>
void for_ranges(std::size_t n, std::size_t weight, F&& pass) noexcept {
    if (n * weight < 2 * least_share || n < 2) {
        pass(std::size_t{0}, n);
        return;
    }
    const std::size_t parts = std::min({static_cast<std::size_t>(num_threads()), n * weight / least_share, n});
    // Of single elements whole cache lines, that no two threads write to one.
    const std::size_t unit = weight == 1 ? 64 : 1;
    const std::size_t share = ((n + parts - 1) / parts + unit - 1) / unit * unit;
    auto part = [&](std::size_t i) {
        if (i * share < n) {
            pass(i * share, std::min(n, (i + 1) * share));
        }
    };
    if (parts == 1) {
        pass(std::size_t{0}, n);
    } else {
        detail::run(
            parts, [](void* context, std::size_t i) { (*static_cast<decltype(part)*>(context))(i); }, &part);
    }
}

}  // namespace xtape::parallel
