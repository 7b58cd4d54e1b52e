#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <utility>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/memory.hpp>

namespace xtape {

/// A sequence of integers that is stored inline up to `inline_capacity`: shapes and lists of axes. It takes any integer
/// type, in braces (`{2, -1}`) or from any container, and throws ValueError for a value that `U` cannot hold.
template <class U>
class SmallVector {
public:
    static constexpr std::uint32_t inline_capacity = 4;

    using value_type = U;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = U&;
    using const_reference = const U&;
    using iterator = U*;
    using const_iterator = const U*;

    SmallVector() noexcept = default;

    /// `size` times the same value. (No constructor: `{n, 2}` is a list of two.)
    [[nodiscard]] static SmallVector filled(std::size_t size, U value) {
        SmallVector filled;
        filled.reserve_exactly(size);
        std::fill_n(filled.data(), size, value);
        return filled;
    }

    /// One value.
    template <std::integral I>
    SmallVector(I value) : SmallVector(&value, &value + 1) {}

    template <std::integral I>
    SmallVector(std::initializer_list<I> values) : SmallVector(values.begin(), values.end()) {}
    /// Values of several integer types.
    template <std::integral I, std::integral J, std::integral... More>
    SmallVector(I first, J second, More... more)
        : SmallVector({static_cast<std::int64_t>(first), static_cast<std::int64_t>(second),
                       static_cast<std::int64_t>(more)...}) {}

    /// From any range of integers, xtensor's shapes among them.
    template <class Range>
    requires(!std::same_as<std::remove_cvref_t<Range>, SmallVector> &&
             requires(const Range& r) {
                 { *std::begin(r) } -> std::convertible_to<std::int64_t>;
                 std::end(r);
             }) SmallVector(const Range& range)
        : SmallVector(std::begin(range), std::end(range)) {}

    template <std::forward_iterator It>
    SmallVector(It first, It last) {
        for (It it = first; it != last; ++it) {
            if (!std::in_range<U>(*it)) {
                throw ValueError("a shape takes no negative number; to let reshape work out an axis, give it one -1");
            }
        }
        reserve_exactly(static_cast<std::size_t>(std::distance(first, last)));
        std::transform(first, last, data(), [](auto v) { return static_cast<U>(v); });
    }

    SmallVector(const SmallVector& other) { copy(other); }
    SmallVector(SmallVector&& other) noexcept { steal(other); }
    SmallVector& operator=(const SmallVector& other) {
        if (this != &other) {
            SmallVector copied(other);
            free_heap();
            steal(copied);
        }
        return *this;
    }
    SmallVector& operator=(SmallVector&& other) noexcept {
        if (this != &other) {
            free_heap();
            steal(other);
        }
        return *this;
    }
    ~SmallVector() { free_heap(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] U* data() noexcept { return on_heap() ? heap_ : inline_; }
    [[nodiscard]] const U* data() const noexcept { return on_heap() ? heap_ : inline_; }
    [[nodiscard]] U* begin() noexcept { return data(); }
    [[nodiscard]] U* end() noexcept { return data() + size_; }
    [[nodiscard]] const U* begin() const noexcept { return data(); }
    [[nodiscard]] const U* end() const noexcept { return data() + size_; }
    [[nodiscard]] const U* cbegin() const noexcept { return begin(); }
    [[nodiscard]] const U* cend() const noexcept { return end(); }
    [[nodiscard]] U& operator[](std::size_t i) noexcept { return data()[i]; }
    [[nodiscard]] const U& operator[](std::size_t i) const noexcept { return data()[i]; }
    [[nodiscard]] const U& back() const noexcept { return data()[size_ - 1]; }

    void push_back(U value) {
        if (size_ < inline_capacity) {
            inline_[size_++] = value;
            return;
        }
        SmallVector grown;
        grown.reserve_exactly(size_ + 1U);
        std::copy(begin(), end(), grown.data());
        grown.data()[size_] = value;
        *this = std::move(grown);
    }

    friend bool operator==(const SmallVector& a, const SmallVector& b) noexcept {
        if (a.size_ != b.size_) {
            return false;
        }
        const U* left = a.data();  // a loop, for a call of memcmp costs more than it saves
        const U* right = b.data();
        for (std::uint32_t i = 0; i < a.size_; ++i) {
            if (left[i] != right[i]) {
                return false;
            }
        }
        return true;
    }

private:
    [[nodiscard]] bool on_heap() const noexcept { return size_ > inline_capacity; }

    void reserve_exactly(std::size_t size) {
        if (size > inline_capacity) {
            heap_ = static_cast<U*>(memory::allocate(size * sizeof(U)));
        }
        size_ = static_cast<std::uint32_t>(size);
    }

    void copy(const SmallVector& other) {
        reserve_exactly(other.size_);
        if (on_heap()) {
            std::copy(other.begin(), other.end(), heap_);
        } else {
            __builtin_memcpy(inline_, other.inline_, sizeof(inline_));  // whole, whatever the size: no loop, no call
        }
    }

    void steal(SmallVector& other) noexcept {
        size_ = other.size_;
        if (on_heap()) {
            heap_ = other.heap_;
        } else {
            __builtin_memcpy(inline_, other.inline_, sizeof(inline_));
        }
        other.size_ = 0;
    }

    void free_heap() noexcept {
        if (on_heap()) {
            memory::deallocate(heap_, size_ * sizeof(U));
        }
    }

    union {
        U inline_[inline_capacity] = {};
        U* heap_;
    };
    std::uint32_t size_ = 0;
};

/// The extents of a tensor, outermost first.
using Shape = SmallVector<std::size_t>;
/// Axes, and the extents that `reshape` is asked for; negative ones count from the end.
using Axes = SmallVector<std::ptrdiff_t>;

namespace detail {
[[noreturn]] void throw_too_large(const Shape& shape);
}

/// The number of elements; throws ValueError where it does not fit in memory's addresses.
[[nodiscard]] inline std::size_t element_count(const Shape& shape) {
    std::size_t count = 1;
    bool overflow = false;
    bool empty = false;
    for (const std::size_t extent : shape) {
        overflow = __builtin_mul_overflow(count, extent, &count) || overflow;
        empty = empty || extent == 0;
    }
    if (overflow && !empty) [[unlikely]] {
        detail::throw_too_large(shape);
    }
    return empty ? 0 : count;
}

}  // namespace xtape
