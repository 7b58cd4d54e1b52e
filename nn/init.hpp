#pragma once

#include <xtape/autograd/tensor.hpp>

/// Initialisers: each overwrites a parameter or a constant in place, from random streams of its own (see
/// xtape::random::seed), and throws GraphError for the result of an op, ValueError for bounds, deviations and gains
/// that are not finite. Fans are those of a weight (out, in): fan_in = in, fan_out = out; tensors of less than two axes
/// throw ShapeError there.
namespace xtape::nn::init {

/// Evenly from [low, high). Throws ValueError for low > high.
template <class T>
void uniform(const Tensor<T>& tensor, double low = 0.0, double high = 1.0);
/// Throws ValueError for a negative stddev.
template <class T>
void normal(const Tensor<T>& tensor, double mean = 0.0, double stddev = 1.0);
template <class T>
void zeros(const Tensor<T>& tensor);
/// Evenly from ±gain √(3 / fan_in); the gain √2 suits ReLU. He, Zhang, Ren and Sun, "Delving deep into rectifiers",
/// ICCV 2015.
template <class T>
void kaiming_uniform(const Tensor<T>& weight, double gain = 1.4142135623730951);
/// Normally with standard deviation gain / √fan_in.
template <class T>
void kaiming_normal(const Tensor<T>& weight, double gain = 1.4142135623730951);
/// Evenly from ±gain √(6 / (fan_in + fan_out)). Glorot and Bengio, "Understanding the difficulty of training deep
/// feedforward neural networks", AISTATS 2010.
template <class T>
void xavier_uniform(const Tensor<T>& weight, double gain = 1.0);
/// Normally with standard deviation gain √(2 / (fan_in + fan_out)).
template <class T>
void xavier_normal(const Tensor<T>& weight, double gain = 1.0);
/// Rows (or columns, if there are more rows) are orthonormal, times gain. Saxe, McClelland and Ganguli, "Exact
/// solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014.
template <class T>
void orthogonal(const Tensor<T>& weight, double gain = 1.0);

}  // namespace xtape::nn::init
