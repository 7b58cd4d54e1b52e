#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <xtape/autograd/products.hpp>
#include <xtape/nn/activations.hpp>

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

/// Joins the axes from `start` on, which counts from the end if negative: (n, a, b, ...) to (n, a b ...).
template <class T = float>
class Flatten : public Module<T> {
public:
    explicit Flatten(std::ptrdiff_t start = 1) : start_(start) {}
    /// Throws ShapeError where there is no axis `start`; one past the last is made, with extent 1.
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override {
        return this->in_same_mode(std::make_unique<Flatten>(start_));
    }
    [[nodiscard]] std::ptrdiff_t start() const noexcept { return start_; }

private:
    std::ptrdiff_t start_;
};

struct DropoutOptions {
    std::optional<std::uint64_t> seed = {};  ///< of masks of this module's own; else they follow random::seed
};

/// In training, each element is 0 with probability p and x / (1 - p) else, so that the mean stays; in evaluation, x
/// itself. Each forward draws the next mask: after `random::seed`, or with a seed of the module's own, they come again
/// in the same order. How many it has drawn of its own is a buffer for training, "masks_drawn". Srivastava, Hinton,
/// Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks from overfitting", JMLR
/// 2014.
template <class T = float>
class Dropout : public Module<T> {
public:
    /// Throws ValueError for p outside [0, 1].
    explicit Dropout(double p = 0.5, DropoutOptions options = {});
    [[nodiscard]] Tensor<T> forward(const Tensor<T>& x) override;
    [[nodiscard]] std::vector<Member<T>> members() override;
    /// The clone goes on in the sequence of masks where this module is.
    [[nodiscard]] std::unique_ptr<Module<T>> clone() override;
    [[nodiscard]] double p() const noexcept { return p_; }

private:
    double p_;
    DropoutOptions options_;
    std::int64_t masks_drawn_ = 0;
};

/// Modules applied one after the other, named by their places: "0", "1", ... It owns them.
template <class T = float>
class Sequential : public Module<T> {
public:
    template <std::derived_from<Module<T>>... Modules>
    explicit Sequential(Modules... modules) {
        (append(std::make_unique<Modules>(std::move(modules))), ...);
    }
    void append(std::unique_ptr<Module<T>> module);

    /// A Linear and the ReLU, Tanh or Sigmoid after it are one op, unless either has hooks. A ShapeError from a module
    /// is thrown on with the module's name.
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
    std::vector<LinearEnd> ends_;  // what a module adds to the Linear before it, if they are to be one op
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
