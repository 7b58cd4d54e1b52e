#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>

/// Memory for kernels to work on, where a step beyond the end shows: what lies around an array is watched, and the page
/// after it can't be touched.
namespace kernel_memory {

enum class Place {
    aligned,     // to 64 bytes, as the pool gives it
    misaligned,  // by one element
    at_the_end,  // of the page, beyond which a read is a crash
};
inline constexpr Place places[] = {Place::aligned, Place::misaligned, Place::at_the_end};
inline constexpr std::size_t sizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 1000};

template <class T>
class Array {
public:
    Array() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        void* memory = mmap(nullptr, bytes() + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + bytes(), page_, PROT_NONE) != 0) {
            throw std::bad_alloc();
        }
        start_ = static_cast<unsigned char*>(memory);
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() { munmap(start_, bytes() + page_); }

    /// Lays out n elements; their values are still to be written.
    T* lay_out(std::size_t n, Place place) {
        if (n > bytes() / sizeof(T) - 128 / sizeof(T)) {
            throw std::bad_alloc();
        }
        std::memset(start_, watched, bytes());
        first_ =
            place == Place::at_the_end ? bytes() - n * sizeof(T) : 64 + (place == Place::misaligned ? sizeof(T) : 0);
        count_ = n;
        return data();
    }
    [[nodiscard]] T* data() { return reinterpret_cast<T*>(start_ + first_); }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] T& operator[](std::size_t i) { return data()[i]; }

    /// Whether all bytes outside of the array are as they were.
    [[nodiscard]] bool kept_to_its_own() const {
        for (std::size_t i = 0; i < bytes(); ++i) {
            const bool inside = i >= first_ && i < first_ + count_ * sizeof(T);
            if (!inside && start_[i] != watched) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr unsigned char watched = 0xA5;
    [[nodiscard]] std::size_t bytes() const { return 8 * page_; }

    std::size_t page_;
    unsigned char* start_ = nullptr;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

/// Fills an array with multiples of 1/16 in [-2, 2], integers and zeros among them, from a simple generator.
template <class T>
void fill(Array<T>& array, unsigned seed) {
    unsigned state = seed * 2654435761U + 12345U;
    for (std::size_t i = 0; i < array.size(); ++i) {
        state = state * 1664525U + 1013904223U;
        array[i] = static_cast<T>(static_cast<int>(state >> 16U) % 33) / T(8) - T(2);
    }
}

}  // namespace kernel_memory
