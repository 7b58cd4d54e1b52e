#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane.hpp>

namespace xtape::XTAPE_ARCH {
namespace {

template <class T>
void sgd(T* theta, T* velocity, const T* gradient, size_t n, kernels::SgdStep step) {
    const Lane<T> lr(static_cast<T>(step.lr));
    const Lane<T> decay(static_cast<T>(step.weight_decay));
    const bool decays = step.weight_decay != 0;
    if (velocity == nullptr) {
        for_each_lane<T>(n, [=](auto load, auto store) {
            const Lane<T> g = decays ? load(gradient) + decay * load(theta) : load(gradient);
            store(load(theta) - lr * g, theta);
        });
        return;
    }
    const Lane<T> momentum(static_cast<T>(step.momentum));
    const Lane<T> taken(static_cast<T>(step.first ? 1.0 : 1.0 - step.dampening));
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> g = decays ? load(gradient) + decay * load(theta) : load(gradient);
        const Lane<T> v = step.first ? g : momentum * load(velocity) + taken * g;
        store(v, velocity);
        store(load(theta) - lr * (step.nesterov ? g + momentum * v : v), theta);
    });
}

}  // namespace

template <class T>
kernels::UpdateKernels<T> update_kernels() {
    return {sgd<T>};
}
template kernels::UpdateKernels<float> update_kernels<float>();
template kernels::UpdateKernels<double> update_kernels<double>();

}  // namespace xtape::XTAPE_ARCH
