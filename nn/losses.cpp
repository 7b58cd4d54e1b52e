#include <xtape/nn/losses.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::nn {
namespace {

template <class T>
Tensor<T> reduced(const Tensor<T>& losses, Reduction reduction) {
    switch (reduction) {
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
    case Reduction::none: break;
    }
    return losses;
}

}  // namespace

template <class T>
Tensor<T> mse_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options) {
    if (prediction.shape() != target.shape()) {
        throw ShapeError(
            fmt::format("mse_loss: prediction {} and target {} must have the same shape; reshape one of them",
                        to_string(prediction.shape()), to_string(target.shape())));
    }
    return reduced(square(prediction - target), options.reduction);
}

template <class T>
Tensor<T> cross_entropy(const Tensor<T>& logits, const Labels& labels, LossOptions options) {
    return reduced(softmax_cross_entropy(logits, labels), options.reduction);
}

template <class T>
Tensor<T> cross_entropy(const Tensor<T>& logits, const Tensor<T>& probabilities, LossOptions options) {
    return reduced(softmax_cross_entropy(logits, probabilities), options.reduction);
}

template <class T>
double accuracy(const Tensor<T>& logits, const Labels& labels) {
    if (logits.dimension() != 2 || labels.shape().size() != 1 || labels.shape()[0] != logits.shape()[0]) {
        throw ShapeError(fmt::format("accuracy: logits {} and labels {}; it takes (samples, classes) and (samples,)",
                                     to_string(logits.shape()), to_string(labels.shape())));
    }
    const std::size_t samples = logits.shape()[0];
    const std::size_t classes = logits.shape()[1];
    std::size_t right = 0;
    for (std::size_t i = 0; i < samples; ++i) {
        const std::int64_t label = labels.data()[i];
        if (label < 0 || static_cast<std::uint64_t>(label) >= classes) {
            throw ValueError(fmt::format("accuracy: label {} of sample {} is outside [0, {}): there are {} classes",
                                         label, i, classes, classes));
        }
        const T* row = logits.data() + i * classes;
        right += std::max_element(row, row + classes) - row == label ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(samples);
}

#define XTAPE_INSTANTIATE(T)                                                           \
    template Tensor<T> mse_loss(const Tensor<T>&, const Tensor<T>&, LossOptions);      \
    template Tensor<T> cross_entropy(const Tensor<T>&, const Labels&, LossOptions);    \
    template Tensor<T> cross_entropy(const Tensor<T>&, const Tensor<T>&, LossOptions); \
    template double accuracy(const Tensor<T>&, const Labels&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
