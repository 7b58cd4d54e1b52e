#include <xtape/nn/onnx_layers.hpp>

#include <algorithm>
#include <numbers>
#include <type_traits>
#include <typeinfo>

#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/nn/embedding.hpp>
#include <xtape/nn/layers.hpp>
#include <xtape/nn/normalization.hpp>

namespace xtape::nn {
namespace {

Shape with_last(const Shape& shape, std::size_t extent) {
    Shape changed = shape;
    changed[changed.size() - 1] = extent;
    return changed;
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const Linear<T>& layer, const OnnxValue& x) {
    const std::size_t out = layer.weight().shape()[0];
    const std::size_t in = layer.weight().shape()[1];
    if (x.shape.empty() || x.shape.back() != in) {
        graph.refuse(fmt::format("Linear: input {}; it takes (..., {})", to_string(x.shape), in));
    }
    const Shape shape = with_last(x.shape, out);
    const OnnxValue weight = graph.tensor(layer.weight());
    if (x.shape.size() == 2) {
        std::vector<OnnxValue> inputs{x, weight};
        if (layer.bias()) {
            inputs.push_back(graph.tensor(layer.bias()));
        }
        return graph.node("Gemm", inputs, {{"transB", 1}}, shape);
    }
    const OnnxValue turned =
        graph.node("Transpose", {weight}, {{"perm", std::vector<std::int64_t>{1, 0}}}, Shape{in, out});
    const OnnxValue product = graph.node("MatMul", {x, turned}, {}, shape);
    return layer.bias() ? graph.node("Add", {product, graph.tensor(layer.bias())}) : product;
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, Sequential<T>& sequential, const OnnxValue& x) {
    OnnxValue y = x;
    for (std::size_t i = 0; i < sequential.size(); ++i) {
        y = graph.apply(sequential[i], y);
    }
    return y;
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const Dropout<T>&, const OnnxValue& x) {
    return graph.node("Identity", {x});
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const Flatten<T>& layer, const OnnxValue& x) {
    const auto rank = static_cast<std::ptrdiff_t>(x.shape.size());
    const std::ptrdiff_t start = layer.start() < 0 ? layer.start() + rank : layer.start();
    if (start < 0 || start > rank) {
        graph.refuse(fmt::format("Flatten: input {} has {} axes; there is none to start at {}", to_string(x.shape),
                                 rank, layer.start()));
    }
    const auto joined = x.shape.begin() + start;
    if (std::find(joined, x.shape.end(), std::size_t{0}) != x.shape.end()) {
        graph.refuse(fmt::format("Flatten: from axis {} on it joins the batch of input {}, whose extent is open; give "
                                 "input_shape that extent",
                                 layer.start(), to_string(x.shape)));
    }
    Shape shape(x.shape.begin(), joined);
    shape.push_back(element_count(Shape(joined, x.shape.end())));
    if (start == 1) {
        return graph.node("Flatten", {x}, {{"axis", 1}}, shape);
    }
    std::vector<std::int64_t> target(static_cast<std::size_t>(start), 0);  // 0: the input's own extent
    target.push_back(-1);
    return graph.node("Reshape", {x, graph.integers(target)}, {}, shape);
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const Embedding<T>& layer, const OnnxValue& x) {
    Shape shape = x.shape;
    shape.push_back(layer.weight().shape()[1]);
    return graph.node("Gather", {graph.tensor(layer.weight()), graph.node("Cast", {x}, {{"to", onnx_int64}})}, {},
                      shape);
}

template <class T>
OnnxValue activation_to_onnx(OnnxGraph<T>& graph, Activation activation, const OnnxValue& x) {
    switch (activation) {
    case Activation::identity: return graph.node("Identity", {x});
    case Activation::relu: return graph.node("Relu", {x});
    case Activation::tanh: return graph.node("Tanh", {x});
    case Activation::sigmoid: return graph.node("Sigmoid", {x});
    case Activation::silu: return graph.node("Mul", {x, graph.node("Sigmoid", {x})});
    case Activation::leaky_relu: return graph.node("LeakyRelu", {x}, {{"alpha", 0.01}});
    case Activation::elu: return graph.node("Elu", {x}, {{"alpha", 1.0}});
    case Activation::softplus: return graph.node("Softplus", {x});
    case Activation::log_sigmoid: return graph.node("Neg", {graph.node("Softplus", {graph.node("Neg", {x})})});
    case Activation::gelu: {  // x (1 + erf(x / √2)) / 2; opset 20 is the first with a Gelu
        const OnnxValue erf = graph.node("Erf", {graph.node("Div", {x, graph.tensor(std::numbers::sqrt2)})});
        const OnnxValue twice = graph.node("Mul", {x, graph.node("Add", {erf, graph.tensor(1.0)})});
        return graph.node("Mul", {twice, graph.tensor(0.5)});
    }
    }
    throw ValueError("export_onnx: unknown activation");
}

template <class T, Activation activation>
OnnxValue to_onnx(OnnxGraph<T>& graph, const ActivationModule<T, activation>&, const OnnxValue& x) {
    return activation_to_onnx(graph, activation, x);
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const LeakyReLU<T>& layer, const OnnxValue& x) {
    return graph.node("LeakyRelu", {x}, {{"alpha", layer.slope()}});
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const ELU<T>& layer, const OnnxValue& x) {
    return graph.node("Elu", {x}, {{"alpha", layer.alpha()}});
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const Softmax<T>& layer, const OnnxValue& x) {
    const auto rank = static_cast<std::ptrdiff_t>(x.shape.size());
    const std::ptrdiff_t axis = layer.axis() < 0 ? layer.axis() + rank : layer.axis();
    if (axis < 0 || axis >= rank) {
        graph.refuse(fmt::format("Softmax: input {} has no axis {}", to_string(x.shape), layer.axis()));
    }
    return graph.node("Softmax", {x}, {{"axis", std::int64_t{axis}}});
}

// (x - mean) / √(variance + eps), over these axes.
template <class T>
OnnxValue normalized(OnnxGraph<T>& graph, const OnnxValue& x, const std::vector<std::int64_t>& axes, double eps) {
    Shape kept = x.shape;
    for (const std::int64_t axis : axes) {
        kept[static_cast<std::size_t>(axis)] = 1;
    }
    const auto mean = [&](const OnnxValue& of) {
        return graph.node("ReduceMean", {of}, {{"axes", axes}, {"keepdims", 1}}, kept);
    };
    const OnnxValue centred = graph.node("Sub", {x, mean(x)});
    const OnnxValue variance = mean(graph.node("Mul", {centred, centred}));
    const OnnxValue deviation = graph.node("Sqrt", {graph.node("Add", {variance, graph.tensor(eps)})});
    return graph.node("Div", {centred, deviation});
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const LayerNorm<T>& layer, const OnnxValue& x) {
    const Shape& over = layer.normalized_shape();
    if (x.shape.size() < over.size() || !std::equal(over.begin(), over.end(), x.shape.end() - over.size())) {
        graph.refuse(fmt::format("LayerNorm: input {} does not end with the axes {} to normalise over",
                                 to_string(x.shape), to_string(over)));
    }
    const std::size_t axis = x.shape.size() - over.size();
    const double eps = layer.options().eps;
    if constexpr (std::is_same_v<T, float>) {
        std::vector<OnnxValue> inputs{x, graph.tensor(layer.weight() ? layer.weight() : ones<T>(over))};
        if (layer.bias()) {
            inputs.push_back(graph.tensor(layer.bias()));
        }
        return graph.node("LayerNormalization", inputs, {{"axis", static_cast<std::int64_t>(axis)}, {"epsilon", eps}});
    } else {
        // LayerNormalization computes mean and variance in float, whatever it is given.
        std::vector<std::int64_t> axes;
        for (std::size_t i = axis; i < x.shape.size(); ++i) {
            axes.push_back(static_cast<std::int64_t>(i));
        }
        OnnxValue y = normalized(graph, x, axes, eps);
        y = layer.weight() ? graph.node("Mul", {y, graph.tensor(layer.weight())}) : y;
        return layer.bias() ? graph.node("Add", {y, graph.tensor(layer.bias())}) : y;
    }
}

template <class T>
OnnxValue to_onnx(OnnxGraph<T>& graph, const BatchNorm1d<T>& layer, const OnnxValue& x) {
    const std::size_t rank = x.shape.size();
    const bool tracked = static_cast<bool>(layer.running_mean());
    const Tensor<T>& of_features = tracked ? layer.running_mean() : layer.weight();
    if ((rank != 2 && rank != 3) || (of_features && x.shape[1] != of_features.size())) {
        const std::string features = of_features ? std::to_string(of_features.size()) : "features";
        graph.refuse(fmt::format("BatchNorm1d: input {}; it takes (n, {}) or (n, {}, length)", to_string(x.shape),
                                 features, features));
    }
    const double eps = layer.options().eps;
    if (tracked) {
        const Shape features{of_features.size()};
        return graph.node("BatchNormalization",
                          {x, graph.tensor(layer.weight() ? layer.weight() : ones<T>(features)),
                           graph.tensor(layer.bias() ? layer.bias() : zeros<T>(features)),
                           graph.tensor(layer.running_mean()), graph.tensor(layer.running_var())},
                          {{"epsilon", eps}});
    }
    OnnxValue y = normalized(graph, x, rank == 3 ? std::vector<std::int64_t>{0, 2} : std::vector<std::int64_t>{0}, eps);
    if (!layer.weight()) {
        return y;
    }
    // What there is one of a feature, against x.
    const auto spread = [&](const Tensor<T>& a) {
        const OnnxValue value = graph.tensor(a);
        return rank == 3 ? graph.node("Unsqueeze", {value, graph.integers({1})}, {}, Shape{a.size(), 1}) : value;
    };
    return graph.node("Add", {graph.node("Mul", {y, spread(layer.weight())}), spread(layer.bias())});
}

// The first of these classes that the module is exactly of: what a derived one does is its own business.
template <class T, class... Classes>
std::optional<OnnxValue> first_of(OnnxGraph<T>& graph, Module<T>& module, const OnnxValue& x) {
    std::optional<OnnxValue> result;
    const auto tried = [&]<class M>(std::type_identity<M>) {
        if (typeid(module) != typeid(M)) {
            return false;
        }
        result = to_onnx(graph, static_cast<M&>(module), x);
        return true;
    };
    static_cast<void>((tried(std::type_identity<Classes>()) || ...));
    return result;
}

}  // namespace

template <class T>
std::optional<OnnxValue> layer_to_onnx(OnnxGraph<T>& graph, Module<T>& module, const OnnxValue& x) {
    return first_of<T, Linear<T>, Sequential<T>, MLP<T>, Identity<T>, ReLU<T>, Tanh<T>, Sigmoid<T>, GELU<T>, SiLU<T>,
                    LeakyReLU<T>, ActivationModule<T, Activation::leaky_relu>, ELU<T>,
                    ActivationModule<T, Activation::elu>, Softplus<T>, LogSigmoid<T>, Softmax<T>, Dropout<T>,
                    LayerNorm<T>, BatchNorm1d<T>, Flatten<T>, Embedding<T>>(graph, module, x);
}

#define XTAPE_INSTANTIATE(T) \
    template std::optional<OnnxValue> layer_to_onnx(OnnxGraph<T>&, Module<T>&, const OnnxValue&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
