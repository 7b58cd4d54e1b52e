#pragma once

#include <algorithm>

#include <xtape/autograd.hpp>

/// Well-conditioned matrices made from any, for the tests of linalg's gradients.
namespace linalg_matrices {

using namespace xtape;

template <typename T>
Tensor<T> positive_definite(const Tensor<T>& x) {
    return matmul_transposed(x, false, x, true) + 2.0 * eye<T>(x.shape()[x.dimension() - 2]);
}
// Apart from each other in the last axis: spectra without equal values.
template <typename T>
Tensor<T> spread(const Tensor<T>& x) {
    const std::size_t rows = x.shape()[x.dimension() - 2];
    const std::size_t columns = x.shape().back();
    Tensor<T> steps = zeros<T>({rows, columns});
    for (std::size_t i = 0; i < std::min(rows, columns); ++i) {
        steps.fresh_data()[i * columns + i] = static_cast<T>(4 * i + 4);
    }
    return 0.5 * x + steps;
}

}  // namespace linalg_matrices
