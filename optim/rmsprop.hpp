#pragma once

#include <xtape/optim/elementwise_optimizer.hpp>

namespace xtape::optim {

/// PyTorch's option names and defaults.
struct RMSpropOptions {
    double lr = 1e-2;         ///< η, the learning rate: not negative
    double eps = 1e-8;        ///< added to the root in the denominator: not negative
    double weight_decay = 0;  ///< λ of an L2 penalty λ/2 |θ|²: not negative
    double alpha = 0.99;      ///< how slowly the averages forget: not negative
    double momentum = 0;      ///< μ: not negative; 0 is no velocity
    bool centered = false;    ///< divide by the standard deviation instead of the root of the mean square
    bool maximize = false;    ///< climb: the gradient counts with the other sign

    /// Throws ValueError naming the option, its value, and what is allowed.
    void check() const;
};

/// T. Tieleman and G. Hinton's RMSprop ("Neural networks for machine learning", lecture 6.5, 2012; centred: A. Graves,
/// arXiv:1308.0850) by PyTorch's rule, with g including the penalty's λ θ:
///
///     s = α s + (1 - α) g²,  d = √s + ε, or if centered  m = α m + (1 - α) g,  d = √(s - m²) + ε
///     θ -= η g / d, or with momentum  v = μ v + g / d,  θ -= η v
///
/// Where rounding makes s - m² negative, as it does with gradients that don't change, it counts as 0: PyTorch gives
/// NaN there.
template <class T = float>
class RMSprop : public ElementwiseOptimizer<T, RMSpropOptions> {
public:
    /// Throws as Optimizer::add_group.
    explicit RMSprop(std::vector<Tensor<T>> parameters, RMSpropOptions options = {});
};

extern template class Optimizer<float, RMSpropOptions>;
extern template class Optimizer<double, RMSpropOptions>;
extern template class ElementwiseOptimizer<float, RMSpropOptions>;
extern template class ElementwiseOptimizer<double, RMSpropOptions>;
extern template class RMSprop<float>;
extern template class RMSprop<double>;

}  // namespace xtape::optim
