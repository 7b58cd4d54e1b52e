#pragma once

#include <xtape/optim/elementwise_optimizer.hpp>

namespace xtape::optim {

/// PyTorch's option names and defaults.
struct SGDOptions {
    double lr = 1e-3;         ///< η, the learning rate: not negative
    double momentum = 0;      ///< α: not negative; 0 is plain gradient descent
    double dampening = 0;     ///< what a gradient loses on its way into the velocity
    double weight_decay = 0;  ///< λ of an L2 penalty λ/2 |θ|²: not negative
    bool nesterov = false;    ///< look ahead; needs momentum and no dampening
    bool maximize = false;    ///< climb: the gradient counts with the other sign

    /// Throws ValueError naming the option, its value, and what is allowed.
    void check() const;
};

/// Stochastic gradient descent with momentum, by PyTorch's rule: v = α v + (1 - dampening) g, except v = g on a
/// parameter's first step; θ -= η v. At constant η without dampening this is Δθ = α Δθ - η ∇.
template <class T = float>
class SGD : public ElementwiseOptimizer<T, SGDOptions> {
public:
    /// Throws as Optimizer::add_group.
    explicit SGD(std::vector<Tensor<T>> parameters, SGDOptions options = {});
};

extern template class Optimizer<float, SGDOptions>;
extern template class Optimizer<double, SGDOptions>;
extern template class ElementwiseOptimizer<float, SGDOptions>;
extern template class ElementwiseOptimizer<double, SGDOptions>;
extern template class SGD<float>;
extern template class SGD<double>;

}  // namespace xtape::optim
