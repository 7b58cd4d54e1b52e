#pragma once

#include <initializer_list>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape::optim {

/// PyTorch's option names and defaults.
struct ClipGradNormOptions {
    double norm_type = 2;             ///< p of the p-norm: above 0; infinity is the largest magnitude
    bool error_if_nonfinite = false;  ///< refuse a total norm that is NaN or infinite
};

/// Scales the gradients of the parameters so that the p-norm of all of them together, taken as one vector, is at most
/// `max_norm`, and returns what it was. By PyTorch's rule they are multiplied by max_norm / (norm + 1e-6), but by no
/// more than 1: a norm that is infinite makes finite gradients 0 and infinite ones NaN, a norm that is NaN makes all
/// NaN. Parameters without a gradient are skipped; of none the norm is 0. What `grad()` gave out before keeps its
/// numbers. A gradient that is shared or has a graph of its own (`create_graph`) is replaced by a constant.
///
/// Throws ValueError for a max_norm that is negative or NaN, a norm_type that is not above 0, and where
/// `error_if_nonfinite` asks for it; then no gradient was changed.
template <class T>
double clip_grad_norm(const std::vector<Tensor<T>>& parameters, double max_norm, ClipGradNormOptions options = {});
template <class T>
double clip_grad_norm(std::initializer_list<Tensor<T>> parameters, double max_norm, ClipGradNormOptions options = {}) {
    return clip_grad_norm(std::vector<Tensor<T>>(parameters), max_norm, options);
}

/// Moves every element of the parameters' gradients that is beyond -value or value to that bound; NaN stays. The rest
/// is as with clip_grad_norm. Throws ValueError for a value that is negative or NaN.
template <class T>
void clip_grad_value(const std::vector<Tensor<T>>& parameters, double value);
template <class T>
void clip_grad_value(std::initializer_list<Tensor<T>> parameters, double value) {
    clip_grad_value(std::vector<Tensor<T>>(parameters), value);
}

extern template double clip_grad_norm(const std::vector<Tensor<float>>&, double, ClipGradNormOptions);
extern template double clip_grad_norm(const std::vector<Tensor<double>>&, double, ClipGradNormOptions);
extern template void clip_grad_value(const std::vector<Tensor<float>>&, double);
extern template void clip_grad_value(const std::vector<Tensor<double>>&, double);

}  // namespace xtape::optim
