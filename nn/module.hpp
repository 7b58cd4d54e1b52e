#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/io/array.hpp>

namespace xtape::nn {

template <class T>
class Module;

/// Names and arrays: what a module's parameters and buffers look like in a file.
using StateDict = std::map<std::string, io::Array>;

/// What a module lists of itself: a name, and a child module, a parameter of its own, or a buffer: what is saved and
/// loaded with the parameters, but is none, such as running statistics. One of the pointers is set. A tensor that is
/// empty counts as absent.
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

    std::string name;
    Tensor<T>* tensor = nullptr;
    Module<T>* module = nullptr;
    Tensor<T>* values = nullptr;    ///< a buffer of numbers
    std::int64_t* count = nullptr;  ///< a buffer that counts

private:
    explicit Member(std::string n) : name(std::move(n)) {}
};

/// How load_state_dict reads.
struct LoadOptions {
    bool strict = true;  ///< throw where names are missing or unexpected; else take what there is
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
    [[nodiscard]] Tensor<T> operator()(const Tensor<T>& x) { return forward(x); }

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
    [[nodiscard]] StateDict state_dict();
    /// Overwrites the parameters and buffers. Throws ValueError that lists every missing, unexpected and mis-shaped
    /// entry (not strict: every mis-shaped one); then nothing was changed.
    void load_state_dict(const StateDict& state, LoadOptions options = {});

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
    bool training_ = true;
};

extern template class Module<float>;
extern template class Module<double>;

}  // namespace xtape::nn
