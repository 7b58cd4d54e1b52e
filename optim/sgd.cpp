#include <xtape/optim/sgd.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/optim/optimizer_impl.hpp>

namespace xtape::optim {

void SGDOptions::check() const {
    check_not_negative("SGD", "lr", lr);
    check_not_negative("SGD", "momentum", momentum);
    check_not_negative("SGD", "weight_decay", weight_decay);
    if (!std::isfinite(dampening)) {
        throw ValueError(fmt::format("SGD: dampening is {}; it must be finite", dampening));
    }
    if (nesterov && (momentum == 0 || dampening != 0)) {
        throw ValueError(fmt::format("SGD: nesterov needs momentum above 0 and dampening 0; they are {} and {}",
                                     momentum, dampening));
    }
}

template <class T>
SGD<T>::SGD(std::vector<Tensor<T>> parameters, SGDOptions options) {
    this->add_group(std::move(parameters), options);
}

template <class T>
void SGD<T>::step() {
    for (const auto& group : this->groups_) {
        group.options.check();
    }
    velocities_.resize(this->groups_.size());
    for (std::size_t g = 0; g < this->groups_.size(); ++g) {
        const auto& [parameters, options] = this->groups_[g];
        velocities_[g].resize(parameters.size());
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            if (!parameters[i].has_grad()) {
                continue;
            }
            const Tensor<T> gradient = parameters[i].grad();
            T* target = begin_overwrite(
                parameters[i], true);  // first: should it throw, there is no velocity yet that was never written
            Tensor<T>& velocity = velocities_[g][i];
            const bool first = !velocity;
            if (options.momentum != 0 && first) {
                velocity = Tensor<T>::uninitialized(gradient.shape());
            }
            T* v = options.momentum != 0 ? begin_overwrite(velocity, !first) : nullptr;
            const auto update = kernels::active<T>().update.sgd;
            const kernels::SgdStep step{.lr = options.lr,
                                        .momentum = options.momentum,
                                        .dampening = options.dampening,
                                        .weight_decay = options.weight_decay,
                                        .nesterov = options.nesterov,
                                        .first = first};
            parallel::for_ranges(gradient.size(), 1, [=, g = gradient.data()](std::size_t from, std::size_t to) {
                update(target + from, v == nullptr ? v : v + from, g + from, to - from, step);
            });
        }
    }
}

template class Optimizer<float, SGDOptions>;
template class Optimizer<double, SGDOptions>;
template class SGD<float>;
template class SGD<double>;

}  // namespace xtape::optim
