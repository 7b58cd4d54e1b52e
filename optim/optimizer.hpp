#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape::optim {

/// Parameters that share options. Options may be changed between steps: `opt.groups()[0].options.lr *= 0.5`.
template <class T, class Options>
struct ParameterGroup {
    std::vector<Tensor<T>> parameters;
    Options options;
};

/// What every optimiser has: groups of parameters, each group with its own options. Options has `void check() const`,
/// which throws ValueError for what is not allowed.
template <class T, class Options>
class Optimizer {
public:
    using Group = ParameterGroup<T, Options>;

    /// Throws ValueError for no parameters, for a tensor that is none, for one that is here already, and for options
    /// that are not allowed.
    void add_group(std::vector<Tensor<T>> parameters, Options options);

    [[nodiscard]] std::span<Group> groups() noexcept { return groups_; }

    /// Updates every parameter that has a gradient; the gradients stay as they are.
    virtual void step() = 0;
    /// Drops the gradients.
    void zero_grad() const {
        for (const Group& group : groups_) {
            for (const Tensor<T>& parameter : group.parameters) {
                parameter.zero_grad();
            }
        }
    }

    virtual ~Optimizer() = default;

protected:
    Optimizer() = default;
    Optimizer(Optimizer&&) noexcept = default;
    Optimizer& operator=(Optimizer&&) noexcept = default;
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    std::vector<Group> groups_;
};

}  // namespace xtape::optim
