#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <vector>

#include <xtape/nn/module.hpp>

namespace xtape::nn {

struct LinearOptions {
    bool bias = true;
};

/// y = x Wᵀ + b, for x (..., in). Weight [out, in] and bias [out] start as PyTorch's do: evenly from ±1/√in.
template <class T = float>
class Linear : public Module<T> {
public:
    /// Throws ValueError for an extent of 0.
    Linear(std::size_t in_features, std::size_t out_features, LinearOptions options = {});

    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::vector<Member<T>> members() override { return {{"weight", weight_}, {"bias", bias_}}; }
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

    [[nodiscard]] const Tensor<T>& weight() const noexcept { return weight_; }
    /// Empty without a bias.
    [[nodiscard]] const Tensor<T>& bias() const noexcept { return bias_; }

private:
    Linear(Tensor<T> weight, Tensor<T> bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}

    Tensor<T> weight_;
    Tensor<T> bias_;
};

enum class Activation { identity, relu, tanh, sigmoid };

/// The activation function by its name.
template <class T>
[[nodiscard]] Tensor<T> activate(const Tensor<T>& x, Activation activation);

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

/// softmax along an axis.
template <class T = float>
class Softmax : public Module<T> {
public:
    explicit Softmax(std::ptrdiff_t axis = -1) : axis_(axis) {}
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<Softmax>(axis_));
    }

private:
    std::ptrdiff_t axis_;
};

/// (n, a, b, ...) to (n, a b ...).
template <class T = float>
class Flatten : public Module<T> {
public:
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<Flatten>());
    }
};

/// Modules applied one after the other, named by their places: "0", "1", ... It owns them.
template <class T = float>
class Sequential : public Module<T> {
public:
    template <std::derived_from<Module<T>>... Modules>
    explicit Sequential(Modules... modules) {
        (append(std::make_unique<Modules>(std::move(modules))), ...);
    }
    void append(std::unique_ptr<Module<T>> module) { modules_.push_back(std::move(module)); }

    /// A ShapeError from a module is thrown on with the module's name.
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::vector<Member<T>> members() override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

    [[nodiscard]] std::size_t size() const noexcept { return modules_.size(); }
    [[nodiscard]] Module<T>& operator[](std::size_t i) { return *modules_.at(i); }

protected:
    /// A clone of each module, appended to `copy`.
    void clone_modules_into(Sequential& copy) const;

private:
    std::vector<std::unique_ptr<Module<T>>> modules_;
};

/// A multilayer perceptron: Linear layers of the given widths with an activation after each but the last. Parameters
/// are named as in the Sequential that it is: 0.weight, 0.bias, 2.weight, ... Throws ValueError for less than two
/// widths.
template <class T = float>
class MLP : public Sequential<T> {
public:
    explicit MLP(const std::vector<std::size_t>& widths, Activation activation = Activation::relu,
                 LinearOptions options = {});
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;

private:
    MLP() = default;
};

}  // namespace xtape::nn
