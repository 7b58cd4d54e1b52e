#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <vector>

#include <xtape/autograd/softmax.hpp>
#include <xtape/nn/module.hpp>

namespace xtape::nn {

/// Row i of `weight` (count, dim) for each index i: indices of shape (...) become (..., dim). Throws ShapeError for a
/// weight of other than two axes, ValueError for an index outside [0, count).
template <class T>
[[nodiscard]] Tensor<T> embedding(const Labels& indices, const Tensor<T>& weight);
template <class T, XtensorExpression E>
requires std::integral<typename E::value_type>
[[nodiscard]] Tensor<T> embedding(const E& indices, const Tensor<T>& weight) {
    return embedding(Labels(indices), weight);
}

/// Row i of the weight for each index i: indices of shape (...) become (..., dim). The weight [count, dim] starts from
/// the standard normal distribution.
template <class T = float>
class Embedding : public Module<T> {
public:
    /// Throws ValueError for an extent of 0.
    Embedding(std::size_t count, std::size_t dim);

    /// Indices as floating numbers, as a Sequential hands them over. Throws ValueError for one that is no integer or
    /// outside [0, count).
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& indices) override;
    /// Indices of any integer type.
    template <XtensorExpression E>
    requires std::integral<typename E::value_type>
    [[nodiscard]] Tensor<T> forward(const E& indices) { return embedding(indices, weight_); }
    template <XtensorExpression E>
    requires std::integral<typename E::value_type>
    [[nodiscard]] Tensor<T> operator()(const E& indices) { return embedding(indices, weight_); }
    using Module<T>::operator();

    [[nodiscard]] std::vector<Member<T>> members() override { return {{"weight", weight_}}; }
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

    [[nodiscard]] const Tensor<T>& weight() const noexcept { return weight_; }

private:
    explicit Embedding(Tensor<T> weight) : weight_(std::move(weight)) {}

    Tensor<T> weight_;
};

}  // namespace xtape::nn
