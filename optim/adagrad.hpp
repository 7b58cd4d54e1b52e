#pragma once

#include <xtape/optim/elementwise_optimizer.hpp>

namespace xtape::optim {

/// PyTorch's option names and defaults.
struct AdagradOptions {
    double lr = 1e-2;                      ///< η, the learning rate: not negative
    double eps = 1e-10;                    ///< added to the root in the denominator: not negative
    double weight_decay = 0;               ///< λ of an L2 penalty λ/2 |θ|²: not negative
    double lr_decay = 0;                   ///< δ, how the learning rate falls with the steps: not negative
    double initial_accumulator_value = 0;  ///< the sum of squares before the first step: not negative
    bool maximize = false;                 ///< climb: the gradient counts with the other sign

    /// Throws ValueError naming the option, its value, and what is allowed.
    void check() const;
};

/// J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and stochastic optimization"
/// (2011), by PyTorch's rule, with g including the penalty's λ θ, at a parameter's t-th step with a gradient:
///
///     s += g²,  θ -= η / (1 + (t - 1) δ) · g / (√s + ε)
template <class T = float>
class Adagrad : public ElementwiseOptimizer<T, AdagradOptions> {
public:
    /// Throws as Optimizer::add_group.
    explicit Adagrad(std::vector<Tensor<T>> parameters, AdagradOptions options = {});
};

extern template class Optimizer<float, AdagradOptions>;
extern template class Optimizer<double, AdagradOptions>;
extern template class ElementwiseOptimizer<float, AdagradOptions>;
extern template class ElementwiseOptimizer<double, AdagradOptions>;
extern template class Adagrad<float>;
extern template class Adagrad<double>;

}  // namespace xtape::optim
