#pragma once

#include <memory>

#include <xtape/nn/module.hpp>

namespace xtape::nn {

/// Activation functions without settings, or with PyTorch's usual ones: leaky_relu's slope is 0.01, elu's alpha is 1.
enum class Activation { identity, relu, tanh, sigmoid, gelu, silu, leaky_relu, elu, softplus, log_sigmoid };

/// The activation function by its name.
template <class T>
[[nodiscard]] Tensor<T> activate(const Tensor<T>& x, Activation activation);

/// The module that applies an activation.
template <class T>
[[nodiscard]] std::unique_ptr<Module<T>> activation_module(Activation activation);

/// An activation as a module.
template <class T, Activation activation>
class ActivationModule : public Module<T> {
public:
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override { return activate(x, activation); }
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<ActivationModule>());
    }
};

template <class T = float>
using Identity = ActivationModule<T, Activation::identity>;
template <class T = float>
using ReLU = ActivationModule<T, Activation::relu>;
template <class T = float>
using Tanh = ActivationModule<T, Activation::tanh>;
template <class T = float>
using Sigmoid = ActivationModule<T, Activation::sigmoid>;
template <class T = float>
using GELU = ActivationModule<T, Activation::gelu>;
template <class T = float>
using SiLU = ActivationModule<T, Activation::silu>;
template <class T = float>
using Softplus = ActivationModule<T, Activation::softplus>;
template <class T = float>
using LogSigmoid = ActivationModule<T, Activation::log_sigmoid>;

/// x above 0 and slope x below.
template <class T = float>
class LeakyReLU : public Module<T> {
public:
    explicit LeakyReLU(double slope = 0.01) : slope_(slope) {}
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<LeakyReLU>(slope_));
    }
    [[nodiscard]] double slope() const noexcept { return slope_; }

private:
    double slope_;
};

/// x above 0 and alpha (eˣ - 1) below.
template <class T = float>
class ELU : public Module<T> {
public:
    explicit ELU(double alpha = 1.0) : alpha_(alpha) {}
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<ELU>(alpha_));
    }
    [[nodiscard]] double alpha() const noexcept { return alpha_; }

private:
    double alpha_;
};

/// softmax along an axis.
template <class T = float>
class Softmax : public Module<T> {
public:
    explicit Softmax(std::ptrdiff_t axis = -1) : axis_(axis) {}
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<Softmax>(axis_));
    }
    [[nodiscard]] std::ptrdiff_t axis() const noexcept { return axis_; }

private:
    std::ptrdiff_t axis_;
};

}  // namespace xtape::nn
