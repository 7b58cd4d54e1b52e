#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::io {

/// The element types that files hold.
enum class DType : std::uint8_t { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };

/// NumPy's name for it: "float32".
std::string_view name(DType dtype);
/// Bytes an element.
std::size_t item_size(DType dtype);

/// What an Array can hold: float, double, and every integer type but bool and the character types.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> ||
    (std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, bool> && !std::same_as<T, char> &&
     !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
     !std::same_as<T, char32_t>);

template <class T>
concept FloatingElement = Element<T> && std::floating_point<T>;

template <class E>
concept ElementExpression = xt::is_xexpression<E>::value && Element<typename E::value_type>;

/// The DType that a C++ type is stored as.
template <Element T>
constexpr DType dtype_of() {
    if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? DType::float32 : DType::float64;
    } else {
        constexpr bool is_signed = std::signed_integral<T>;
        switch (sizeof(T)) {
        case 1: return is_signed ? DType::int8 : DType::uint8;
        case 2: return is_signed ? DType::int16 : DType::uint16;
        case 4: return is_signed ? DType::int32 : DType::uint32;
        default: return is_signed ? DType::int64 : DType::uint64;
        }
    }
}

/// Numbers of any element type with their shape, row-major: what a state dict maps a name to, and what a file holds.
class Array {
public:
    /// A 0-d float64 array holding 0.
    Array();
    /// `bytes` are the elements in row-major order and in this machine's endianness.
    /// Throws ShapeError unless they are just as many as the shape needs.
    Array(DType dtype, std::vector<std::size_t> shape, std::vector<std::byte> bytes);
    /// A 0-d array.
    template <Element T>
    Array(T scalar) : Array(zeros(dtype_of<T>(), {})) {
        std::memcpy(bytes_.data(), &scalar, sizeof(T));
    }
    /// Evaluates and copies an xtensor expression.
    template <ElementExpression E>
    Array(const E& expression)
        : Array(zeros(dtype_of<typename E::value_type>(), {expression.shape().begin(), expression.shape().end()})) {
        auto* elements = reinterpret_cast<typename E::value_type*>(bytes_.data());
        std::copy(expression.template begin<xt::layout_type::row_major>(),
                  expression.template end<xt::layout_type::row_major>(), elements);
    }

    DType dtype() const { return dtype_; }
    const std::vector<std::size_t>& shape() const { return shape_; }
    /// The number of elements.
    std::size_t size() const { return bytes_.size() / item_size(dtype_); }
    /// The elements as they lie in memory.
    std::span<const std::byte> bytes() const { return bytes_; }

    /// A copy of the elements, whose type must be T: nothing is converted without being asked.
    /// Throws ValueError naming the type that is held.
    template <Element T>
    xt::xarray<T> as() const {
        require(dtype_of<T>());
        auto result = xt::xarray<T>::from_shape(shape_);
        if (!bytes_.empty()) {
            std::memcpy(result.data(), bytes_.data(), bytes_.size());
        }
        return result;
    }
    /// The elements converted to float or double, whatever their type.
    template <FloatingElement T>
    xt::xarray<T> cast() const {
        auto result = xt::xarray<T>::from_shape(shape_);
        convert(result.data());
        return result;
    }

private:
    static Array zeros(DType dtype, std::vector<std::size_t> shape);
    void require(DType wanted) const;
    void convert(float* to) const;
    void convert(double* to) const;

    DType dtype_;
    std::vector<std::size_t> shape_;
    std::vector<std::byte> bytes_;
};

/// Names and arrays: what modules and optimisers remember, and what a file of theirs holds.
using StateDict = std::map<std::string, Array>;

}  // namespace xtape::io
