#include <xtape/nn/module.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/errors.hpp>

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
    std::int64_t* count = nullptr;
    bool for_training = false;

    [[nodiscard]] Shape shape() const { return count != nullptr ? Shape() : tensor.shape(); }
};

template <class T>
std::vector<Entry<T>> entries_of(Module<T>& module) {
    std::vector<Entry<T>> entries;
    for (auto& [name, tensor] : module.named_parameters()) {
        entries.push_back({name, tensor});
    }
    visit_members(module, "", [&](const std::string& name, const Member<T>& member) {
        if (member.tensor != nullptr) {
            return;
        }
        Entry<T> buffer{name, member.values != nullptr ? *member.values : Tensor<T>(), member.count,
                        member.for_training};
        const bool known = std::ranges::any_of(entries, [&](const Entry<T>& entry) {
            return buffer.count != nullptr ? entry.count == buffer.count : entry.tensor.ref() == buffer.tensor.ref();
        });
        if (!known) {
            entries.push_back(std::move(buffer));
        }
    });
    return entries;
}

// A count from a 0-d array: an integer of any type, or a floating one up to 2^53, where doubles hold every integer.
std::optional<std::int64_t> integer_of(const io::Array& array) {
    if (array.dtype() == io::DType::int64) {
        return array.as<std::int64_t>()();
    }
    const double number = array.cast<double>()();
    if (!(std::abs(number) <= 0x1p53) || number != std::trunc(number)) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
}

}  // namespace

template <class T>
std::unique_ptr<Module<T>> Module<T>::clone() {
    throw Error("clone: this module does not say how it is copied; override clone() in its class");
}

template <class T>
ModuleHook Module<T>::register_forward_pre_hook(ForwardPreHook hook) {
    return add_hook(std::move(hook), {});
}
template <class T>
ModuleHook Module<T>::register_forward_hook(ForwardHook hook) {
    return add_hook({}, std::move(hook));
}
template <class T>
ModuleHook Module<T>::add_hook(ForwardPreHook before, ForwardHook after) {
    if (!before && !after) {
        throw ValueError("module: the hook is an empty function");
    }
    const auto active = std::make_shared<bool>(true);
    hooks_.push_back({active, std::move(before), std::move(after)});
    return ModuleHook(active);
}

template <class T>
Tensor<T> Module<T>::forward_with_hooks(const Tensor<T>& x) {
    std::erase_if(hooks_, [](const RegisteredHook& hook) { return !*hook.active; });
    const std::vector<RegisteredHook> hooks = hooks_;  // which hooks may change
    const auto checked = [](Tensor<T> result) {
        if (!result) {
            throw ValueError("module: a hook returned an empty tensor; return its argument to leave that as it is");
        }
        return result;
    };
    Tensor<T> input = x;
    for (const RegisteredHook& hook : hooks) {
        if (hook.before && *hook.active) {
            input = checked(hook.before(*this, input));
        }
    }
    Tensor<T> output = forward(input);
    for (const RegisteredHook& hook : hooks) {
        if (hook.after && *hook.active) {
            output = checked(hook.after(*this, input, output));
        }
    }
    return output;
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
StateDict Module<T>::state_dict(StateOptions options) {
    StateDict state;
    for (const Entry<T>& entry : entries_of(*this)) {
        if (options.training || !entry.for_training) {
            state.emplace(entry.name,
                          entry.count != nullptr ? io::Array(*entry.count) : io::Array(entry.tensor.value()));
        }
    }
    return state;
}

template <class T>
IncompatibleKeys Module<T>::load_state_dict(const StateDict& state, LoadOptions options) {
    struct Load {
        Entry<T> to;
        Tensor<T> value;
        std::int64_t count;
    };
    const std::vector<Entry<T>> entries = entries_of(*this);
    IncompatibleKeys incompatible;
    std::string problems;
    std::vector<Load> loads;
    for (const Entry<T>& entry : entries) {
        const auto it = state.find(entry.name);
        if (it == state.end()) {
            if (!entry.for_training) {
                incompatible.missing_keys.push_back(entry.name);
                problems +=
                    options.strict ? fmt::format("\n  missing: {} {}", entry.name, to_string(entry.shape())) : "";
            }
            continue;
        }
        const io::Array& array = it->second;
        if (Shape(array.shape()) != entry.shape()) {
            problems += fmt::format("\n  mis-shaped: {} is {} here and {} there", entry.name, to_string(entry.shape()),
                                    to_string(Shape(array.shape())));
            continue;
        }
        if (entry.count != nullptr) {
            const std::optional<std::int64_t> count = integer_of(array);
            problems += count ? "" : fmt::format("\n  no integer: {} counts", entry.name);
            loads.push_back({entry, Tensor<T>(), count.value_or(0)});
        } else {
            loads.push_back({entry, Tensor<T>(array.template cast<T>()), 0});
        }
    }
    for (const auto& [name, array] : state) {
        if (std::ranges::find(entries, name, &Entry<T>::name) == entries.end()) {
            incompatible.unexpected_keys.push_back(name);
            problems +=
                options.strict ? fmt::format("\n  unexpected: {} {}", name, to_string(Shape(array.shape()))) : "";
        }
    }
    if (!problems.empty()) {
        throw ValueError(fmt::format("load_state_dict: the entries don't fit this module; {}{}",
                                     options.strict
                                         ? "load with {.strict = false} to leave out what is missing or unexpected"
                                         : "leave out those that differ",
                                     problems));
    }
    for (const Load& load : loads) {
        if (load.to.count != nullptr) {
            *load.to.count = load.count;
        } else {
            load.to.tensor.assign(load.value);
        }
    }
    return incompatible;
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
