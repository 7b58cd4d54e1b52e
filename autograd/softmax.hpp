#pragma once

#include <algorithm>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// exp(x) / Σ exp(x) along an axis. Exact and finite at any finite x.
template <class T>
[[nodiscard]] Tensor<T> softmax(const Tensor<T>& x, std::ptrdiff_t axis = -1);

/// x - log Σ exp(x) along an axis. Exact and finite at any finite x.
template <class T>
[[nodiscard]] Tensor<T> log_softmax(const Tensor<T>& x, std::ptrdiff_t axis = -1);

/// log Σ exp(x) along the last axis, which goes. What `logsumexp` stands on.
template <class T>
[[nodiscard]] Tensor<T> logsumexp_rows(const Tensor<T>& x);

/// Class labels, in memory of the pool; checked against the number of classes by the op that takes them.
class Labels {
public:
    /// From an xtensor expression of integers, one label a sample.
    template <XtensorExpression E>
    requires std::integral<typename E::value_type>
    explicit Labels(const E& labels)
        : shape_(labels.shape()), storage_(Storage::allocate(element_count(shape_) * sizeof(std::int64_t))) {
        std::copy(labels.begin(), labels.end(), data());
    }
    [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
    [[nodiscard]] std::int64_t* data() const noexcept { return static_cast<std::int64_t*>(storage_->data()); }

private:
    Shape shape_;
    Ref<Storage> storage_;
};

/// (samples, classes), 1 at each sample's label and 0 elsewhere. Throws ValueError for a label outside [0, classes).
template <class T = float>
[[nodiscard]] Tensor<T> one_hot(const Labels& labels, std::size_t classes);

/// The cross entropy of each row of `logits` (samples, classes) with its label or its row of target probabilities,
/// fused: -log softmax(logits)[label], or -Σ target log softmax(logits). The result has one element a sample. Throws
/// ShapeError where the shapes don't match, ValueError for a label outside [0, classes).
template <class T>
[[nodiscard]] Tensor<T> softmax_cross_entropy(const Tensor<T>& logits, const Labels& labels);
template <class T>
[[nodiscard]] Tensor<T> softmax_cross_entropy(const Tensor<T>& logits, const Tensor<T>& targets);

}  // namespace xtape
