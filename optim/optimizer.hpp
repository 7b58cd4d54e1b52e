#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/io/array.hpp>

namespace xtape::optim {

class StateReader;

/// What schedules read and write of a group of parameters.
struct ScheduledOptions {
    double& lr;
    double* momentum;                   ///< `momentum`, or the first of `betas`; null where there is neither
    std::optional<double>& initial_lr;  ///< `lr` before the first schedule changed it; empty without one
};

/// Any optimiser of any element type, for schedules, trainers and whatever else holds one.
class OptimizerBase {
public:
    virtual ~OptimizerBase() = default;
    OptimizerBase(const OptimizerBase&) = delete;
    OptimizerBase& operator=(const OptimizerBase&) = delete;

    /// Updates every parameter that has a gradient; the gradients stay as they are. Throws ValueError for options that
    /// are not allowed, and then changes nothing.
    virtual void step() = 0;
    /// Drops the gradients.
    virtual void zero_grad() const = 0;

    [[nodiscard]] virtual std::size_t group_count() const noexcept = 0;
    /// Throws ValueError if there is no such group.
    [[nodiscard]] virtual ScheduledOptions scheduled(std::size_t group) = 0;
    /// A group's learning rate. Throws as `scheduled`.
    [[nodiscard]] double& lr(std::size_t group) { return scheduled(group).lr; }

    /// All that the next steps depend on beside parameters and gradients: the options of every group
    /// ("param_groups.0.lr") and what is remembered of every parameter that was updated before ("state.0.exp_avg";
    /// numbered through all groups), by PyTorch's names.
    [[nodiscard]] virtual io::StateDict state_dict() const = 0;
    /// Takes the place of options and memory; an optimiser made with the same groups of parameters then goes on as the
    /// one that was saved, bit for bit. Throws ValueError that lists every missing, unexpected and mis-shaped entry and
    /// every value that is not allowed; then nothing was changed.
    virtual void load_state_dict(const io::StateDict& state) = 0;

protected:
    OptimizerBase() = default;
    OptimizerBase(OptimizerBase&&) noexcept = default;
    OptimizerBase& operator=(OptimizerBase&&) noexcept = default;
};

/// Parameters that share options. Options may be changed between steps: `opt.groups()[0].options.lr *= 0.5`.
template <class T, class Options>
struct ParameterGroup {
    std::vector<Tensor<T>> parameters;
    Options options;
    std::optional<double> initial_lr{};  ///< see ScheduledOptions
};

/// What every optimiser has: groups of parameters, each group with its own options. Options has `void check() const`,
/// which throws ValueError for what is not allowed.
template <class T, class Options>
class Optimizer : public OptimizerBase {
public:
    using Group = ParameterGroup<T, Options>;

    /// Throws ValueError for no parameters, for a tensor that is none, for one that is here already, and for options
    /// that are not allowed.
    void add_group(std::vector<Tensor<T>> parameters, Options options);

    [[nodiscard]] std::span<Group> groups() noexcept { return groups_; }

    void zero_grad() const final;
    [[nodiscard]] std::size_t group_count() const noexcept final { return groups_.size(); }
    [[nodiscard]] ScheduledOptions scheduled(std::size_t group) final;

protected:
    /// What a state dict holds of a group.
    using GroupState = std::pair<Options, std::optional<double>>;

    void write_groups(io::StateDict& state) const;
    /// One for each group; problems are noted in the reader.
    [[nodiscard]] std::vector<GroupState> read_groups(StateReader& reader) const;
    void replace(std::vector<GroupState>&& states) noexcept;

    std::vector<Group> groups_;
};

}  // namespace xtape::optim
