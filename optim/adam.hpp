#pragma once

#include <array>

#include <xtape/optim/elementwise_optimizer.hpp>

namespace xtape::optim {

/// PyTorch's option names and defaults.
struct AdamOptions {
    double lr = 1e-3;                            ///< η, the learning rate: not negative
    std::array<double, 2> betas = {0.9, 0.999};  ///< how slowly the averages of g and of g² forget: each in [0, 1)
    double eps = 1e-8;                           ///< added to the root in the denominator: not negative
    double weight_decay = 0;                     ///< λ of an L2 penalty λ/2 |θ|²: not negative
    bool amsgrad = false;                        ///< divide by the largest average of g² so far
    bool maximize = false;                       ///< climb: the gradient counts with the other sign

    /// Throws ValueError naming the option, its value, and what is allowed.
    void check() const;
};

/// The same, but for what weight_decay does and is at first.
struct AdamWOptions {
    double lr = 1e-3;
    std::array<double, 2> betas = {0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 1e-2;  ///< λ: before each step θ is multiplied by 1 - η λ; not negative
    bool amsgrad = false;
    bool maximize = false;

    void check() const;
};

/// D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015), by PyTorch's rule, with g including the
/// penalty's λ θ:
///
///     m = β₁ m + (1 - β₁) g,  v = β₂ v + (1 - β₂) g²,  θ -= η / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)
///
/// at a parameter's t-th step with a gradient. With amsgrad v gives way to the largest v so far (S. J. Reddi, S. Kale
/// and S. Kumar, "On the convergence of Adam and beyond", 2018).
template <class T = float>
class Adam : public ElementwiseOptimizer<T, AdamOptions> {
public:
    /// Throws as Optimizer::add_group.
    explicit Adam(std::vector<Tensor<T>> parameters, AdamOptions options = {});
};

/// Adam with decoupled weight decay, by PyTorch's rule: I. Loshchilov and F. Hutter, "Decoupled weight decay
/// regularization" (2019).
template <class T = float>
class AdamW : public ElementwiseOptimizer<T, AdamWOptions> {
public:
    /// Throws as Optimizer::add_group.
    explicit AdamW(std::vector<Tensor<T>> parameters, AdamWOptions options = {});
};

extern template class Optimizer<float, AdamOptions>;
extern template class Optimizer<double, AdamOptions>;
extern template class ElementwiseOptimizer<float, AdamOptions>;
extern template class ElementwiseOptimizer<double, AdamOptions>;
extern template class Adam<float>;
extern template class Adam<double>;
extern template class Optimizer<float, AdamWOptions>;
extern template class Optimizer<double, AdamWOptions>;
extern template class ElementwiseOptimizer<float, AdamWOptions>;
extern template class ElementwiseOptimizer<double, AdamWOptions>;
extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace xtape::optim
