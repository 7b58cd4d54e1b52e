#include <xtape/nn/module.hpp>

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>

namespace xtape::nn {
namespace {

template <class T>
void visit_parameters(Module<T>& module, const std::string& path,
                      const std::function<void(const std::string&, Tensor<T>&)>& visit) {
    for (const Member<T>& member : module.members()) {
        const std::string name = path.empty() ? member.name : path + "." + member.name;
        if (member.module != nullptr) {
            visit_parameters(*member.module, name, visit);
        } else if (*member.tensor) {  // an optional one that is absent is an empty tensor
            visit(name, *member.tensor);
        }
    }
}

}  // namespace

template <class T>
std::unique_ptr<Module<T>> Module<T>::clone() {
    throw Error("clone: this module does not say how it is copied; override clone() in its class");
}

template <class T>
std::vector<std::pair<std::string, Tensor<T>>> Module<T>::named_parameters() {
    std::vector<std::pair<std::string, Tensor<T>>> named;
    visit_parameters<T>(*this, "", [&](const std::string& name, Tensor<T>& tensor) {
        const bool known =
            std::ranges::any_of(named, [&](const auto& entry) { return entry.second.ref() == tensor.ref(); });
        if (!known) {
            named.emplace_back(name, tensor);
        }
    });
    return named;
}

template <class T>
std::vector<Tensor<T>> Module<T>::parameters() {
    std::vector<Tensor<T>> all;
    for (auto& [name, tensor] : named_parameters()) {
        all.push_back(std::move(tensor));
    }
    return all;
}

template <class T>
void Module<T>::train(bool training) {
    training_ = training;
    for (const Member<T>& member : members()) {
        if (member.module != nullptr) {
            member.module->train(training);
        }
    }
}

template <class T>
void Module<T>::zero_grad() {
    for (const Tensor<T>& parameter : parameters()) {
        parameter.zero_grad();
    }
}

template <class T>
StateDict Module<T>::state_dict() {
    StateDict state;
    for (const auto& [name, tensor] : named_parameters()) {
        state.emplace(name, io::Array(tensor.value()));
    }
    return state;
}

template <class T>
void Module<T>::load_state_dict(const StateDict& state, LoadOptions options) {
    const auto named = named_parameters();
    std::string problems;
    std::vector<std::pair<Tensor<T>, Tensor<T>>> loads;
    for (const auto& [name, tensor] : named) {
        const auto it = state.find(name);
        if (it == state.end()) {
            problems += options.strict ? fmt::format("\n  missing: {} {}", name, to_string(tensor.shape())) : "";
            continue;
        }
        if (Shape(it->second.shape()) != tensor.shape()) {
            problems += fmt::format("\n  mis-shaped: {} is {} here and {} there", name, to_string(tensor.shape()),
                                    to_string(Shape(it->second.shape())));
            continue;
        }
        loads.emplace_back(tensor, Tensor<T>(it->second.template cast<T>()));
    }
    for (const auto& [name, array] : state) {
        const bool known = std::ranges::find(named, name, [](const auto& entry) { return entry.first; }) != named.end();
        if (options.strict && !known) {
            problems += fmt::format("\n  unexpected: {} {}", name, to_string(Shape(array.shape())));
        }
    }
    if (!problems.empty()) {
        throw ValueError(fmt::format("load_state_dict: the entries don't fit this module; {}{}",
                                     options.strict
                                         ? "load with {.strict = false} to leave out what is missing or unexpected"
                                         : "leave out those of another shape",
                                     problems));
    }
    for (const auto& [tensor, value] : loads) {
        tensor.assign(value);
    }
}

template class Module<float>;
template class Module<double>;

}  // namespace xtape::nn
