#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "options.hpp"

namespace train {

using Network = xtape::nn::Sequential<float>;

/// Linear layers of the options' widths with an activation, and dropout if any, after each but the last. Parameters are
/// called as in PyTorch's Sequential: 0.weight, 0.bias, 2.weight, ...
Network make_network(std::size_t inputs, std::size_t outputs, const Options& options);

/// "784-512-256-10"
std::string describe_network(std::size_t inputs, std::size_t outputs, const Options& options);

std::unique_ptr<xtape::optim::OptimizerBase> make_optimizer(Network& network, const Options& options);

/// The schedules of a run, each stepped when it is due.
class Schedules {
public:
    Schedules(xtape::optim::OptimizerBase& optimizer, const Options& options, std::size_t batches_an_epoch);

    /// Call after each of the optimiser's steps.
    void step_done() const;
    /// Call after each epoch, with the loss that tells whether there is progress.
    void epoch_done(double loss) const;

    xtape::io::StateDict state_dict() const;
    /// Throws ValueError for a state of other schedules.
    void load_state_dict(const xtape::io::StateDict& state);

private:
    std::vector<std::unique_ptr<xtape::optim::Schedule>> all_;
    std::vector<xtape::optim::StepwiseSchedule*> by_step_;
    std::vector<xtape::optim::StepwiseSchedule*> by_epoch_;
    xtape::optim::ReduceLROnPlateau* by_loss_ = nullptr;
};

/// The norm of the gradients of each layer's parameters together, by the layers' names, in order.
std::vector<std::pair<std::string, double>> gradient_norms(Network& network);

}  // namespace train
