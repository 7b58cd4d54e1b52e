#include <xtape/autograd/memory_cache.hpp>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace xtape {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;

// From the size of a huge page on in huge pages, where the system lends them on request: fewer page faults, and fewer
// misses where an op walks through several buffers.
void* take_from_system(std::size_t bytes, std::size_t align) {
    align = bytes >= huge_page ? std::max(align, huge_page) : align;
    if (bytes > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) - align) {
        throw std::bad_alloc();
    }
    void* block = std::aligned_alloc(align, (bytes + align - 1) / align * align);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
#if defined(__linux__)
    if (bytes >= huge_page) {
        ::madvise(block, bytes, MADV_HUGEPAGE);
    }
#endif
    return block;
}

}  // namespace

#ifdef XTAPE_POOL_BYPASS

void* memory::allocate(std::size_t bytes) { return take_from_system(bytes + (bytes == 0), alignment); }
void memory::deallocate(void* block, std::size_t) noexcept { std::free(block); }
std::size_t memory::reserved_bytes() noexcept { return 0; }
std::size_t memory::peak_bytes() noexcept { return 0; }
void memory::reset_peak() noexcept {}
void release_cached_memory() {}

#else

namespace {

using namespace memory::cached;

constexpr std::size_t all_classes = classes + 34 * large_to_a_doubling;  // up to 2^49 bytes
constexpr std::size_t slab_bytes = huge_page;

// The pool that all threads share. It is never destroyed: tensors with static storage may outlive every static of ours.
class Pool {
public:
    static Pool& instance() {
        static Pool* pool = new Pool;
        return *pool;
    }

    Magazine take_batch(SizeClass c) {
        const std::scoped_lock lock(mutex_);
        if (Block* head = batches_[c.index]) {
            batches_[c.index] = head->next_batch;
            return {head, head->count};
        }
        return carve(c);
    }

    void put_batch(std::size_t index, Magazine batch) noexcept {
        const std::scoped_lock lock(mutex_);
        batch.head->count = batch.count;
        batch.head->next_batch = batches_[index];
        batches_[index] = batch.head;
    }

    void* take_large(SizeClass c) {
        count_use(c.bytes);
        {
            const std::scoped_lock lock(mutex_);
            if (Block* head = batches_[c.index]) {
                batches_[c.index] = head->next_batch;
                return head;
            }
        }
        try {
            void* block = take_from_system(c.bytes, alignment);
            reserved_.fetch_add(c.bytes, std::memory_order_relaxed);
            return block;
        } catch (...) {
            in_use_.fetch_sub(c.bytes, std::memory_order_relaxed);
            throw;
        }
    }

    void put_large(SizeClass c, Block* block) noexcept {
        in_use_.fetch_sub(c.bytes, std::memory_order_relaxed);
        put_batch(c.index, {block, 1});
    }

    void release() {
        const std::scoped_lock lock(mutex_);
        release_large();
        release_slabs();
    }

    [[nodiscard]] std::size_t reserved() const noexcept { return reserved_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
    void reset_peak() noexcept { peak_.store(in_use_.load(std::memory_order_relaxed), std::memory_order_relaxed); }

private:
    // A batch of new blocks, cut from the current slab.
    Magazine carve(SizeClass c) {
        const std::size_t count = batch_counts.of[c.index];
        const std::size_t bytes = (count * c.bytes + alignment - 1) / alignment * alignment;
        if (slab_left_ < bytes) {
            slab_ = static_cast<std::byte*>(take_from_system(slab_bytes, slab_bytes));
            slab_left_ = slab_bytes;
            used_in_slab_[slab_] = 0;
            reserved_.fetch_add(slab_bytes, std::memory_order_relaxed);
            count_use(slab_bytes);
        }
        std::byte* first = slab_;
        slab_ += bytes;
        slab_left_ -= bytes;
        used_in_slab_[slab_of(first)] += count * c.bytes;
        for (std::size_t i = 0; i < count; ++i) {
            auto* block = reinterpret_cast<Block*>(first + i * c.bytes);
            block->next = i + 1 < count ? reinterpret_cast<Block*>(first + (i + 1) * c.bytes) : nullptr;
        }
        return {reinterpret_cast<Block*>(first), count};
    }

    void count_use(std::size_t bytes) noexcept {
        const std::size_t now = in_use_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
        std::size_t peak = peak_.load(std::memory_order_relaxed);
        while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
        }
    }

    void release_large() {
        for (std::size_t index = classes; index < all_classes; ++index) {
            while (Block* block = batches_[index]) {
                batches_[index] = block->next_batch;
                reserved_.fetch_sub(class_bytes(index), std::memory_order_relaxed);
                std::free(block);
            }
        }
    }

    // A slab goes back when every byte that was carved from it lies free in the pool.
    void release_slabs() {
        std::unordered_map<std::byte*, std::size_t> free_in_slab;
        for_each_small([&](Block* block, std::size_t bytes) { free_in_slab[slab_of(block)] += bytes; });
        const auto is_unused = [&](std::byte* slab) {
            const auto it = free_in_slab.find(slab);
            return it != free_in_slab.end() && it->second == used_in_slab_.at(slab);
        };
        for (std::size_t index = 0; index < classes; ++index) {
            Block* kept = nullptr;
            for (Block* batch = std::exchange(batches_[index], nullptr); batch != nullptr;) {
                Block* next_batch = batch->next_batch;
                for (Block* block = batch; block != nullptr;) {
                    Block* next = block->next;
                    if (!is_unused(slab_of(block))) {
                        block->next = nullptr;
                        block->next_batch = kept;
                        block->count = 1;
                        kept = block;
                    }
                    block = next;
                }
                batch = next_batch;
            }
            batches_[index] = kept;
        }
        for (const auto& [slab, free_bytes] : free_in_slab) {
            if (free_bytes != used_in_slab_.at(slab)) {
                continue;
            }
            if (slab_left_ != 0 && slab_of(slab_) == slab) {
                slab_left_ = 0;
            }
            used_in_slab_.erase(slab);
            reserved_.fetch_sub(slab_bytes, std::memory_order_relaxed);
            in_use_.fetch_sub(slab_bytes, std::memory_order_relaxed);
            std::free(slab);
        }
    }

    template <class F>
    void for_each_small(F f) {
        for (std::size_t index = 0; index < classes; ++index) {
            for (Block* batch = batches_[index]; batch != nullptr; batch = batch->next_batch) {
                for (Block* block = batch; block != nullptr; block = block->next) {
                    f(block, class_bytes(index));
                }
            }
        }
    }

    static std::byte* slab_of(void* p) noexcept {
        return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(p) & ~(slab_bytes - 1));
    }

    std::mutex mutex_;
    Block* batches_[all_classes] = {};
    std::byte* slab_ = nullptr;
    std::size_t slab_left_ = 0;
    std::unordered_map<std::byte*, std::size_t> used_in_slab_;
    std::atomic<std::size_t> reserved_{0};
    std::atomic<std::size_t> in_use_{0};
    std::atomic<std::size_t> peak_{0};
};

void flush(Cache& c) noexcept {
    for (std::size_t index = 0; index < classes; ++index) {
        for (Magazine* magazine : {&c.active[index], &c.spare[index]}) {
            if (magazine->head != nullptr) {
                Pool::instance().put_batch(index, std::exchange(*magazine, {}));
            }
        }
    }
}

// Frees that come after this thread's end of life (from destructors of other thread-local objects) go to the pool.
struct FlushAtThreadExit {
    FlushAtThreadExit() = default;
    FlushAtThreadExit(const FlushAtThreadExit&) = delete;
    FlushAtThreadExit& operator=(const FlushAtThreadExit&) = delete;
    ~FlushAtThreadExit() {
        cache.in_use = false;
        cache.dead = true;
        flush(cache);
    }
};

void register_thread() {
    static thread_local FlushAtThreadExit at_exit;
    (void)at_exit;
    cache.in_use = true;
}

}  // namespace

[[gnu::tls_model("initial-exec")]] constinit thread_local Cache memory::cached::cache{};

void memory::cached::refill(SizeClass c) {
    if (!cache.in_use && !cache.dead) {
        register_thread();
    }
    Magazine& active = cache.active[c.index];
    active =
        cache.spare[c.index].head != nullptr ? std::exchange(cache.spare[c.index], {}) : Pool::instance().take_batch(c);
    if (cache.dead && active.count > 1) {
        // Nobody will flush this cache again: keep the one block that is asked for.
        Pool::instance().put_batch(c.index, {std::exchange(active.head->next, nullptr), active.count - 1});
        active.count = 1;
    }
}

void memory::cached::deallocate_slowly(void* p, SizeClass c) noexcept {
    auto* block = static_cast<Block*>(p);
    if (cache.dead) {
        block->next = nullptr;
        Pool::instance().put_batch(c.index, {block, 1});
        return;
    }
    if (!cache.in_use) {
        register_thread();  // a thread that only frees has a cache to give back too
    }
    Magazine& active = cache.active[c.index];
    if (active.count >= batch_counts.of[c.index]) {
        if (cache.spare[c.index].head != nullptr) {
            Pool::instance().put_batch(c.index, cache.spare[c.index]);
        }
        cache.spare[c.index] = std::exchange(active, {});
    }
    block->next = active.head;
    active.head = block;
    ++active.count;
}

void* memory::allocate(std::size_t bytes) {
    if (bytes <= largest) [[likely]] {
        return cached::allocate(bytes);
    }
    if (bytes > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / 8) {
        throw std::bad_alloc();
    }
    const SizeClass c = class_of(bytes);
    return c.index < all_classes ? Pool::instance().take_large(c) : take_from_system(c.bytes, alignment);
}

void memory::deallocate(void* p, std::size_t bytes) noexcept {
    if (bytes <= largest) [[likely]] {
        cached::deallocate(p, bytes);
        return;
    }
    const SizeClass c = class_of(bytes);
    if (c.index >= all_classes) {
        std::free(p);
        return;
    }
    auto* block = static_cast<Block*>(p);
    block->next = nullptr;
    Pool::instance().put_large(c, block);
}

std::size_t memory::reserved_bytes() noexcept { return Pool::instance().reserved(); }

std::size_t memory::peak_bytes() noexcept { return Pool::instance().peak(); }
void memory::reset_peak() noexcept { Pool::instance().reset_peak(); }

void release_cached_memory() {
    flush(cache);
    Pool::instance().release();
}

#endif

}  // namespace xtape
