#include <xtape/nn/layers.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>
#include <xtape/autograd/softmax.hpp>
#include <xtape/nn/init.hpp>

namespace xtape::nn {
namespace {

template <class T>
Tensor<T> copy_of(const Tensor<T>& parameter_or_empty) {
    return parameter_or_empty ? parameter(Tensor<T>(parameter_or_empty.value())) : Tensor<T>();
}

template <class T>
std::unique_ptr<Module<T>> activation_module(Activation activation) {
    switch (activation) {
    case Activation::identity: return std::make_unique<Identity<T>>();
    case Activation::relu: return std::make_unique<ReLU<T>>();
    case Activation::tanh: return std::make_unique<Tanh<T>>();
    case Activation::sigmoid: return std::make_unique<Sigmoid<T>>();
    }
    throw ValueError("MLP: unknown activation");
}

}  // namespace

template <class T>
Linear<T>::Linear(std::size_t in_features, std::size_t out_features, LinearOptions options) {
    if (in_features == 0 || out_features == 0) {
        throw ValueError(
            fmt::format("Linear: {} inputs and {} outputs; both must be at least 1", in_features, out_features));
    }
    const double bound = 1.0 / std::sqrt(static_cast<double>(in_features));
    weight_ = parameter(Tensor<T>::uninitialized({out_features, in_features}));
    init::uniform(weight_, -bound, bound);
    if (options.bias) {
        bias_ = parameter(Tensor<T>::uninitialized({out_features}));
        init::uniform(bias_, -bound, bound);
    }
}

template <class T>
Tensor<T> Linear<T>::forward(const Tensor<T>& x) {
    return linear(x, weight_, bias_);
}

template <class T>
std::unique_ptr<Module<T>> Linear<T>::clone() {
    return this->in_same_mode(std::unique_ptr<Linear>(new Linear(copy_of(weight_), copy_of(bias_))));
}

template <class T>
Tensor<T> activate(const Tensor<T>& x, Activation activation) {
    switch (activation) {
    case Activation::identity: return x;
    case Activation::relu: return relu(x);
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
    }
    throw ValueError("activate: unknown activation");
}

template <class T>
Tensor<T> Softmax<T>::forward(const Tensor<T>& x) {
    return softmax(x, axis_);
}

template <class T>
Tensor<T> Flatten<T>::forward(const Tensor<T>& x) {
    if (x.dimension() == 0) {
        throw ShapeError("Flatten: a 0-dimensional tensor has no samples to keep apart");
    }
    std::size_t features = 1;
    for (std::size_t axis = 1; axis < x.dimension(); ++axis) {
        features *= x.shape()[axis];
    }
    return reshape(x, Axes{x.shape()[0], features});
}

template <class T>
Tensor<T> Sequential<T>::forward(const Tensor<T>& x) {
    Tensor<T> y = x;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
        try {
            y = modules_[i]->forward(y);
        } catch (const ShapeError& error) {
            throw ShapeError(fmt::format("module {}: {}", i, error.what()));
        }
    }
    return y;
}

template <class T>
std::vector<Member<T>> Sequential<T>::members() {
    std::vector<Member<T>> list;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
        list.emplace_back(std::to_string(i), *modules_[i]);
    }
    return list;
}

template <class T>
void Sequential<T>::clone_modules_into(Sequential& copy) const {
    for (const auto& module : modules_) {
        copy.append(module->clone());
    }
}

template <class T>
std::unique_ptr<Module<T>> Sequential<T>::clone() {
    auto copy = std::make_unique<Sequential>();
    clone_modules_into(*copy);
    return this->in_same_mode(std::move(copy));
}

template <class T>
MLP<T>::MLP(const std::vector<std::size_t>& widths, Activation activation, LinearOptions options) {
    if (widths.size() < 2) {
        throw ValueError(fmt::format(
            "MLP: {} widths given; it takes at least two, those of the input and of the output", widths.size()));
    }
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        if (i > 0) {
            this->append(activation_module<T>(activation));
        }
        this->append(std::make_unique<Linear<T>>(widths[i], widths[i + 1], options));
    }
}

template <class T>
std::unique_ptr<Module<T>> MLP<T>::clone() {
    std::unique_ptr<MLP> copy(new MLP);
    this->clone_modules_into(*copy);
    return this->in_same_mode(std::move(copy));
}

#define XTAPE_INSTANTIATE(T)                                   \
    template class Linear<T>;                                  \
    template Tensor<T> activate(const Tensor<T>&, Activation); \
    template class Softmax<T>;                                 \
    template class Flatten<T>;                                 \
    template class Sequential<T>;                              \
    template class MLP<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
