#include <xtape/autograd/kernels/folds.hpp>
#include <xtape/autograd/kernels/kernels.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

/// What a step takes for the gradient: its sign turned where the objective is to grow, and the L2 penalty's added.
template <class T>
class Gradient {
public:
    Gradient(bool maximize, double weight_decay)
        : decay_(static_cast<T>(weight_decay)), decays_(weight_decay != 0), maximize_(maximize) {}

    Lane<T> operator()(Lane<T> gradient, Lane<T> theta) const {
        const Lane<T> g = maximize_ ? -gradient : gradient;
        return decays_ ? g + decay_ * theta : g;
    }

private:
    Lane<T> decay_;
    bool decays_;
    bool maximize_;
};

template <class T>
void sgd(T* theta, T* velocity, const T* gradient, size_t n, kernels::SgdStep step) {
    const Lane<T> lr(static_cast<T>(step.lr));
    const Gradient<T> gradient_of(step.maximize, step.weight_decay);
    if (velocity == nullptr) {
        for_each_lane<T>(n, [=](auto load, auto store) {
            const Lane<T> before = load(theta);
            store(before - lr * gradient_of(load(gradient), before), theta);
        });
        return;
    }
    const Lane<T> momentum(static_cast<T>(step.momentum));
    const Lane<T> taken(static_cast<T>(step.first ? 1.0 : 1.0 - step.dampening));
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> before = load(theta);
        const Lane<T> g = gradient_of(load(gradient), before);
        const Lane<T> v = step.first ? g : momentum * load(velocity) + taken * g;
        store(v, velocity);
        store(before - lr * (step.nesterov ? g + momentum * v : v), theta);
    });
}

template <class T>
void adam(T* theta, T* average, T* square_average, T* largest, const T* gradient, size_t n, kernels::AdamStep step) {
    const Gradient<T> gradient_of(step.maximize, step.weight_decay);
    const Lane<T> shrink(static_cast<T>(step.shrink));
    const Lane<T> beta1(static_cast<T>(step.beta1));
    const Lane<T> beta2(static_cast<T>(step.beta2));
    const Lane<T> taken(static_cast<T>(1 - step.beta1));
    const Lane<T> square_taken(static_cast<T>(1 - step.beta2));
    const Lane<T> step_size(static_cast<T>(step.step_size));
    const Lane<T> root_scale(static_cast<T>(step.root_scale));
    const Lane<T> eps(static_cast<T>(step.eps));
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> before = shrink * load(theta);
        const Lane<T> g = gradient_of(load(gradient), before);
        const Lane<T> m = beta1 * load(average) + taken * g;
        store(m, average);
        Lane<T> v = beta2 * load(square_average) + square_taken * g * g;
        store(v, square_average);
        if (largest != nullptr) {
            v = Largest::combine(v, load(largest));
            store(v, largest);
        }
        store(before - step_size * m / (sqrt(v) * root_scale + eps), theta);
    });
}

template <class T>
void rmsprop(T* theta, T* square_average, T* velocity, T* average, const T* gradient, size_t n,
             kernels::RmspropStep step) {
    const Gradient<T> gradient_of(step.maximize, step.weight_decay);
    const Lane<T> lr(static_cast<T>(step.lr));
    const Lane<T> alpha(static_cast<T>(step.alpha));
    const Lane<T> taken(static_cast<T>(1 - step.alpha));
    const Lane<T> momentum(static_cast<T>(step.momentum));
    const Lane<T> eps(static_cast<T>(step.eps));
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> before = load(theta);
        const Lane<T> g = gradient_of(load(gradient), before);
        Lane<T> spread = alpha * load(square_average) + taken * g * g;
        store(spread, square_average);
        if (average != nullptr) {
            const Lane<T> mean = alpha * load(average) + taken * g;
            store(mean, average);
            // Of gradients that don't change nothing is left but rounding, which may be negative.
            spread = Largest::combine(spread - mean * mean, Lane<T>(T(0)));
        }
        const Lane<T> scale = sqrt(spread) + eps;
        if (velocity != nullptr) {
            const Lane<T> v = momentum * load(velocity) + g / scale;
            store(v, velocity);
            store(before - lr * v, theta);
        } else {
            store(before - lr * g / scale, theta);
        }
    });
}

template <class T>
void adagrad(T* theta, T* square_sum, const T* gradient, size_t n, kernels::AdagradStep step) {
    const Gradient<T> gradient_of(step.maximize, step.weight_decay);
    const Lane<T> lr(static_cast<T>(step.lr));
    const Lane<T> eps(static_cast<T>(step.eps));
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> before = load(theta);
        const Lane<T> g = gradient_of(load(gradient), before);
        const Lane<T> sum = load(square_sum) + g * g;
        store(sum, square_sum);
        store(before - lr * g / (sqrt(sum) + eps), theta);
    });
}

}  // namespace

template <class T>
kernels::UpdateKernels<T> update_kernels() {
    return {sgd<T>, adam<T>, rmsprop<T>, adagrad<T>};
}
template kernels::UpdateKernels<float> update_kernels<float>();
template kernels::UpdateKernels<double> update_kernels<double>();

}  // namespace xtape::XTAPE_ARCH
