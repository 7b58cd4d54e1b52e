#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <xtape/autograd/memory.hpp>

#if !defined(XTAPE_POOL_BYPASS) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
#define XTAPE_POOL_BYPASS
#endif

/// A thread's cache of small blocks, and the way through it inline: where the size is known when the engine's own
/// sources are compiled, a block costs a handful of instructions. Everybody else calls `memory::allocate`.
namespace xtape::memory::cached {

#ifdef XTAPE_POOL_BYPASS

[[nodiscard]] inline void* allocate(std::size_t bytes) { return memory::allocate(bytes); }
inline void deallocate(void* block, std::size_t bytes) noexcept { memory::deallocate(block, bytes); }

#else

// Size classes: multiples of 32 up to 512, then eight to a doubling, and of blocks that bypass the caches thirty-two: a
// large buffer wastes no more than a thirty-second.
inline constexpr std::size_t fine_step = 32;
inline constexpr std::size_t fine_limit = 512;
inline constexpr std::size_t fine_classes = fine_limit / fine_step;
inline constexpr std::size_t largest = 32 * 1024;  // larger blocks bypass the per-thread caches
inline constexpr std::size_t classes = fine_classes + 8 * 6;
inline constexpr std::size_t large_to_a_doubling = 32;

struct SizeClass {
    std::size_t index;
    std::size_t bytes;
};

constexpr SizeClass class_of(std::size_t bytes) noexcept {
    if (bytes <= fine_limit) {
        const std::size_t steps = bytes == 0 ? 1 : (bytes + fine_step - 1) / fine_step;
        return {steps - 1, steps * fine_step};
    }
    const auto log = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^log <= bytes - 1 < 2^(log + 1)
    const std::size_t power = std::size_t{1} << log;
    const std::size_t to_a_doubling = bytes <= largest ? 8 : large_to_a_doubling;
    const std::size_t step = power / to_a_doubling;
    const std::size_t place = (bytes - 1 - power) / step;
    const std::size_t before = bytes <= largest ? fine_classes + (log - 9) * 8 : classes + (log - 15) * to_a_doubling;
    return {before + place, power + (place + 1) * step};
}
static_assert(class_of(fine_limit + 1).index == fine_classes && class_of(fine_limit + 1).bytes == 576);
static_assert(class_of(largest).index == classes - 1 && class_of(largest).bytes == largest);
static_assert(class_of(largest + 1).index == classes &&
              class_of(2 * largest + 1).index == classes + large_to_a_doubling);

constexpr std::size_t class_bytes(std::size_t index) noexcept {
    if (index < fine_classes) {
        return (index + 1) * fine_step;
    }
    const bool is_large = index >= classes;
    const std::size_t to_a_doubling = is_large ? large_to_a_doubling : 8;
    const std::size_t place = index - (is_large ? classes : fine_classes);
    const std::size_t power = std::size_t{1} << ((is_large ? 15 : 9) + place / to_a_doubling);
    return power + (place % to_a_doubling + 1) * (power / to_a_doubling);
}
static_assert(class_bytes(class_of(5'000'000).index) == class_of(5'000'000).bytes);

// How many blocks move between a thread's cache and the pool at once. A table, for the division would cost more than
// the rest of a deallocation.
struct BatchCounts {
    std::uint16_t of[classes];
    constexpr BatchCounts() : of() {
        constexpr std::size_t batch_bytes = 16 * 1024;
        for (std::size_t index = 0; index < classes; ++index) {
            of[index] = static_cast<std::uint16_t>(std::max<std::size_t>(1, batch_bytes / class_bytes(index)));
        }
    }
};
inline constexpr BatchCounts batch_counts;

struct Block {
    Block* next;
    Block* next_batch;  // in the first block of a batch that lies in the shared pool
    std::size_t count;  // likewise
};
static_assert(sizeof(Block) <= fine_step);

struct Magazine {
    Block* head;
    std::size_t count;
};

// Two magazines a class: a thread that allocates and frees around a batch's edge does not go to the pool each time.
struct Cache {
    Magazine active[classes];
    Magazine spare[classes];
    bool in_use;  // the thread's end will flush it; false before its first block, and after its last
    bool dead;
};

[[gnu::tls_model("initial-exec")]] extern constinit thread_local Cache cache;

void refill(SizeClass c);
void deallocate_slowly(void* block, SizeClass c) noexcept;

/// As memory::allocate, for at most `largest` bytes.
[[nodiscard]] inline void* allocate(std::size_t bytes) {
    const SizeClass c = class_of(bytes);
    Magazine& active = cache.active[c.index];
    if (active.head == nullptr) [[unlikely]] {
        refill(c);
    }
    Block* block = active.head;
    active.head = block->next;
    --active.count;
    return block;
}

/// As memory::deallocate, for at most `largest` bytes.
inline void deallocate(void* p, std::size_t bytes) noexcept {
    const SizeClass c = class_of(bytes);
    Magazine& active = cache.active[c.index];
    if (!cache.in_use || active.count >= batch_counts.of[c.index]) [[unlikely]] {
        deallocate_slowly(p, c);
        return;
    }
    auto* block = static_cast<Block*>(p);
    block->next = active.head;
    active.head = block;
    ++active.count;
}

#endif

}  // namespace xtape::memory::cached
