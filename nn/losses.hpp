#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include <xtape/autograd/softmax.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape::nn {

/// What becomes of the losses: their mean, their sum, nothing, or their sum over the number of samples, shape()[0].
enum class Reduction { mean, sum, none, batchmean };

/// Constant weights of a loss, from a tensor or an xtensor expression of floating numbers, or in braces. Unset, and
/// then of no effect, unless given.
class LossWeight {
public:
    LossWeight() = default;
    template <class T>
    LossWeight(const Tensor<T>& values) : values_(values.detach().template cast<double>()) {}
    template <XtensorExpression E>
    LossWeight(const E& values) : values_(Tensor<double>(values)) {}
    LossWeight(std::initializer_list<double> values);

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(values_); }
    [[nodiscard]] const Tensor<double>& values() const noexcept { return values_; }

private:
    Tensor<double> values_;
};

struct LossOptions {
    Reduction reduction = Reduction::mean;  ///< of the elements' losses
};

struct HuberOptions {
    Reduction reduction = Reduction::mean;
    double delta = 1.0;  ///< where the square becomes a line; positive and finite
};

struct CrossEntropyOptions {
    Reduction reduction = Reduction::mean;          ///< of the samples' losses; see cross_entropy
    LossWeight weight = {};                         ///< (classes,): one a class
    double label_smoothing = 0.0;                   ///< in [0, 1]: the share of each target spread over all classes
    std::optional<std::int64_t> ignore_index = {};  ///< the label of samples to leave out
};

struct NllOptions {
    Reduction reduction = Reduction::mean;
    LossWeight weight = {};
    std::optional<std::int64_t> ignore_index = {};
};

struct BinaryCrossEntropyOptions {
    Reduction reduction = Reduction::mean;
    LossWeight weight = {};  ///< of the elements' losses; broadcast to them
};

struct BinaryCrossEntropyWithLogitsOptions {
    Reduction reduction = Reduction::mean;
    LossWeight weight = {};      ///< of the elements' losses; broadcast to them
    LossWeight pos_weight = {};  ///< of the positive part alone; likewise
};

struct KlDivOptions {
    Reduction reduction = Reduction::mean;
    bool log_target = false;  ///< the target holds logarithms
};

// Losses of a prediction and a target of the same shape (ShapeError, since broadcasting here is nearly always a
// mistake). The target is a tensor, differentiated too, or an xtensor expression.

/// (prediction - target)²
template <class T>
[[nodiscard]] Tensor<T> mse_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> mse_loss(const Tensor<T>& prediction, const E& target, LossOptions options = {}) {
    return mse_loss(prediction, Tensor<T>(target), options);
}

/// |prediction - target|
template <class T>
[[nodiscard]] Tensor<T> l1_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> l1_loss(const Tensor<T>& prediction, const E& target, LossOptions options = {}) {
    return l1_loss(prediction, Tensor<T>(target), options);
}

/// With d = prediction - target: d² / 2 where |d| <= delta, else delta (|d| - delta / 2). Throws ValueError unless
/// delta is positive. Huber, "Robust estimation of a location parameter", 1964.
template <class T>
[[nodiscard]] Tensor<T> huber_loss(const Tensor<T>& prediction, const Tensor<T>& target, HuberOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> huber_loss(const Tensor<T>& prediction, const E& target, HuberOptions options = {}) {
    return huber_loss(prediction, Tensor<T>(target), options);
}

/// -(t log p + (1 - t) log(1 - p)) of probabilities p, each logarithm no less than -100, so that it stays finite; the
/// gradient by p has its denominator p (1 - p) kept at 1e-12 or more. Both as PyTorch does. Throws ValueError for p
/// outside [0, 1].
template <class T>
[[nodiscard]] Tensor<T> binary_cross_entropy(const Tensor<T>& probabilities, const Tensor<T>& target,
                                             const BinaryCrossEntropyOptions& options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> binary_cross_entropy(const Tensor<T>& probabilities, const E& target,
                                             const BinaryCrossEntropyOptions& options = {}) {
    return binary_cross_entropy(probabilities, Tensor<T>(target), options);
}

/// The same of p = sigmoid(logits), exact and finite however large they are; `pos_weight` is a factor of t log p.
template <class T>
[[nodiscard]] Tensor<T> binary_cross_entropy_with_logits(const Tensor<T>& logits, const Tensor<T>& target,
                                                         const BinaryCrossEntropyWithLogitsOptions& options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> binary_cross_entropy_with_logits(const Tensor<T>& logits, const E& target,
                                                         const BinaryCrossEntropyWithLogitsOptions& options = {}) {
    return binary_cross_entropy_with_logits(logits, Tensor<T>(target), options);
}

/// t (log t - q) for logarithms q of probabilities and probabilities t (log_target: their logarithms); 0 where t is 0.
/// Elements are averaged by default; Reduction::batchmean gives the divergence itself, averaged over samples.
template <class T>
[[nodiscard]] Tensor<T> kl_div(const Tensor<T>& log_probabilities, const Tensor<T>& target, KlDivOptions options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> kl_div(const Tensor<T>& log_probabilities, const E& target, KlDivOptions options = {}) {
    return kl_div(log_probabilities, Tensor<T>(target), options);
}

// Losses of samples that belong to classes. Throw ShapeError where shapes don't match, ValueError for a label outside
// [0, classes).

/// The cross entropy of softmax(logits), logits (samples, classes), with integer labels (samples,) or with
/// probabilities (samples, classes), one-hot or any.
///
/// As in PyTorch, `weight` is a factor of each class's part of the target, and with labels the mean is the sum over the
/// weights of the labels; with label smoothing e, a target t becomes (1 - e) t + e / classes. Samples labelled
/// `ignore_index` have no loss, no gradient and no share in the mean; the mean of none is NaN, with gradient 0.
template <class T>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const Labels& labels,
                                      const CrossEntropyOptions& options = {});
template <class T>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const Tensor<T>& probabilities,
                                      const CrossEntropyOptions& options = {});
template <class T, XtensorExpression E>
[[nodiscard]] Tensor<T> cross_entropy(const Tensor<T>& logits, const E& target,
                                      const CrossEntropyOptions& options = {}) {
    if constexpr (std::integral<typename E::value_type>) {
        return cross_entropy(logits, Labels(target), options);
    } else {
        return cross_entropy(logits, Tensor<T>(target), options);
    }
}

/// -log_probabilities[sample, label]: what cross_entropy is of log_softmax. Weights, mean and ignore_index as there.
template <class T>
[[nodiscard]] Tensor<T> nll_loss(const Tensor<T>& log_probabilities, const Labels& labels,
                                 const NllOptions& options = {});
template <class T, XtensorExpression E>
requires std::integral<typename E::value_type>
[[nodiscard]] Tensor<T> nll_loss(const Tensor<T>& log_probabilities, const E& labels, const NllOptions& options = {}) {
    return nll_loss(log_probabilities, Labels(labels), options);
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
