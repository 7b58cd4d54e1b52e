#pragma once

// The definitions behind elementwise_optimizer.hpp, for the sources that instantiate such an optimiser.

#include <optional>
#include <utility>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/optim/elementwise_optimizer.hpp>
#include <xtape/optim/optimizer_impl.hpp>

namespace xtape::optim {

/// What an elementwise optimiser's Rule has beside a name and a list of options:
///
///     static constexpr std::array buffers{"exp_avg", ...};                   // what is remembered, by PyTorch's names
///     static bool uses(const Options&, std::size_t buffer);
///     static double initial_value(const Options&);                          // of a buffer
///     static constexpr bool counts_steps;                                   // whether PyTorch saves a "step"
///     static Step step(const Options&, std::size_t t, bool fresh);          // at a parameter's t-th step; fresh: a
///                                                                           // buffer was made for it
///     template <class T> static auto kernel();                              // (theta, buffers..., gradient, n, Step)
///
/// A rule that doesn't count its steps starts anew where it finds no buffer.
template <class Options>
using StepOf = decltype(Rule<Options>::step(std::declval<const Options&>(), std::size_t{}, bool{}));

namespace detail {

/// Runs the kernel over all elements, on several threads where it pays.
template <class T, class Kernel, class Step, std::size_t... K>
void update(Kernel kernel, T* theta, const std::array<T*, sizeof...(K)>& buffers, const T* gradient, std::size_t n,
            const Step& step, std::index_sequence<K...>) {
    parallel::for_ranges(n, 1, [=](std::size_t from, std::size_t to) {
        kernel(theta + from, (buffers[K] == nullptr ? nullptr : buffers[K] + from)..., gradient + from, to - from,
               step);
    });
}

}  // namespace detail

template <class T, class Options>
ElementwiseOptimizer<T, Options>::ElementwiseOptimizer(std::vector<Tensor<T>> parameters, Options options) {
    this->add_group(std::move(parameters), std::move(options));
}

template <class T, class Options>
void ElementwiseOptimizer<T, Options>::step() {
    using R = Rule<Options>;
    constexpr std::size_t buffer_count = R::buffers.size();
    for (const auto& group : this->groups_) {
        group.options.check();
    }
    memories_.resize(this->groups_.size());
    for (std::size_t g = 0; g < this->groups_.size(); ++g) {
        const auto& parameters = this->groups_[g].parameters;
        const Options& options = this->groups_[g].options;
        memories_[g].resize(parameters.size());
        std::optional<StepOf<Options>> step;  // mostly the same for all parameters of a group
        std::pair<std::size_t, bool> step_is_of;
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            if (!parameters[i].has_grad()) {
                continue;
            }
            const Tensor<T> gradient = parameters[i].grad();
            Memory& memory = memories_[g][i];
            // What may throw comes before the step is counted; a buffer that was made in vain is as good as none.
            T* const theta = begin_overwrite(parameters[i], true);
            std::array<T*, buffer_count> buffers{};
            bool fresh = false;
            for (std::size_t k = 0; k < buffer_count; ++k) {
                if (R::uses(options, k)) {
                    Tensor<T>& buffer = memory.buffers[k];
                    if (!buffer) {
                        buffer = full<T>(gradient.shape(), R::initial_value(options));
                        fresh = true;
                    }
                    buffers[k] = begin_overwrite(buffer, true);
                }
            }
            const std::pair at{++memory.steps, fresh};
            if (!step || step_is_of != at) {
                step = R::step(options, memory.steps, fresh);
                step_is_of = at;
            }
            detail::update(R::template kernel<T>(), theta, buffers, gradient.data(), gradient.size(), *step,
                           std::make_index_sequence<buffer_count>());
        }
    }
}

template <class T, class Options>
io::StateDict ElementwiseOptimizer<T, Options>::state_dict() const {
    using R = Rule<Options>;
    io::StateDict state;
    this->write_groups(state);
    std::size_t number = 0;
    for (std::size_t g = 0; g < this->groups_.size(); ++g) {
        const auto& [parameters, options, initial_lr] = this->groups_[g];
        for (std::size_t i = 0; i < parameters.size(); ++i, ++number) {
            if (g >= memories_.size() || i >= memories_[g].size()) {
                continue;
            }
            const Memory& memory = memories_[g][i];
            const bool remembers =
                memory.steps > 0 || std::ranges::any_of(memory.buffers, [](const auto& b) { return bool(b); });
            const std::string prefix = fmt::format("state.{}.", number);
            if (R::counts_steps && remembers) {
                write(state, prefix + "step", memory.steps);
            }
            for (std::size_t k = 0; k < R::buffers.size(); ++k) {
                if (memory.buffers[k]) {
                    state.emplace(prefix + R::buffers[k], memory.buffers[k].value());
                } else if (R::counts_steps && remembers && R::uses(options, k)) {
                    // What the next step would begin with.
                    state.emplace(prefix + R::buffers[k],
                                  full<T>(parameters[i].shape(), R::initial_value(options)).value());
                }
            }
        }
    }
    return state;
}

template <class T, class Options>
void ElementwiseOptimizer<T, Options>::load_state_dict(const io::StateDict& state) {
    using R = Rule<Options>;
    StateReader reader(state, R::name);
    auto groups = this->read_groups(reader);
    std::vector<std::vector<Memory>> memories(this->groups_.size());
    std::size_t number = 0;
    for (std::size_t g = 0; g < this->groups_.size(); ++g) {
        for (const Tensor<T>& parameter : this->groups_[g].parameters) {
            Memory& memory = memories[g].emplace_back();
            const std::string prefix = fmt::format("state.{}.", number++);
            const auto has = [&](const char* name) { return reader.has(prefix + name); };
            const bool remembers =
                R::counts_steps && (has("step") || std::any_of(R::buffers.begin(), R::buffers.end(), has));
            if (remembers) {
                reader.read(prefix + "step", memory.steps);
            }
            for (std::size_t k = 0; k < R::buffers.size(); ++k) {
                if ((remembers && R::uses(groups[g].first, k)) || has(R::buffers[k])) {
                    const std::vector<std::size_t> shape(parameter.shape().begin(), parameter.shape().end());
                    if (const io::Array* array = reader.array(prefix + R::buffers[k], shape)) {
                        memory.buffers[k] = Tensor<T>(array->cast<T>());
                    }
                }
            }
        }
    }
    reader.finish();
    this->replace(std::move(groups));
    memories_ = std::move(memories);
}

}  // namespace xtape::optim
