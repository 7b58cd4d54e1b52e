#pragma once

// The definitions behind optimizer.hpp, for the sources that instantiate an optimiser.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/optim/optimizer.hpp>
#include <xtape/optim/options.hpp>
#include <xtape/optim/state.hpp>

namespace xtape::optim {

/// What an optimiser's source tells of its options:
///
///     static constexpr const char* name = "SGD";
///     template <class O, class F>                             // O: SGDOptions or const SGDOptions
///     static void for_each(O& options, F visit);              // visit("lr", options.lr), and so on
template <class Options>
struct Rule;

template <class T, class Options>
void Optimizer<T, Options>::add_group(std::vector<Tensor<T>> parameters, Options options) {
    options.check();
    if (parameters.empty()) {
        throw ValueError("optimizer: the list of parameters is empty; pass module.parameters()");
    }
    const auto holds = [](std::span<const Tensor<T>> list, const Tensor<T>& wanted) {
        return std::ranges::any_of(list, [&](const Tensor<T>& x) { return x.ref() == wanted.ref(); });
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!parameters[i].requires_grad() || !parameters[i].is_leaf()) {
            throw ValueError(
                fmt::format("optimizer: tensor {} of shape {} is no parameter; make it with xtape::parameter", i,
                            to_string(parameters[i].shape())));
        }
        const bool twice =
            holds(std::span(parameters).first(i), parameters[i]) ||
            std::ranges::any_of(groups_, [&](const Group& group) { return holds(group.parameters, parameters[i]); });
        if (twice) {
            throw ValueError(
                fmt::format("optimizer: parameter {} of shape {} is given twice; each may be in one group only", i,
                            to_string(parameters[i].shape())));
        }
    }
    groups_.push_back({std::move(parameters), std::move(options)});
}

template <class T, class Options>
void Optimizer<T, Options>::zero_grad() const {
    for (const Group& group : groups_) {
        for (const Tensor<T>& parameter : group.parameters) {
            parameter.zero_grad();
        }
    }
}

template <class T, class Options>
ScheduledOptions Optimizer<T, Options>::scheduled(std::size_t group) {
    if (group >= groups_.size()) {
        throw ValueError(fmt::format("optimizer: group {} of {}", group, groups_.size()));
    }
    Options& options = groups_[group].options;
    double* momentum = nullptr;
    if constexpr (requires { options.betas; }) {
        momentum = options.betas.data();
    } else if constexpr (requires { options.momentum; }) {
        momentum = &options.momentum;
    }
    return {options.lr, momentum, groups_[group].initial_lr};
}

// ----------------------------------------------------------------------------------------------------- state dicts

namespace detail {

inline std::string group_prefix(std::size_t group) { return fmt::format("param_groups.{}.", group); }

/// PyTorch's "params": the numbers of a group's parameters, counted through all groups.
inline std::vector<std::int64_t> numbers_from(std::size_t first, std::size_t count) {
    std::vector<std::int64_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), static_cast<std::int64_t>(first));
    return numbers;
}

}  // namespace detail

template <class T, class Options>
void Optimizer<T, Options>::write_groups(io::StateDict& state) const {
    std::size_t first = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        const Group& group = groups_[g];
        const std::string prefix = detail::group_prefix(g);
        Rule<Options>::for_each(group.options,
                                [&](const char* name, const auto& value) { write(state, prefix + name, value); });
        write(state, prefix + "initial_lr", group.initial_lr);
        write(state, prefix + "params", detail::numbers_from(first, group.parameters.size()));
        first += group.parameters.size();
    }
}

template <class T, class Options>
std::vector<typename Optimizer<T, Options>::GroupState> Optimizer<T, Options>::read_groups(StateReader& reader) const {
    std::vector<GroupState> states;
    std::size_t first = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        const Group& group = groups_[g];
        const std::string prefix = detail::group_prefix(g);
        auto& [options, initial_lr] = states.emplace_back(group.options, group.initial_lr);
        Rule<Options>::for_each(options, [&](const char* name, auto& value) { reader.read(prefix + name, value); });
        try {
            options.check();
        } catch (const ValueError& error) {
            reader.refuse(fmt::format("param_groups.{}: {}", g, error.what()));
        }
        reader.read(prefix + "initial_lr", initial_lr);

        const std::vector<std::int64_t> here = detail::numbers_from(first, group.parameters.size());
        std::vector<double> there(here.begin(), here.end());
        reader.read(prefix + "params", there);
        if (!std::ranges::equal(there, here)) {
            reader.refuse(prefix + "params: parameters are numbered one after the other, through all groups");
        }
        first += here.size();
    }
    return states;
}

template <class T, class Options>
void Optimizer<T, Options>::replace(std::vector<GroupState>&& states) noexcept {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        groups_[g].options = states[g].first;
        groups_[g].initial_lr = states[g].second;
    }
}

}  // namespace xtape::optim
