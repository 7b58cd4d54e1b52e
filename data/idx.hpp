#pragma once

#include <cstdint>
#include <string>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// Reads an IDX file, the format of MNIST: an array of `T`, which is std::uint8_t, std::int8_t, std::int16_t,
/// std::int32_t, float or double, with the file's own shape. Format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST
/// database of handwritten digits". Throws IoError, naming file, offset and field, for a file that is missing, damaged
/// or truncated, is not IDX, or holds another element type; nothing is converted without being asked.
template <class T = std::uint8_t>
xt::xarray<T> read_idx(const std::string& path);

extern template xt::xarray<std::uint8_t> read_idx(const std::string&);
extern template xt::xarray<std::int8_t> read_idx(const std::string&);
extern template xt::xarray<std::int16_t> read_idx(const std::string&);
extern template xt::xarray<std::int32_t> read_idx(const std::string&);
extern template xt::xarray<float> read_idx(const std::string&);
extern template xt::xarray<double> read_idx(const std::string&);

}  // namespace xtape::data
