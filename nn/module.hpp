#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/io/array.hpp>

namespace xtape::nn {

template <class T>
class Module;

using io::StateDict;

/// What a module lists of itself: a name, and a child module, a parameter of its own, or a buffer: what is saved and
/// loaded with the parameters, but is none, such as running statistics. One of the pointers is set. A tensor that is
/// empty counts as absent.
///
/// A buffer for training is one that PyTorch's module has not, such as how many masks a Dropout has drawn: a state dict
/// has it only if that is asked for, and may always lack it.
template <class T>
struct Member {
    Member(std::string n, Tensor<T>& parameter) : name(std::move(n)), tensor(&parameter) {}
    Member(std::string n, Module<T>& child) : name(std::move(n)), module(&child) {}

    [[nodiscard]] static Member buffer(std::string name, Tensor<T>& values) {
        Member member(std::move(name));
        member.values = &values;
        return member;
    }
    [[nodiscard]] static Member buffer(std::string name, std::int64_t& count) {
        Member member(std::move(name));
        member.count = &count;
        return member;
    }
    [[nodiscard]] static Member training_buffer(std::string name, std::int64_t& count) {
        Member member = buffer(std::move(name), count);
        member.for_training = true;
        return member;
    }

    std::string name;
    Tensor<T>* tensor = nullptr;
    Module<T>* module = nullptr;
    Tensor<T>* values = nullptr;    ///< a buffer of numbers
    std::int64_t* count = nullptr;  ///< a buffer that counts
    bool for_training = false;      ///< of use only to training that goes on

private:
    explicit Member(std::string n) : name(std::move(n)) {}
};

/// What state_dict gives.
struct StateOptions {
    bool training = false;  ///< also the buffers for training; without them the names are PyTorch's
};

/// What load_state_dict passed over, by name: PyTorch's result of the same call.
struct IncompatibleKeys {
    std::vector<std::string> missing_keys;     ///< what this module has and the state dict has not
    std::vector<std::string> unexpected_keys;  ///< what the state dict has and this module has not
};

/// How load_state_dict reads.
struct LoadOptions {
    bool strict = true;  ///< throw where names are missing or unexpected; else take what there is
};

/// A hook that was registered on a module. It stays when this handle goes; `remove` takes it off.
class ModuleHook {
public:
    explicit ModuleHook(std::weak_ptr<bool> active) : active_(std::move(active)) {}
    void remove() {
        if (const auto active = active_.lock()) {
            *active = false;
        }
    }

private:
    std::weak_ptr<bool> active_;
};

/// A function with parameters. A module of one's own derives from this, overrides `forward`, and lists its parameters,
/// buffers and children in `members`. Modules are moved, not copied; `clone` is deep.
template <class T = float>
class Module {
public:
    Module() = default;
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;
    Module(Module&&) noexcept = default;
    Module& operator=(Module&&) noexcept = default;
    virtual ~Module() = default;

    [[nodiscard]] virtual Tensor<T> forward(const Tensor<T>& x) = 0;
    /// `forward`, with what hooks make of its input and output.
    [[nodiscard]] Tensor<T> operator()(const Tensor<T>& x) {
        return hooks_.empty() ? forward(x) : forward_with_hooks(x);
    }

    /// Called with the module and its input before each call of the module; what it returns becomes the input.
    using ForwardPreHook = std::function<Tensor<T>(Module& module, const Tensor<T>& x)>;
    /// Called with the module, its input and its output after each call; what it returns becomes the output. To see the
    /// gradient of an output, register a hook on it: `y.register_hook(...)`.
    using ForwardHook = std::function<Tensor<T>(Module& module, const Tensor<T>& x, const Tensor<T>& y)>;
    /// Hooks are called in the order they were registered, by whoever calls the module (a Sequential does; `forward`
    /// called by itself does not), and may register and remove hooks. They move with the module and are not cloned.
    /// Throws ValueError for an empty function; a call throws ValueError where a hook returns an empty tensor.
    ModuleHook register_forward_pre_hook(ForwardPreHook hook);
    ModuleHook register_forward_hook(ForwardHook hook);
    [[nodiscard]] bool has_hooks() const noexcept { return !hooks_.empty(); }

    /// The module's own parameters and buffers and its children, by name.
    [[nodiscard]] virtual std::vector<Member<T>> members() { return {}; }
    /// A module of the same kind with copies of the parameters and buffers. Throws Error where a class does not
    /// override it.
    [[nodiscard]] virtual std::unique_ptr<Module<T>> clone();

    /// All parameters, children's included, by their paths ("0.weight"); one that is shared is listed once, under its
    /// first name.
    [[nodiscard]] std::vector<std::pair<std::string, Tensor<T>>> named_parameters();
    [[nodiscard]] std::vector<Tensor<T>> parameters();

    /// Training or evaluation mode, for this module and its children.
    void train(bool training = true);
    void eval() { train(false); }
    [[nodiscard]] bool is_training() const noexcept { return training_; }

    /// Drops the parameters' gradients.
    void zero_grad();

    /// The values of the parameters and buffers by their paths.
    [[nodiscard]] StateDict state_dict(StateOptions options = {});
    /// Overwrites the parameters and buffers; numbers of another type are converted to T. Tells what was missing and
    /// unexpected, which can only be if not strict. Throws ValueError that lists every missing, unexpected and
    /// mis-shaped entry (not strict: every mis-shaped one), and every count that is no integer; then nothing was
    /// changed.
    IncompatibleKeys load_state_dict(const StateDict& state, LoadOptions options = {});

protected:
    /// For `clone`: a parameter or a buffer of the same value. What is empty stays empty.
    [[nodiscard]] static Tensor<T> copied(const Tensor<T>& tensor);
    /// For `clone`: the copy, in this module's mode.
    template <std::derived_from<Module> M>
    [[nodiscard]] std::unique_ptr<M> in_same_mode(std::unique_ptr<M> copy) const {
        static_cast<Module&>(*copy).training_ = training_;
        return copy;
    }

private:
    struct RegisteredHook {
        std::shared_ptr<bool> active;
        ForwardPreHook before;  // one of the two
        ForwardHook after;
    };

    ModuleHook add_hook(ForwardPreHook before, ForwardHook after);
    [[nodiscard]] Tensor<T> forward_with_hooks(const Tensor<T>& x);

    bool training_ = true;
    std::vector<RegisteredHook> hooks_;
};

extern template class Module<float>;
extern template class Module<double>;

}  // namespace xtape::nn
