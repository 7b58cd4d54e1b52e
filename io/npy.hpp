#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <xtape/io/array.hpp>

namespace xtape::io {

/// Reads a .npy file of NumPy's (format versions 1 to 3; integers and floats of either endianness; Fortran order is
/// turned into C order).
/// Throws IoError, naming file, offset and field, for anything that is not a whole, sound file.
Array read_npy(const std::string& path);

/// The same, as an xtensor array of the element type that the file must hold.
template <Element T>
xt::xarray<T> read_npy(const std::string& path);

/// Parses the contents of a .npy file; `file` is how messages call it.
Array parse_npy(std::vector<std::byte> contents, const std::string& file);

/// What a .npy file has before the elements of `array`: format version 1.0, as NumPy itself writes it.
std::string npy_header(const Array& array);

namespace detail {
/// Throws IoError unless the array that `path` held is of the type wanted.
void require_dtype(const std::string& path, const Array& array, DType wanted);
}  // namespace detail

template <Element T>
xt::xarray<T> read_npy(const std::string& path) {
    const Array array = read_npy(path);
    detail::require_dtype(path, array, dtype_of<T>());
    return array.as<T>();
}

}  // namespace xtape::io
