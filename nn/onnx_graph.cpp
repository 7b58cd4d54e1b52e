#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/nn/onnx.hpp>
#include <xtape/nn/onnx_layers.hpp>

namespace xtape::nn {

template <class T>
OnnxGraph<T>::OnnxGraph(Module<T>& module, const Shape& input_shape)
    : names_{"input", "output"}, input_{"input", input_shape} {
    const auto second = input_shape.begin() + (input_shape.empty() ? 0 : 1);
    if (std::find(second, input_shape.end(), std::size_t{0}) != input_shape.end()) {
        throw ValueError(
            fmt::format("export_onnx: input_shape {}; only the first extent may be 0, which leaves the batch open",
                        to_string(input_shape)));
    }
    name_members(module, "");
    name_output(apply(module, input_));
    take_integers_as_input();
}

template <class T>
void OnnxGraph<T>::name_members(Module<T>& module, const std::string& path) {
    if (!paths_.try_emplace(&module, path).second) {
        return;
    }
    for (const Member<T>& member : module.members()) {
        const std::string name = path.empty() ? member.name : path + "." + member.name;
        const Tensor<T>* tensor = member.tensor != nullptr ? member.tensor : member.values;
        if (member.module != nullptr) {
            name_members(*member.module, name);
        } else if (tensor != nullptr && *tensor) {
            members_.try_emplace(&tensor->body(), name);
        }
    }
}

template <class T>
std::string OnnxGraph<T>::unique(std::string name) {
    const std::string stem = name;
    for (int i = 1; !names_.insert(name).second; ++i) {
        name = fmt::format("{}_{}", stem, i);
    }
    return name;
}

template <class T>
OnnxValue OnnxGraph<T>::apply(Module<T>& module, const OnnxValue& x) {
    const auto known = paths_.find(&module);
    if (known == paths_.end()) {
        throw ValueError(fmt::format(
            "export_onnx: to_onnx of {} applies a module that its members() does not list; list it there", at_work()));
    }
    const std::string outer = std::exchange(path_, known->second);
    auto* own = dynamic_cast<OnnxExport<T>*>(&module);
    std::optional<OnnxValue> y = own != nullptr ? own->to_onnx(*this, x) : layer_to_onnx(*this, module, x);
    if (!y) {
        throw ValueError(fmt::format("export_onnx: {} is of a class whose operators are not known; derive it from "
                                     "nn::OnnxExport<T> too, and let its to_onnx() add them to the graph",
                                     at_work()));
    }
    path_ = outer;
    return *std::move(y);
}

template <class T>
OnnxValue OnnxGraph<T>::node(const std::string& op, const std::vector<OnnxValue>& inputs,
                             std::vector<OnnxAttribute> attributes, std::optional<Shape> shape) {
    if (!shape && inputs.empty()) {
        throw ValueError(fmt::format("export_onnx: a node {} without inputs needs its shape given", op));
    }
    std::string place = path_;
    std::ranges::replace(place, '.', '/');
    Node added{op, unique(place.empty() ? "/" + op : fmt::format("/{}/{}", place, op)), {}, {}, std::move(attributes)};
    for (const OnnxValue& input : inputs) {
        added.inputs.push_back(input.name);
    }
    added.output = unique(added.name + "_output_0");
    nodes_.push_back(std::move(added));
    return {nodes_.back().output, shape ? *std::move(shape) : inputs.front().shape};
}

template <class T>
OnnxValue OnnxGraph<T>::tensor(const Tensor<T>& values) {
    const auto same =
        std::ranges::find_if(tensors_, [&](const auto& held) { return &held.second.body() == &values.body(); });
    if (same != tensors_.end()) {
        return {same->first, values.shape()};
    }
    const auto member = members_.find(&values.body());
    tensors_.emplace_back(unique(member != members_.end() ? member->second : "constant"), values);
    return {tensors_.back().first, values.shape()};
}

template <class T>
OnnxValue OnnxGraph<T>::integers(std::vector<std::int64_t> values) {
    Shape shape{values.size()};
    integers_.emplace_back(unique("constant"), std::move(values));
    return {integers_.back().first, std::move(shape)};
}

template <class T>
void OnnxGraph<T>::refuse(const std::string& problem) const {
    throw ShapeError(fmt::format("export_onnx: {}: {}", at_work(), problem));
}

template <class T>
std::string OnnxGraph<T>::at_work() const {
    return path_.empty() ? "the module" : fmt::format("module '{}'", path_);
}

// Calls the result "output".
template <class T>
void OnnxGraph<T>::name_output(OnnxValue result) {
    const auto made_by = [&](const std::string& name) { return std::ranges::find(nodes_, name, &Node::output); };
    if (made_by(result.name) == nodes_.end()) {  // the input itself, or numbers that the file holds
        result = node("Identity", {result});
    }
    made_by(result.name)->output = "output";
    for (Node& node : nodes_) {
        std::ranges::replace(node.inputs, result.name, std::string("output"));
    }
    output_ = {"output", result.shape};
}

// An input that is only ever cast to int64 is one of int64.
template <class T>
void OnnxGraph<T>::take_integers_as_input() {
    const auto reads_input = [&](const Node& node) { return std::ranges::count(node.inputs, input_.name) > 0; };
    const auto casts_input = [&](const Node& node) {
        const auto is_int64 = [](const OnnxAttribute& a) { return a.value == decltype(a.value)(onnx_int64); };
        return node.op == "Cast" && reads_input(node) && node.output != output_.name &&
               std::ranges::any_of(node.attributes, is_int64);
    };
    integer_input_ = std::ranges::any_of(nodes_, casts_input) &&
                     std::ranges::count_if(nodes_, casts_input) == std::ranges::count_if(nodes_, reads_input);
    if (!integer_input_) {
        return;
    }
    std::vector<Node> others;
    std::unordered_set<std::string> cast;
    for (Node& node : nodes_) {
        if (casts_input(node)) {
            cast.insert(node.output);
            continue;
        }
        for (std::string& input : node.inputs) {
            input = cast.contains(input) ? input_.name : input;
        }
        others.push_back(std::move(node));
    }
    nodes_ = std::move(others);
}

template class OnnxGraph<float>;
template class OnnxGraph<double>;

}  // namespace xtape::nn
