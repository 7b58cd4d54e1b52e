#include "model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/checkpoint.hpp>

namespace train {
namespace {

namespace nn = xtape::nn;
namespace optim = xtape::optim;

nn::Activation activation_of(const std::string& name) {
    constexpr std::array activations{nn::Activation::identity,   nn::Activation::relu, nn::Activation::tanh,
                                     nn::Activation::sigmoid,    nn::Activation::gelu, nn::Activation::silu,
                                     nn::Activation::leaky_relu, nn::Activation::elu,  nn::Activation::softplus,
                                     nn::Activation::log_sigmoid};
    static_assert(activations.size() == activation_names.size());
    const auto found = std::ranges::find(activation_names, name);
    if (found == activation_names.end()) {
        throw xtape::ValueError(fmt::format("activation {} is not one of {}", name, fmt::join(activation_names, ", ")));
    }
    return activations.at(static_cast<std::size_t>(found - activation_names.begin()));
}

optim::OneCycleLROptions one_cycle_options(const Options& options, std::size_t steps) {
    return {.max_lr = options.lr.value(),
            .total_steps = steps,
            .pct_start = options.pct_start,
            .anneal_strategy = options.anneal == "cos" ? optim::AnnealStrategy::cos : optim::AnnealStrategy::linear,
            // Momentum that was switched off stays off.
            .cycle_momentum = options.betas.has_value() || options.momentum.value_or(0) > 0,
            .base_momentum = options.base_momentum,
            .max_momentum = options.max_momentum,
            .div_factor = options.div_factor,
            .final_div_factor = options.final_div_factor};
}

}  // namespace

Network make_network(std::size_t inputs, std::size_t outputs, const Options& options) {
    Network network;
    std::size_t width = inputs;
    for (const std::size_t next : options.layers) {
        network.append(std::make_unique<nn::Linear<float>>(width, next));
        network.append(nn::activation_module<float>(activation_of(options.activation)));
        if (options.dropout > 0) {
            network.append(std::make_unique<nn::Dropout<float>>(options.dropout));
        }
        width = next;
    }
    network.append(std::make_unique<nn::Linear<float>>(width, outputs));
    return network;
}

std::string describe_network(std::size_t inputs, std::size_t outputs, const Options& options) {
    std::string text = fmt::format("{}", inputs);
    for (const std::size_t width : options.layers) {
        text += fmt::format("-{}", width);
    }
    return text + fmt::format("-{}", outputs);
}

std::unique_ptr<optim::OptimizerBase> make_optimizer(Network& network, const Options& o) {
    const auto parameters = network.parameters();
    const double lr = o.lr.value();
    const double weight_decay = o.weight_decay.value();
    const auto betas = [&] { return std::array{o.betas.value().at(0), o.betas.value().at(1)}; };
    if (o.optimizer == "sgd") {
        return std::make_unique<optim::SGD<float>>(parameters, optim::SGDOptions{.lr = lr,
                                                                                 .momentum = o.momentum.value(),
                                                                                 .weight_decay = weight_decay,
                                                                                 .nesterov = o.nesterov});
    }
    if (o.optimizer == "adam") {
        return std::make_unique<optim::Adam<float>>(
            parameters,
            optim::AdamOptions{
                .lr = lr, .betas = betas(), .eps = o.eps.value(), .weight_decay = weight_decay, .amsgrad = o.amsgrad});
    }
    if (o.optimizer == "adamw") {
        return std::make_unique<optim::AdamW<float>>(
            parameters,
            optim::AdamWOptions{
                .lr = lr, .betas = betas(), .eps = o.eps.value(), .weight_decay = weight_decay, .amsgrad = o.amsgrad});
    }
    if (o.optimizer == "rmsprop") {
        return std::make_unique<optim::RMSprop<float>>(parameters, optim::RMSpropOptions{.lr = lr,
                                                                                         .eps = o.eps.value(),
                                                                                         .weight_decay = weight_decay,
                                                                                         .alpha = o.alpha.value(),
                                                                                         .momentum = o.momentum.value(),
                                                                                         .centered = o.centered});
    }
    if (o.optimizer == "adagrad") {
        return std::make_unique<optim::Adagrad<float>>(
            parameters,
            optim::AdagradOptions{
                .lr = lr, .eps = o.eps.value(), .weight_decay = weight_decay, .lr_decay = o.lr_decay.value()});
    }
    throw xtape::ValueError(
        fmt::format("optimizer {} is not one of {}", o.optimizer, fmt::join(optimizer_names, ", ")));
}

Schedules::Schedules(optim::OptimizerBase& optimizer, const Options& o, std::size_t batches_an_epoch) {
    const auto add = [&](auto schedule, auto& list) {
        list.push_back(schedule.get());
        all_.push_back(std::move(schedule));
    };
    for (const std::string& name : o.schedule) {
        if (name == "step") {
            add(std::make_unique<optim::StepLR>(
                    optimizer, optim::StepLROptions{.step_size = o.step_size.value(), .gamma = o.gamma.value()}),
                by_epoch_);
        } else if (name == "multistep") {
            add(std::make_unique<optim::MultiStepLR>(
                    optimizer, optim::MultiStepLROptions{.milestones = o.milestones, .gamma = o.gamma.value()}),
                by_epoch_);
        } else if (name == "exponential") {
            add(std::make_unique<optim::ExponentialLR>(optimizer,
                                                       optim::ExponentialLROptions{.gamma = o.gamma.value()}),
                by_epoch_);
        } else if (name == "cosine") {
            add(std::make_unique<optim::CosineAnnealingLR>(
                    optimizer, optim::CosineAnnealingLROptions{.t_max = o.epochs, .eta_min = o.eta_min}),
                by_epoch_);
        } else if (name == "warmup") {
            add(std::make_unique<optim::LinearWarmup>(
                    optimizer, optim::LinearWarmupOptions{.start_factor = o.warmup_start,
                                                          .total_iters = o.warmup_epochs * batches_an_epoch}),
                by_step_);
        } else if (name == "onecycle") {
            add(std::make_unique<optim::OneCycleLR>(optimizer, one_cycle_options(o, o.epochs * batches_an_epoch)),
                by_step_);
        } else if (name == "plateau") {
            auto plateau = std::make_unique<optim::ReduceLROnPlateau>(
                optimizer, optim::ReduceLROnPlateauOptions{.factor = o.plateau_factor,
                                                           .patience = o.plateau_patience,
                                                           .threshold = o.plateau_threshold,
                                                           .min_lr = o.min_lr});
            by_loss_ = plateau.get();
            all_.push_back(std::move(plateau));
        } else if (name != "none") {
            throw xtape::ValueError(fmt::format("schedule {} is not one of {}", name, fmt::join(schedule_names, ", ")));
        }
    }
}

void Schedules::step_done() const {
    for (auto* schedule : by_step_) {
        schedule->step();
    }
}

void Schedules::epoch_done(double loss) const {
    for (auto* schedule : by_epoch_) {
        schedule->step();
    }
    if (by_loss_ != nullptr) {
        by_loss_->step(loss);
    }
}

xtape::io::StateDict Schedules::state_dict() const {
    xtape::io::StateDict state;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        xtape::io::insert_part(state, fmt::format("{}", i), all_[i]->state_dict());
    }
    return state;
}

void Schedules::load_state_dict(const xtape::io::StateDict& state) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        all_[i]->load_state_dict(xtape::io::extract_part(state, fmt::format("{}", i)));
    }
}

std::vector<std::pair<std::string, double>> gradient_norms(Network& network) {
    std::vector<std::pair<std::string, double>> norms;
    for (const auto& [name, parameter] : network.named_parameters()) {
        const std::string layer = name.substr(0, name.rfind('.'));
        if (norms.empty() || norms.back().first != layer) {
            norms.emplace_back(layer, 0);
        }
        if (parameter.has_grad()) {
            const xtape::Tensor<float> gradient = parameter.grad();
            double squares = 0;
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                const auto g = static_cast<double>(gradient.data()[i]);
                squares += g * g;
            }
            norms.back().second = std::hypot(norms.back().second, std::sqrt(squares));
        }
    }
    return norms;
}

}  // namespace train
