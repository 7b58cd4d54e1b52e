#include <xtape/autograd/tensor.hpp>

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape {
namespace {

constexpr Op leaf_op = {"parameter", nullptr, nullptr};

template <class T>
struct CastRule {
    static constexpr const char* name = "cast";
    using From = std::conditional_t<std::same_as<T, float>, double, float>;
    void operator()(RuleContext& context) const { context.give(0, context.gradient<T>().template cast<From>()); }
};

template <class T>
ParameterBody& leaf_of(const Tensor<T>& x, const char* what) {
    Body& body = x.body();
    if (!body.is_parameter) {
        throw GraphError(fmt::format(
            "{}: this tensor of shape {} is {}; only parameters, made by xtape::parameter, keep a gradient (for an "
            "interior tensor use xtape::grad)",
            what, to_string(body.shape), body.node ? "the result of an op" : "a constant"));
    }
    return static_cast<ParameterBody&>(body);
}

template <class T>
void check_differentiable(const Tensor<T>& x) {
    if (!x.requires_grad()) {
        throw GraphError(fmt::format(
            "backward: nothing behind this tensor of shape {} requires a gradient; make what you differentiate by "
            "with xtape::parameter, and record outside of NoGradGuard",
            to_string(x.shape())));
    }
}

}  // namespace

void Hook::remove() {
    if (const auto function = function_.lock()) {
        *function = nullptr;
    }
}

template <class T>
void Tensor<T>::throw_empty() {
    throw ValueError("this tensor is empty: it was default-constructed or moved from; assign a tensor to it first");
}

template <class T>
Tensor<T> Tensor<T>::uninitialized(const Shape& shape) {
    return Tensor(bodies::allocate(dtype_of<T>, shape));
}

template <class T>
Tensor<T> Tensor<T>::full_scalar(T value) {
    Tensor scalar = uninitialized({});
    *raw(scalar) = value;
    return scalar;
}

template <class T>
typename Tensor<T>::Value Tensor<T>::value() const {
    return Value(ValueBuffer<T>(body().storage, size()), xt::svector<std::size_t, 4>(shape().begin(), shape().end()));
}

template <class T>
T Tensor<T>::item() const {
    if (size() != 1) {
        throw ValueError(
            fmt::format("item: a tensor of shape {} has {} elements, not one", to_string(shape()), size()));
    }
    return *data();
}

template <class T>
T* Tensor<T>::fresh_data() const {
    (void)body();
    if (!bodies::is_sole_owner(body_)) {
        throw GraphError("fresh_data: the elements are shared with other handles, views or the tape; use assign");
    }
    return static_cast<T*>(body_->storage->data());
}

template <class T>
void Tensor<T>::backward(BackwardOptions options) const {
    if (size() != 1) {
        throw ShapeError(fmt::format(
            "backward: this tensor has shape {}, not one element; reduce it (sum, mean) or pass a seed of its shape: "
            "y.backward(seed)",
            to_string(shape())));
    }
    check_differentiable(*this);
    const Ref<Body> seed = bodies::allocate(dtype_of<T>, shape());
    *static_cast<T*>(seed->storage->data()) = T(1);
    replay_into_leaves(body_, seed, options);
}

template <class T>
void Tensor<T>::backward(const Tensor& seed, BackwardOptions options) const {
    check_differentiable(*this);
    if (seed.shape() != shape()) {
        throw ShapeError(fmt::format("backward: the seed has shape {} and the tensor {}; they must be the same",
                                     to_string(seed.shape()), to_string(shape())));
    }
    replay_into_leaves(body_, seed.ref(), options);
}

template <class T>
bool Tensor<T>::has_grad() const {
    const Body& b = body();
    const std::scoped_lock lock(leaf_mutex());
    return b.is_parameter && static_cast<const ParameterBody&>(b).gradient;
}

template <class T>
Tensor<T> Tensor<T>::grad() const {
    ParameterBody& leaf = leaf_of(*this, "grad");
    const std::scoped_lock lock(leaf_mutex());
    if (!leaf.gradient) {
        throw GraphError(fmt::format(
            "grad: this parameter of shape {} has no gradient: no backward() has reached it since it was made or "
            "zero_grad() was called",
            to_string(shape())));
    }
    return Tensor(leaf.gradient);
}

template <class T>
void Tensor<T>::zero_grad() const {
    if (!body().is_parameter) {
        return;
    }
    Ref<Body> dropped;  // destroyed after the lock
    const std::scoped_lock lock(leaf_mutex());
    dropped.swap(static_cast<ParameterBody&>(body()).gradient);
}

template <class T>
Tensor<T> Tensor<T>::detach() const {
    return Tensor(bodies::make(dtype_of<T>, shape(), body().storage));
}

template <class T>
void Tensor<T>::assign(const Tensor& value) const {
    if (!is_leaf()) {
        throw GraphError(fmt::format(
            "assign: this tensor of shape {} is the result of '{}', and what was recorded can't be overwritten; assign "
            "to a parameter or a constant",
            to_string(shape()), body().node->op->name));
    }
    if (value.shape() != shape()) {
        throw ShapeError(fmt::format("assign: a value of shape {} to a tensor of shape {}; the shape can't change",
                                     to_string(value.shape()), to_string(shape())));
    }
    T* target = begin_overwrite(*this);
    std::copy_n(value.data(), value.size(), target);
}

template <class T>
T* begin_overwrite(const Tensor<T>& leaf, bool keep_elements) {
    Body& body = leaf.body();
    if (!body.storage->refs.unique()) {
        const Ref<Storage> fresh = Storage::allocate(leaf.size() * sizeof(T));
        if (keep_elements) {
            std::copy_n(leaf.data(), leaf.size(), static_cast<T*>(fresh->data()));
        }
        body.storage = fresh;
    }
    if (body.is_parameter) {
        static_cast<LeafNode*>(body.node.get())->version.fetch_add(1, std::memory_order_relaxed);
    }
    return static_cast<T*>(body.storage->data());
}

template <class T>
template <class U>
Tensor<U> Tensor<T>::cast() const {
    if constexpr (std::same_as<T, U>) {
        return *this;
    } else {
        Tensor<U> y = Tensor<U>::uninitialized(shape());
        std::transform(data(), data() + size(), raw(y), [](T v) { return static_cast<U>(v); });
        if (records(*this)) {
            record(CastRule<U>{}, y.body(), {{*this}});
        }
        return y;
    }
}

template <class T>
const Tensor<T>& Tensor<T>::rebound(const char* op) const {
    if (body().is_parameter) {
        throw GraphError(fmt::format(
            "{}: this is a parameter of shape {}; rebinding its handle would leave modules and optimisers with the old "
            "one. To overwrite its value use assign; for a new tensor write x = x {} y",
            op, to_string(shape()), op[0]));
    }
    return *this;
}

template <class T>
Hook Tensor<T>::add_hook(HookFunction hook) const {
    if (!requires_grad()) {
        throw GraphError(
            fmt::format("register_hook: this tensor of shape {} requires no gradient, so the hook would never run",
                        to_string(shape())));
    }
    // Held once more, so that copies share its state and one that removes itself while it runs stays alive.
    auto function = std::make_shared<HookFunction>(
        [shared = std::make_shared<HookFunction>(std::move(hook))](const Ref<Body>& g) { return (*shared)(g); });
    auto& hooks = body().node->hooks;
    if (!hooks) {
        hooks = std::make_unique<Hooks>();
    }
    std::erase_if(*hooks, [](const auto& known) { return !*known; });
    hooks->push_back(function);
    return Hook(function);
}

template <class T>
Tensor<T> parameter(const Tensor<T>& value) {
    if (value.requires_grad()) {
        throw GraphError(fmt::format("parameter: this tensor of shape {} is part of a graph; detach() it first",
                                     to_string(value.shape())));
    }
    auto* node = new (memory::allocate(sizeof(LeafNode))) LeafNode;
    node->input_count = 0;
    node->saved_count = 0;
    node->constant_count = 0;
    node->state = Node::State::leaf;
    node->dtype = dtype_of<T>;
    node->block_bytes = sizeof(LeafNode);
    node->sequence = 0;
    node->op = &leaf_op;
    node->tape = &tape();
    node->shape = value.shape();
    auto* body = new (memory::allocate(sizeof(ParameterBody))) ParameterBody{{.refs = {},
                                                                              .dtype = dtype_of<T>,
                                                                              .is_parameter = true,
                                                                              .shape = value.shape(),
                                                                              .storage = value.body().storage,
                                                                              .node = Ref<Node>::adopt(node)},
                                                                             {}};
    node->body = body;
    return Tensor<T>(Ref<Body>::adopt(body));
}

template class Tensor<float>;
template class Tensor<double>;
template Tensor<float> parameter(const Tensor<float>&);
template Tensor<double> parameter(const Tensor<double>&);
template float* begin_overwrite(const Tensor<float>&, bool);
template double* begin_overwrite(const Tensor<double>&, bool);
template Tensor<float> Tensor<float>::cast<float>() const;
template Tensor<double> Tensor<float>::cast<double>() const;
template Tensor<float> Tensor<double>::cast<float>() const;
template Tensor<double> Tensor<double>::cast<double>() const;

}  // namespace xtape
