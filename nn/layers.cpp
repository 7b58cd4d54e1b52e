#include <xtape/nn/layers.hpp>

#include <cmath>
#include <typeinfo>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/draws.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>
#include <xtape/nn/init.hpp>

namespace xtape::nn {

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
    return this->in_same_mode(std::unique_ptr<Linear>(new Linear(this->copied(weight_), this->copied(bias_))));
}

template <class T>
Tensor<T> Flatten<T>::forward(const Tensor<T>& x) {
    const auto rank = static_cast<std::ptrdiff_t>(x.dimension());
    const std::ptrdiff_t start = start_ < 0 ? start_ + rank : start_;
    if (start < 0 || start > rank) {
        throw ShapeError(fmt::format("Flatten: input {} has {} axes; there is none to start at {}",
                                     to_string(x.shape()), rank, start_));
    }
    Axes shape;
    std::ptrdiff_t joined = 1;
    for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
        const auto extent = static_cast<std::ptrdiff_t>(x.shape()[axis]);
        if (static_cast<std::ptrdiff_t>(axis) < start) {
            shape.push_back(extent);
        } else {
            joined *= extent;
        }
    }
    shape.push_back(joined);
    return reshape(x, shape);
}

template <class T>
Dropout<T>::Dropout(double p, DropoutOptions options) : p_(p), options_(options) {
    if (!(p >= 0 && p <= 1)) {
        throw ValueError(fmt::format("Dropout: p is {}; a probability lies in [0, 1]", p));
    }
}

template <class T>
Tensor<T> Dropout<T>::forward(const Tensor<T>& x) {
    if (!this->is_training() || p_ == 0) {
        return x;
    }
    const auto own_stream = [&] {
        return random::Stream(*options_.seed, random::stream_id("dropout"), static_cast<std::uint64_t>(masks_drawn_++));
    };
    random::Stream stream = options_.seed ? random::draw(own_stream) : random::next_stream("dropout");
    const Tensor<T> mask = Tensor<T>::uninitialized(x.shape());
    const auto threshold = static_cast<std::uint64_t>(p_ * 0x1.0p32);  // dropped: 32 random bits below it
    const T kept = p_ < 1 ? static_cast<T>(1 / (1 - p_)) : T(0);
    T* scale = mask.fresh_data();
    for (std::size_t i = 0; i < mask.size(); ++i) {
        scale[i] = stream.bits() < threshold ? T(0) : kept;
    }
    return x * mask;
}

template <class T>
std::vector<Member<T>> Dropout<T>::members() {
    if (!options_.seed) {
        return {};
    }
    return {Member<T>::training_buffer("masks_drawn", masks_drawn_)};
}

template <class T>
std::unique_ptr<Module<T>> Dropout<T>::clone() {
    auto copy = std::make_unique<Dropout>(p_, options_);
    copy->masks_drawn_ = masks_drawn_;
    return this->in_same_mode(std::move(copy));
}

namespace {
// Exactly of that class: what one derived from it does is its own business.
template <class M, class T>
bool is(const Module<T>& module) {
    return typeid(module) == typeid(M);
}
}  // namespace

template <class T>
void Sequential<T>::append(std::unique_ptr<Module<T>> module) {
    if (modules_.empty() || !is<Linear<T>>(*modules_.back())) {
        ends_.push_back(LinearEnd::plain);
    } else {
        ends_.push_back(is<ReLU<T>>(*module)      ? LinearEnd::relu
                        : is<Tanh<T>>(*module)    ? LinearEnd::tanh
                        : is<Sigmoid<T>>(*module) ? LinearEnd::sigmoid
                                                  : LinearEnd::plain);
    }
    modules_.push_back(std::move(module));
}

template <class T>
Tensor<T> Sequential<T>::forward(const Tensor<T>& x) {
    Tensor<T> y = x;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
        try {
            const bool joins = i + 1 < modules_.size() && ends_[i + 1] != LinearEnd::plain;
            if (joins && !modules_[i]->has_hooks() && !modules_[i + 1]->has_hooks()) {
                const auto& layer = static_cast<const Linear<T>&>(*modules_[i]);
                y = linear(y, layer.weight(), layer.bias(), ends_[i + 1]);
                ++i;
            } else {
                y = (*modules_[i])(y);
            }
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

#define XTAPE_INSTANTIATE(T)      \
    template class Linear<T>;     \
    template class Flatten<T>;    \
    template class Dropout<T>;    \
    template class Sequential<T>; \
    template class MLP<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
