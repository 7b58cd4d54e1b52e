#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <xtape/autograd/memory_cache.hpp>
#include <xtape/autograd/small_vector.hpp>

namespace xtape {

/// A counter of owners, safe across threads. The last owner needs no read-modify-write to know that it is the last.
class RefCount {
public:
    void retain() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    /// True for the last owner, which then destroys.
    [[nodiscard]] bool release() noexcept {
        return count_.load(std::memory_order_acquire) == 1 || count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    }
    [[nodiscard]] bool unique() const noexcept { return count_.load(std::memory_order_acquire) == 1; }

private:
    std::atomic<std::uint32_t> count_{1};
};

/// An owning pointer to something that counts its own owners: U has `RefCount refs`, and `destroy(U*)` is found by ADL.
template <class U>
class Ref {
public:
    Ref() noexcept = default;
    Ref(std::nullptr_t) noexcept {}
    /// Takes over the reference that a new object is born with.
    [[nodiscard]] static Ref adopt(U* p) noexcept {
        Ref ref;
        ref.p_ = p;
        return ref;
    }
    [[nodiscard]] static Ref share(U* p) noexcept {
        if (p != nullptr) {
            p->refs.retain();
        }
        return adopt(p);
    }
    Ref(const Ref& other) noexcept : p_(other.p_) {
        if (p_ != nullptr) {
            p_->refs.retain();
        }
    }
    Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
    Ref& operator=(const Ref& other) noexcept {
        Ref(other).swap(*this);
        return *this;
    }
    Ref& operator=(Ref&& other) noexcept {
        Ref(std::move(other)).swap(*this);
        return *this;
    }
    ~Ref() {
        if (p_ != nullptr && p_->refs.release()) {
            destroy(p_);
        }
    }
    void swap(Ref& other) noexcept { std::swap(p_, other.p_); }
    void reset() noexcept { Ref().swap(*this); }

    [[nodiscard]] U* get() const noexcept { return p_; }
    [[nodiscard]] U* operator->() const noexcept { return p_; }
    [[nodiscard]] U& operator*() const noexcept { return *p_; }
    explicit operator bool() const noexcept { return p_ != nullptr; }
    friend bool operator==(const Ref&, const Ref&) noexcept = default;

private:
    U* p_ = nullptr;
};

enum class DType : std::uint8_t { f32, f64 };

template <class T>
inline constexpr DType dtype_of = sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;

class Tape;

/// A buffer of numbers and the count of those who hold it. Small ones lie beside their header, others 64-byte aligned.
struct Storage {
    RefCount refs;
    std::atomic<std::uint32_t> saved{0};  // how many nodes keep it for their rule; not counted for small ones
    std::size_t block_bytes;

    static constexpr std::size_t small_offset = 16;
    static constexpr std::size_t large_offset = 64;
    static constexpr std::size_t small_limit = large_offset - small_offset;

    [[nodiscard]] static Ref<Storage> allocate(std::size_t payload_bytes) {
        if (payload_bytes <= large_offset / 2 - small_offset) {
            return make(memory::cached::allocate(large_offset / 2), large_offset / 2);
        }
        if (payload_bytes <= small_limit) {
            return make(memory::cached::allocate(large_offset), large_offset);
        }
        const std::size_t block = (payload_bytes + 2 * large_offset - 1) / large_offset * large_offset;
        return make(memory::allocate(block), block);
    }
    [[nodiscard]] bool is_small() const noexcept { return block_bytes <= large_offset; }
    [[nodiscard]] void* data() noexcept {
        return reinterpret_cast<std::byte*>(this) + (is_small() ? small_offset : large_offset);
    }
    /// The tape that a saved buffer is counted on; only a large buffer has room for it beside its header.
    [[nodiscard]] Tape*& counted_on() noexcept {
        return *reinterpret_cast<Tape**>(reinterpret_cast<std::byte*>(this) + small_offset);
    }
    friend void destroy(Storage* storage) noexcept {
        const std::size_t bytes = storage->block_bytes;
        bytes <= large_offset ? memory::cached::deallocate(storage, bytes) : memory::deallocate(storage, bytes);
    }

private:
    [[nodiscard]] static Ref<Storage> make(void* block, std::size_t bytes) noexcept {
        auto* storage = new (block) Storage;
        storage->block_bytes = bytes;
        return Ref<Storage>::adopt(storage);
    }
};
static_assert(sizeof(Storage) == Storage::small_offset);

}  // namespace xtape
