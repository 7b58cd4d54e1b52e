#pragma once

#include <concepts>

#include <xtape/autograd/softmax.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape::nn {

enum class Reduction { mean, sum, none };

struct LossOptions {
    Reduction reduction = Reduction::mean;  ///< of the samples' losses; for mse_loss, of the elements'
};

/// (prediction - target)², averaged over all elements; shapes must be equal (ShapeError), since broadcasting here is
/// nearly always a mistake.
template <class T>
[[nodiscard]] Tensor<T> mse_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> mse_loss(const Tensor<T>& prediction, const E& target, LossOptions options = {}) {
    return mse_loss(prediction, Tensor<T>(target), options);
}

/// The cross entropy of softmax(logits), logits (samples, classes), with integer labels (samples,) or with
/// probabilities (samples, classes), one-hot or any. Throws ShapeError where shapes don't match, ValueError for a label
/// outside [0, classes).
template <class T>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const Labels& labels, LossOptions options = {});
template <class T>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const Tensor<T>& probabilities,
                                      LossOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const E& target, LossOptions options = {}) {
    if constexpr (std::integral<typename E::value_type>) {
        return cross_entropy(logits, Labels(target), options);
    } else {
        return cross_entropy(logits, Tensor<T>(target), options);
    }
}

/// (samples, classes), 1 at each sample's label and 0 elsewhere. Throws ValueError for a label outside [0, classes).
template <class T = float, XtensorExpression E>
[[nodiscard]] Tensor<T> one_hot(const E& labels, std::size_t classes) {
    return xtape::one_hot<T>(Labels(labels), classes);
}

/// The share of samples whose largest logit is at their label; NaN for no samples. Throws ShapeError unless logits are
/// (samples, classes) and labels (samples,), ValueError for a label outside [0, classes).
template <class T>
[[nodiscard]] double accuracy(const Tensor<T>& logits, const Labels& labels);
template <class T, XtensorExpression E>
[[nodiscard]] double accuracy(const Tensor<T>& logits, const E& labels) {
    return accuracy(logits, Labels(labels));
}

}  // namespace xtape::nn
