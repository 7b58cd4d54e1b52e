#pragma once

#include <vector>

#include <xtape/autograd.hpp>

/// What the tests of transforms, checkpoints and custom rules call their tensors, and two of these.
namespace short_names {

using Value = xtape::Tensor<double>;
using Values = std::vector<double>;
using Inputs = std::vector<Value>;

inline const Value a{xt::xarray<double>{0.5, -1.0, 2.0}};
inline const Value b{xt::xarray<double>{1.5, 0.25, -0.75}};

}  // namespace short_names
