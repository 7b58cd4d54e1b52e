#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>

#include <xtape/autograd/storage.hpp>

namespace xtape {

/// A read-only sequence container over a tensor's buffer that keeps the buffer alive: what xtensor's array adaptor
/// stands on in `Tensor::value()`. While one lives, nobody overwrites the buffer.
template <class T>
class ValueBuffer {
public:
    using value_type = T;
    using allocator_type = std::allocator<T>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = const T&;
    using const_reference = const T&;
    using pointer = const T*;
    using const_pointer = const T*;
    using iterator = const T*;
    using const_iterator = const T*;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;
    using temporary_type = ValueBuffer;

    ValueBuffer() noexcept = default;
    ValueBuffer(Ref<Storage> storage, std::size_t size) noexcept
        : storage_(std::move(storage)), data_(static_cast<const T*>(storage_->data())), size_(size) {}

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const T* data() const noexcept { return data_; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    [[nodiscard]] const T* begin() const noexcept { return data_; }
    [[nodiscard]] const T* end() const noexcept { return data_ + size_; }
    [[nodiscard]] const T* cbegin() const noexcept { return begin(); }
    [[nodiscard]] const T* cend() const noexcept { return end(); }
    [[nodiscard]] const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
    [[nodiscard]] const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }
    [[nodiscard]] const_reverse_iterator crbegin() const noexcept { return rbegin(); }
    [[nodiscard]] const_reverse_iterator crend() const noexcept { return rend(); }

    /// xtensor asks for the size that it already has.
    void resize(std::size_t size) const {
        if (size != size_) {
            throw std::logic_error("a tensor's value is read-only: it can't be resized");
        }
    }
    void swap(ValueBuffer& other) noexcept {
        storage_.swap(other.storage_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

private:
    Ref<Storage> storage_;
    const T* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace xtape
