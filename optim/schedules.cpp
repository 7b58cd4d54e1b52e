#include <xtape/optim/schedules.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/optim/options.hpp>
#include <xtape/optim/state.hpp>

namespace xtape::optim {

namespace {

void check_at_least_1(const char* schedule, const char* option, std::size_t value) {
    check_option(value > 0, schedule, option, static_cast<double>(value), "at least 1");
}

template <class F>
void check_each(const char* schedule, const char* option, const PerGroup& values, std::size_t groups, F check_one) {
    const std::size_t count = values.values().size();
    if (count != 1 && count != groups) {
        throw ValueError(fmt::format("{}: {} has {} values for {} groups; give one for all or one for each", schedule,
                                     option, count, groups));
    }
    for (const double value : values.values()) {
        check_one(schedule, option, value);
    }
}

}  // namespace

// ------------------------------------------------------------------------------------------------ what all have

Schedule::Schedule(const char* name, OptimizerBase& optimizer) : name_(name), optimizer_(&optimizer) {
    for (std::size_t group = 0; group < optimizer.group_count(); ++group) {
        progress_.last_lr.push_back(optimizer.lr(group));
    }
}

io::StateDict Schedule::state_dict() const {
    io::StateDict state;
    write(state, "last_epoch", progress_.last_epoch);
    write(state, "last_lr", progress_.last_lr);
    return state;
}

Schedule::Progress Schedule::read(StateReader& reader) const {
    Progress progress = progress_;
    reader.read("last_epoch", progress.last_epoch);
    reader.read("last_lr", progress.last_lr);
    return progress;
}

void StepwiseSchedule::start() {
    for (std::size_t group = 0; group < optimizer_->group_count(); ++group) {
        const ScheduledOptions options = optimizer_->scheduled(group);
        if (!options.initial_lr) {
            options.initial_lr = options.lr;
        }
        base_lrs_.push_back(*options.initial_lr);
    }
    set(0);
}

void StepwiseSchedule::step() {
    if (progress_.last_epoch >= end()) {
        throw ValueError(fmt::format("{}: step {} of a schedule of {} steps; make it longer, or stop stepping it",
                                     name_, progress_.last_epoch + 1, end()));
    }
    set(progress_.last_epoch + 1);
}

void StepwiseSchedule::set(std::size_t epoch) {
    for (std::size_t group = 0; group < base_lrs_.size(); ++group) {
        const ScheduledOptions options = optimizer_->scheduled(group);
        options.lr = rate(epoch, group, options.lr);
        if (const auto value = momentum(epoch, group)) {
            *options.momentum = *value;
        }
        progress_.last_lr[group] = options.lr;
    }
    progress_.last_epoch = epoch;
}

io::StateDict StepwiseSchedule::state_dict() const {
    io::StateDict state = Schedule::state_dict();
    write(state, "base_lrs", base_lrs_);
    return state;
}

void StepwiseSchedule::load_state_dict(const io::StateDict& state) {
    StateReader reader(state, name_);
    Progress progress = read(reader);
    std::vector<double> base_lrs = base_lrs_;
    reader.read("base_lrs", base_lrs);
    if (progress.last_epoch > end()) {
        reader.refuse(fmt::format("last_epoch is {}; there are {} steps here", progress.last_epoch, end()));
    }
    reader.finish();
    progress_ = std::move(progress);
    base_lrs_ = std::move(base_lrs);
}

// -------------------------------------------------------------------------------------------- a factor now and then

StepLR::StepLR(OptimizerBase& optimizer, StepLROptions options)
    : StepwiseSchedule("StepLR", optimizer), options_(options) {
    check_at_least_1(name_, "step_size", options.step_size);
    check_not_negative(name_, "gamma", options.gamma);
    start();
}

double StepLR::rate(std::size_t epoch, std::size_t, double lr) const {
    return epoch == 0 || epoch % options_.step_size != 0 ? lr : lr * options_.gamma;
}

MultiStepLR::MultiStepLR(OptimizerBase& optimizer, MultiStepLROptions options)
    : StepwiseSchedule("MultiStepLR", optimizer), options_(std::move(options)) {
    check_not_negative(name_, "gamma", options_.gamma);
    start();
}

double MultiStepLR::rate(std::size_t epoch, std::size_t, double lr) const {
    const auto times = std::ranges::count(options_.milestones, epoch);
    return times == 0 ? lr : lr * std::pow(options_.gamma, static_cast<double>(times));
}

ExponentialLR::ExponentialLR(OptimizerBase& optimizer, ExponentialLROptions options)
    : StepwiseSchedule("ExponentialLR", optimizer), options_(options) {
    check_positive(name_, "gamma", options.gamma);
    start();
}

double ExponentialLR::rate(std::size_t epoch, std::size_t, double lr) const {
    return epoch == 0 ? lr : lr * options_.gamma;
}

// ----------------------------------------------------------------------------------------------------------- curves

CosineAnnealingLR::CosineAnnealingLR(OptimizerBase& optimizer, CosineAnnealingLROptions options)
    : StepwiseSchedule("CosineAnnealingLR", optimizer), options_(options) {
    check_at_least_1(name_, "t_max", options.t_max);
    check_not_negative(name_, "eta_min", options.eta_min);
    start();
}

double CosineAnnealingLR::rate(std::size_t epoch, std::size_t group, double lr) const {
    if (epoch == 0) {
        return lr;
    }
    const std::size_t period = options_.t_max;
    const auto height = [&](std::size_t at) {  // above the lowest, from 2 to 0
        return 1 + std::cos(std::numbers::pi * static_cast<double>(at) / static_cast<double>(period));
    };
    if (epoch > period && (epoch - 1 - period) % (2 * period) == 0) {  // from the lowest there is no factor up
        return lr + (base_lrs_[group] - options_.eta_min) * (2 - height(1)) / 2;
    }
    return height(epoch) / height(epoch - 1) * (lr - options_.eta_min) + options_.eta_min;
}

LinearWarmup::LinearWarmup(OptimizerBase& optimizer, LinearWarmupOptions options)
    : StepwiseSchedule("LinearWarmup", optimizer), options_(options) {
    check_option(options.start_factor > 0 && options.start_factor <= 1, name_, "start_factor", options.start_factor,
                 "above 0 and at most 1");
    check_option(options.end_factor >= 0 && options.end_factor <= 1, name_, "end_factor", options.end_factor,
                 "from 0 to 1");
    check_at_least_1(name_, "total_iters", options.total_iters);
    start();
}

double LinearWarmup::rate(std::size_t epoch, std::size_t, double lr) const {
    if (epoch == 0) {
        return lr * options_.start_factor;
    }
    if (epoch > options_.total_iters) {
        return lr;
    }
    const double rise = options_.end_factor - options_.start_factor;  // in all epochs together
    const double before =
        static_cast<double>(options_.total_iters) * options_.start_factor + static_cast<double>(epoch - 1) * rise;
    return lr * (1 + rise / before);
}

// -------------------------------------------------------------------------------------------------------- one cycle

OneCycleLR::OneCycleLR(OptimizerBase& optimizer, OneCycleLROptions options)
    : StepwiseSchedule("OneCycleLR", optimizer), options_(std::move(options)) {
    const std::size_t groups = optimizer.group_count();
    check_each(name_, "max_lr", options_.max_lr, groups, check_positive);
    check_at_least_1(name_, "total_steps", options_.total_steps);
    check_option(options_.pct_start >= 0 && options_.pct_start <= 1, name_, "pct_start", options_.pct_start,
                 "from 0 to 1");
    check_each(name_, "base_momentum", options_.base_momentum, groups, check_fraction);
    check_each(name_, "max_momentum", options_.max_momentum, groups, check_fraction);
    check_positive(name_, "div_factor", options_.div_factor);
    check_positive(name_, "final_div_factor", options_.final_div_factor);
    for (std::size_t group = 0; group < groups; ++group) {
        if (options_.cycle_momentum && optimizer.scheduled(group).momentum == nullptr) {
            throw ValueError("OneCycleLR: cycle_momentum is true, but this optimizer has neither momentum nor betas; "
                             "set it to false");
        }
    }
    for (std::size_t group = 0; group < groups; ++group) {
        optimizer.scheduled(group).initial_lr = options_.max_lr[group] / options_.div_factor;
    }
    start();
}

OneCycleLR::Place OneCycleLR::place(std::size_t epoch) const {
    struct Phase {
        double end;
        int from, to;
    };
    const auto steps = static_cast<double>(options_.total_steps);
    const double peak = options_.pct_start * steps - 1;
    const Phase three[] = {{peak, 0, 1}, {2 * peak, 1, 0}, {steps - 1, 0, 2}};
    const Phase two[] = {{peak, 0, 1}, {steps - 1, 1, 2}};
    const std::span<const Phase> phases = options_.three_phase ? std::span<const Phase>(three) : two;
    const auto at = static_cast<double>(epoch);
    double start = 0;
    for (const Phase& phase : phases.first(phases.size() - 1)) {
        if (at <= phase.end) {
            return {phase.from, phase.to, phase.end == start ? 1 : (at - start) / (phase.end - start)};
        }
        start = phase.end;
    }
    const Phase& last = phases.back();
    return {last.from, last.to, last.end == start ? 1 : (at - start) / (last.end - start)};
}

double OneCycleLR::between(double from, double to, double part) const {
    return options_.anneal_strategy == AnnealStrategy::cos
               ? to + (from - to) / 2 * (std::cos(std::numbers::pi * part) + 1)
               : (to - from) * part + from;
}

double OneCycleLR::rate(std::size_t epoch, std::size_t group, double) const {
    const double high = options_.max_lr[group];
    const double low = high / options_.div_factor;
    const double rates[] = {low, high, low / options_.final_div_factor};
    const Place here = place(epoch);
    return between(rates[here.from], rates[here.to], here.part);
}

std::optional<double> OneCycleLR::momentum(std::size_t epoch, std::size_t group) const {
    if (!options_.cycle_momentum) {
        return {};
    }
    const double momenta[] = {options_.max_momentum[group], options_.base_momentum[group],
                              options_.max_momentum[group]};
    const Place here = place(epoch);
    return between(momenta[here.from], momenta[here.to], here.part);
}

// -------------------------------------------------------------------------------------------------------- plateaus

ReduceLROnPlateau::ReduceLROnPlateau(OptimizerBase& optimizer, ReduceLROnPlateauOptions options)
    : Schedule("ReduceLROnPlateau", optimizer), options_(std::move(options)),
      best_(options_.mode == PlateauMode::min ? std::numeric_limits<double>::infinity()
                                              : -std::numeric_limits<double>::infinity()) {
    check_fraction(name_, "factor", options_.factor);
    check_not_negative(name_, "threshold", options_.threshold);
    check_each(name_, "min_lr", options_.min_lr, optimizer.group_count(), check_not_negative);
    check_not_negative(name_, "eps", options_.eps);
}

bool ReduceLROnPlateau::improves(double metric) const {
    const double by = options_.threshold;
    const bool relative = options_.threshold_mode == ThresholdMode::rel;
    return options_.mode == PlateauMode::min ? metric < (relative ? best_ * (1 - by) : best_ - by)
                                             : metric > (relative ? best_ * (1 + by) : best_ + by);
}

void ReduceLROnPlateau::step(double metric) {
    ++progress_.last_epoch;
    if (improves(metric)) {
        best_ = metric;
        num_bad_epochs_ = 0;
    } else {
        ++num_bad_epochs_;
    }
    if (cooldown_counter_ > 0) {
        --cooldown_counter_;
        num_bad_epochs_ = 0;
    }
    const bool reduces = num_bad_epochs_ > options_.patience;
    for (std::size_t group = 0; group < progress_.last_lr.size(); ++group) {
        double& lr = optimizer_->lr(group);
        const double reduced = std::max(lr * options_.factor, options_.min_lr[group]);
        if (reduces && lr - reduced > options_.eps) {
            lr = reduced;
        }
        progress_.last_lr[group] = lr;
    }
    if (reduces) {
        cooldown_counter_ = options_.cooldown;
        num_bad_epochs_ = 0;
    }
}

io::StateDict ReduceLROnPlateau::state_dict() const {
    io::StateDict state = Schedule::state_dict();
    write(state, "best", best_);
    write(state, "num_bad_epochs", num_bad_epochs_);
    write(state, "cooldown_counter", cooldown_counter_);
    return state;
}

void ReduceLROnPlateau::load_state_dict(const io::StateDict& state) {
    StateReader reader(state, name_);
    Progress progress = read(reader);
    double best = best_;
    std::size_t num_bad_epochs = 0;
    std::size_t cooldown_counter = 0;
    reader.read("best", best);
    reader.read("num_bad_epochs", num_bad_epochs);
    reader.read("cooldown_counter", cooldown_counter);
    reader.finish();
    progress_ = std::move(progress);
    best_ = best;
    num_bad_epochs_ = num_bad_epochs;
    cooldown_counter_ = cooldown_counter;
}

}  // namespace xtape::optim
