#include <xtape/nn/activations.hpp>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/softmax.hpp>

namespace xtape::nn {

template <class T>
Tensor<T> activate(const Tensor<T>& x, Activation activation) {
    switch (activation) {
    case Activation::identity: return x;
    case Activation::relu: return relu(x);
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::gelu: return gelu(x);
    case Activation::silu: return silu(x);
    case Activation::leaky_relu: return leaky_relu(x);
    case Activation::elu: return elu(x);
    case Activation::softplus: return softplus(x);
    case Activation::log_sigmoid: return log_sigmoid(x);
    }
    throw ValueError("activate: unknown activation");
}

template <class T>
std::unique_ptr<Module<T>> activation_module(Activation activation) {
    switch (activation) {
    case Activation::identity: return std::make_unique<Identity<T>>();
    case Activation::relu: return std::make_unique<ReLU<T>>();
    case Activation::tanh: return std::make_unique<Tanh<T>>();
    case Activation::sigmoid: return std::make_unique<Sigmoid<T>>();
    case Activation::gelu: return std::make_unique<GELU<T>>();
    case Activation::silu: return std::make_unique<SiLU<T>>();
    case Activation::leaky_relu: return std::make_unique<LeakyReLU<T>>();
    case Activation::elu: return std::make_unique<ELU<T>>();
    case Activation::softplus: return std::make_unique<Softplus<T>>();
    case Activation::log_sigmoid: return std::make_unique<LogSigmoid<T>>();
    }
    throw ValueError("activation_module: unknown activation");
}

template <class T>
Tensor<T> LeakyReLU<T>::forward(const Tensor<T>& x) {
    return leaky_relu(x, slope_);
}

template <class T>
Tensor<T> ELU<T>::forward(const Tensor<T>& x) {
    return elu(x, alpha_);
}

template <class T>
Tensor<T> Softmax<T>::forward(const Tensor<T>& x) {
    return softmax(x, axis_);
}

#define XTAPE_INSTANTIATE(T)                                           \
    template Tensor<T> activate(const Tensor<T>&, Activation);         \
    template std::unique_ptr<Module<T>> activation_module(Activation); \
    template class LeakyReLU<T>;                                       \
    template class ELU<T>;                                             \
    template class Softmax<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
