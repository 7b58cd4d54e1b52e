#include <xtape/nn/module.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>

namespace xtape::nn {
namespace {

// Calls visit(path, member) for every parameter and buffer that is not absent, those of children included.
template <class T, class F>
void visit_members(Module<T>& module, const std::string& path, const F& visit) {
    for (const Member<T>& member : module.members()) {
        const std::string name = path.empty() ? member.name : path + "." + member.name;
        const Tensor<T>* tensor = member.tensor != nullptr ? member.tensor : member.values;
        if (member.module != nullptr) {
            visit_members(*member.module, name, visit);
        } else if (member.count != nullptr || *tensor) {
            visit(name, member);
        }
    }
}

// An entry of a state dict: a parameter or a buffer, each once.
template <class T>
struct Entry {
    std::string name;
    Tensor<T> tensor;
    std::int64_t* count;

    [[nodiscard]] Shape shape() const { return count != nullptr ? Shape() : tensor.shape(); }
};

template <class T>
std::vector<Entry<T>> entries_of(Module<T>& module) {
    std::vector<Entry<T>> entries;
    for (auto& [name, tensor] : module.named_parameters()) {
        entries.push_back({name, tensor, nullptr});
    }
    visit_members(module, "", [&](const std::string& name, const Member<T>& member) {
        if (member.tensor != nullptr) {
            return;
        }
        Entry<T> buffer{name, member.values != nullptr ? *member.values : Tensor<T>(), member.count};
        const bool known = std::ranges::any_of(entries, [&](const Entry<T>& entry) {
            return buffer.count != nullptr ? entry.count == buffer.count : entry.tensor.ref() == buffer.tensor.ref();
        });
        if (!known) {
            entries.push_back(std::move(buffer));
        }
    });
    return entries;
}

std::int64_t integer_of(const io::Array& array) {
    return array.dtype() == io::DType::int64 ? array.as<std::int64_t>()()
                                             : static_cast<std::int64_t>(array.cast<double>()());
}

}  // namespace

template <class T>
std::unique_ptr<Module<T>> Module<T>::clone() {
    throw Error("clone: this module does not say how it is copied; override clone() in its class");
}

template <class T>
std::vector<std::pair<std::string, Tensor<T>>> Module<T>::named_parameters() {
    std::vector<std::pair<std::string, Tensor<T>>> named;
    visit_members(*this, "", [&](const std::string& name, const Member<T>& member) {
        if (member.tensor == nullptr) {
            return;
        }
        const bool known =
            std::ranges::any_of(named, [&](const auto& entry) { return entry.second.ref() == member.tensor->ref(); });
        if (!known) {
            named.emplace_back(name, *member.tensor);
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
    for (const auto& [name, tensor, count] : entries_of(*this)) {
        state.emplace(name, count != nullptr ? io::Array(*count) : io::Array(tensor.value()));
    }
    return state;
}

template <class T>
void Module<T>::load_state_dict(const StateDict& state, LoadOptions options) {
    struct Load {
        Entry<T> to;
        Tensor<T> value;
        std::int64_t count;
    };
    const std::vector<Entry<T>> entries = entries_of(*this);
    std::string problems;
    std::vector<Load> loads;
    for (const Entry<T>& entry : entries) {
        const auto it = state.find(entry.name);
        if (it == state.end()) {
            problems += options.strict ? fmt::format("\n  missing: {} {}", entry.name, to_string(entry.shape())) : "";
            continue;
        }
        const io::Array& array = it->second;
        if (Shape(array.shape()) != entry.shape()) {
            problems += fmt::format("\n  mis-shaped: {} is {} here and {} there", entry.name, to_string(entry.shape()),
                                    to_string(Shape(array.shape())));
            continue;
        }
        if (entry.count != nullptr) {
            loads.push_back({entry, Tensor<T>(), integer_of(array)});
        } else {
            loads.push_back({entry, Tensor<T>(array.template cast<T>()), 0});
        }
    }
    for (const auto& [name, array] : state) {
        if (options.strict && std::ranges::find(entries, name, &Entry<T>::name) == entries.end()) {
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
    for (const Load& load : loads) {
        if (load.to.count != nullptr) {
            *load.to.count = load.count;
        } else {
            load.to.tensor.assign(load.value);
        }
    }
}

template <class T>
Tensor<T> Module<T>::copied(const Tensor<T>& tensor) {
    if (!tensor) {
        return {};
    }
    const Tensor<T> copy(tensor.value());
    return tensor.requires_grad() ? parameter(copy) : copy;
}

template class Module<float>;
template class Module<double>;

}  // namespace xtape::nn
