#pragma once

#include <xtape/autograd/tensor.hpp>

namespace xtape {

// Constants: `ones<double>({2, 3})`.

template <class T = float>
[[nodiscard]] Tensor<T> full(const Shape& shape, double value);
template <class T = float>
[[nodiscard]] Tensor<T> zeros(const Shape& shape) {
    return full<T>(shape, 0.0);
}
template <class T = float>
[[nodiscard]] Tensor<T> ones(const Shape& shape) {
    return full<T>(shape, 1.0);
}
/// The identity matrix.
template <class T = float>
[[nodiscard]] Tensor<T> eye(std::size_t n);
/// start, start + step, ... up to `stop`, excluded. Throws ValueError for a step of 0.
template <class T = float>
[[nodiscard]] Tensor<T> arange(double start, double stop, double step = 1.0);
template <class T = float>
[[nodiscard]] Tensor<T> arange(double stop) {
    return arange<T>(0.0, stop);
}
/// `count` numbers evenly from `start` to `stop`, both included.
template <class T = float>
[[nodiscard]] Tensor<T> linspace(double start, double stop, std::size_t count);

template <class T>
[[nodiscard]] Tensor<T> zeros_like(const Tensor<T>& x) {
    return zeros<T>(x.shape());
}
template <class T>
[[nodiscard]] Tensor<T> ones_like(const Tensor<T>& x) {
    return ones<T>(x.shape());
}

}  // namespace xtape
