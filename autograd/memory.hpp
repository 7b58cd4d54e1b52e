#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <vector>

/// Memory for tensors, tapes and replays. Small blocks come from per-thread caches over a pool that all threads share,
/// large ones from the pool itself, so that a training loop in steady state calls no allocator. Blocks keep no header:
/// whoever frees one says its size again. Builds under a sanitizer go straight to the system's allocator.
namespace xtape::memory {

/// A block of at least `bytes` bytes, aligned to 32; to 64 where `bytes` is a multiple of 64 or more than 512.
/// Throws std::bad_alloc.
[[nodiscard]] void* allocate(std::size_t bytes);

/// Gives a block back; any thread may. `bytes` is what `allocate` was asked for.
void deallocate(void* block, std::size_t bytes) noexcept;

/// What the pool has taken from the system and not given back, in bytes: blocks in use and cached ones.
[[nodiscard]] std::size_t reserved_bytes() noexcept;

/// The most that was in use at one time since the program began or `reset_peak` was called, in bytes: blocks above 32
/// KiB, and all that was ever taken for smaller ones. 0 where a sanitizer has the pool bypassed.
[[nodiscard]] std::size_t peak_bytes() noexcept;
void reset_peak() noexcept;

/// std::vector's memory from the pool.
template <class U>
struct Allocator {
    using value_type = U;
    Allocator() noexcept = default;
    template <class V>
    Allocator(const Allocator<V>&) noexcept {}
    [[nodiscard]] U* allocate(std::size_t n) {
        if (n > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(U)) {
            throw std::bad_array_new_length();
        }
        return static_cast<U*>(memory::allocate(n * sizeof(U)));
    }
    void deallocate(U* p, std::size_t n) noexcept { memory::deallocate(p, n * sizeof(U)); }
    friend bool operator==(const Allocator&, const Allocator&) noexcept { return true; }
};

}  // namespace xtape::memory

namespace xtape {

template <class U>
using PoolVector = std::vector<U, memory::Allocator<U>>;

/// Gives the memory that the shared pool and this thread's cache hold, and that nothing uses, back to the system.
void release_cached_memory();

}  // namespace xtape
