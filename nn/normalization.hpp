#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <xtape/nn/module.hpp>

namespace xtape::nn {

/// (x - mean) / √(variance + eps) · weight + bias, fused, with mean and variance (of all there is, not the unbiased
/// one) over the last axes, whose extents are `normalized_shape`; weight and bias are of that shape, or empty for none.
/// Throws ShapeError. Ba, Kiros and Hinton, "Layer normalization", 2016.
template <class T>
[[nodiscard]] Tensor<T> layer_norm(const Tensor<T>& x, const Shape& normalized_shape, const Tensor<T>& weight = {},
                                   const Tensor<T>& bias = {}, double eps = 1e-5);

struct LayerNormOptions {
    double eps = 1e-5;
    bool elementwise_affine = true;  ///< weight (ones at first) and bias (zeros)
};

/// layer_norm over the last axes, with a weight and a bias of their shape.
template <class T = float>
class LayerNorm : public Module<T> {
public:
    /// `normalized_shape` is one extent, or several in braces. Throws ValueError for none, or one that is 0, and for a
    /// negative eps.
    explicit LayerNorm(Shape normalized_shape, LayerNormOptions options = {});

    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::vector<Member<T>> members() override { return {{"weight", weight_}, {"bias", bias_}}; }
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

    [[nodiscard]] const Shape& normalized_shape() const noexcept { return normalized_shape_; }
    [[nodiscard]] const LayerNormOptions& options() const noexcept { return options_; }
    /// Empty unless affine, as is the bias.
    [[nodiscard]] const Tensor<T>& weight() const noexcept { return weight_; }
    [[nodiscard]] const Tensor<T>& bias() const noexcept { return bias_; }

private:
    Shape normalized_shape_;
    LayerNormOptions options_;
    Tensor<T> weight_;
    Tensor<T> bias_;
};

struct BatchNormOptions {
    double eps = 1e-5;
    std::optional<double> momentum = 0.1;  ///< of the new statistics in the running ones; none: plain averages
    bool affine = true;                    ///< weight (ones at first) and bias (zeros)
    bool track_running_stats = true;       ///< else evaluation takes the batch's statistics too
};

/// (x - mean) / √(variance + eps) · weight + bias for each feature of x (n, features) or (n, features, length). In
/// training, mean and variance are the batch's, and the running ones, which take the unbiased variance, follow; in
/// evaluation they are the running ones. Ioffe and Szegedy, "Batch normalization", ICML 2015.
template <class T = float>
class BatchNorm1d : public Module<T> {
public:
    /// Throws ValueError for no features, a negative eps, or a momentum outside [0, 1].
    explicit BatchNorm1d(std::size_t features, BatchNormOptions options = {});

    /// Throws ShapeError for another shape, and in training for one value a feature, which has no variance.
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::vector<Member<T>> members() override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

    [[nodiscard]] const BatchNormOptions& options() const noexcept { return options_; }
    /// Empty unless affine, as is the bias.
    [[nodiscard]] const Tensor<T>& weight() const noexcept { return weight_; }
    [[nodiscard]] const Tensor<T>& bias() const noexcept { return bias_; }
    /// Empty unless tracked, as is the variance.
    [[nodiscard]] const Tensor<T>& running_mean() const noexcept { return running_mean_; }
    [[nodiscard]] const Tensor<T>& running_var() const noexcept { return running_var_; }
    [[nodiscard]] std::int64_t num_batches_tracked() const noexcept { return num_batches_tracked_; }

private:
    void track(const Tensor<T>& mean, const Tensor<T>& variance, std::size_t count);

    std::size_t features_;
    BatchNormOptions options_;
    Tensor<T> weight_;
    Tensor<T> bias_;
    Tensor<T> running_mean_;
    Tensor<T> running_var_;
    std::int64_t num_batches_tracked_ = 0;
};

}  // namespace xtape::nn
