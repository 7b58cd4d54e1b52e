#pragma once

// The definitions behind optimizer.hpp, for the sources that instantiate an optimiser.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/optim/optimizer.hpp>

namespace xtape::optim {

inline void check_not_negative(const char* optimizer, const char* option, double value) {
    if (!(value >= 0) || !std::isfinite(value)) {
        throw ValueError(fmt::format("{}: {} is {}; it must be finite and not negative", optimizer, option, value));
    }
}

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

}  // namespace xtape::optim
