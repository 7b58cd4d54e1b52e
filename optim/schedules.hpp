#pragma once

#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <xtape/io/array.hpp>
#include <xtape/optim/optimizer.hpp>

namespace xtape::optim {

class StateReader;

/// A schedule changes the learning rates of an optimiser's groups: those that are there when it is made, each from its
/// own rate. It refers to the optimiser, which must stay where it is while the schedule is used. Rates are PyTorch's:
/// mostly a step multiplies the rate that it finds, so that several schedules, or a program's own changes, add up.
///
/// To go on with a saved run, first make optimiser and schedules, which sets rates, then load the states of all.
class Schedule {
public:
    virtual ~Schedule() = default;
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

    /// The groups' learning rates that the last step set.
    [[nodiscard]] const std::vector<double>& last_lr() const noexcept { return progress_.last_lr; }

    /// How far it got, by PyTorch's names ("last_epoch", "base_lrs", ...); options are not in it.
    [[nodiscard]] virtual io::StateDict state_dict() const;
    /// Goes on from there; the optimiser's own state brings its rates. Throws ValueError that lists every missing,
    /// unexpected and mis-shaped entry and every value that is not allowed; then nothing was changed.
    virtual void load_state_dict(const io::StateDict& state) = 0;

protected:
    /// What every schedule remembers: the steps so far, and the rates that they led to.
    struct Progress {
        std::size_t last_epoch = 0;
        std::vector<double> last_lr;
    };

    Schedule(const char* name, OptimizerBase& optimizer);
    [[nodiscard]] Progress read(StateReader& reader) const;

    const char* name_;
    OptimizerBase* optimizer_;
    Progress progress_;
};

/// A schedule that depends on nothing but the number of steps.
class StepwiseSchedule : public Schedule {
public:
    /// To be called after each epoch, or after each of the optimiser's steps, as the schedule is meant.
    void step();
    [[nodiscard]] io::StateDict state_dict() const override;
    void load_state_dict(const io::StateDict& state) override;

protected:
    using Schedule::Schedule;
    /// The last thing that a constructor does: sets the rates of epoch 0.
    void start();

    std::vector<double> base_lrs_;  // before the first schedule

private:
    /// A group's rate at this epoch, where it was `lr` before.
    [[nodiscard]] virtual double rate(std::size_t epoch, std::size_t group, double lr) const = 0;
    /// Its momentum, if that is changed too.
    [[nodiscard]] virtual std::optional<double> momentum(std::size_t, std::size_t) const { return {}; }
    /// The last epoch that there is.
    [[nodiscard]] virtual std::size_t end() const { return std::numeric_limits<std::size_t>::max(); }
    void set(std::size_t epoch);
};

/// An option with one value for all groups, or one for each.
class PerGroup {
public:
    PerGroup(double value) : values_{value} {}
    PerGroup(std::initializer_list<double> values) : values_(values) {}
    PerGroup(std::vector<double> values) : values_(std::move(values)) {}

    [[nodiscard]] double operator[](std::size_t group) const { return values_[values_.size() == 1 ? 0 : group]; }
    [[nodiscard]] const std::vector<double>& values() const noexcept { return values_; }

private:
    std::vector<double> values_;
};

// The options' names and defaults are PyTorch's; what has no default there must be given. Constructors throw ValueError
// naming the option, its value, and what is allowed, and then leave the optimiser as it was.

struct StepLROptions {
    std::size_t step_size = 0;  ///< epochs between two changes: at least 1, to be given
    double gamma = 0.1;         ///< not negative
};
/// Multiplies the rates by gamma every step_size epochs, for ever.
class StepLR : public StepwiseSchedule {
public:
    StepLR(OptimizerBase& optimizer, StepLROptions options);

private:
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    StepLROptions options_;
};

struct MultiStepLROptions {
    std::vector<std::size_t> milestones{};  ///< in any order; what is there twice counts twice
    double gamma = 0.1;                     ///< not negative
};
/// Multiplies the rates by gamma at each of the milestones, which are epochs; afterwards they stay.
class MultiStepLR : public StepwiseSchedule {
public:
    MultiStepLR(OptimizerBase& optimizer, MultiStepLROptions options);

private:
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    MultiStepLROptions options_;
};

struct ExponentialLROptions {
    double gamma = 0;  ///< above 0, to be given
};
/// Multiplies the rates by gamma every epoch, for ever.
class ExponentialLR : public StepwiseSchedule {
public:
    ExponentialLR(OptimizerBase& optimizer, ExponentialLROptions options);

private:
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    ExponentialLROptions options_;
};

struct CosineAnnealingLROptions {
    std::size_t t_max = 0;  ///< epochs from the highest rate to the lowest: at least 1, to be given
    double eta_min = 0;     ///< the lowest rate: not negative
};
/// η = eta_min + (η₀ - eta_min) (1 + cos(π epoch / t_max)) / 2, step by step: I. Loshchilov and F. Hutter, "SGDR"
/// (2017), without the restarts. Beyond t_max the rates rise again by the same cosine, and so on.
class CosineAnnealingLR : public StepwiseSchedule {
public:
    CosineAnnealingLR(OptimizerBase& optimizer, CosineAnnealingLROptions options);

private:
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    CosineAnnealingLROptions options_;
};

struct LinearWarmupOptions {
    double start_factor = 1.0 / 3;  ///< above 0 and at most 1
    double end_factor = 1;          ///< from 0 to 1
    std::size_t total_iters = 5;    ///< epochs from one to the other: at least 1
};
/// PyTorch's LinearLR: the rates are multiplied by a factor that goes from start_factor to end_factor in equal steps;
/// afterwards they stay.
class LinearWarmup : public StepwiseSchedule {
public:
    explicit LinearWarmup(OptimizerBase& optimizer, LinearWarmupOptions options = {});

private:
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    LinearWarmupOptions options_;
};

/// Along what OneCycleLR goes from one value to the next.
enum class AnnealStrategy { cos, linear };

struct OneCycleLROptions {
    PerGroup max_lr = 0.0;        ///< the rates' peak: above 0, to be given
    std::size_t total_steps = 0;  ///< of the optimiser: at least 1, to be given
    double pct_start = 0.3;       ///< the part of the steps in which the rates rise: from 0 to 1
    AnnealStrategy anneal_strategy = AnnealStrategy::cos;
    bool cycle_momentum = true;     ///< momentum, or the first of betas, goes the other way
    PerGroup base_momentum = 0.85;  ///< its lowest value, at the rates' peak: at least 0 and below 1
    PerGroup max_momentum = 0.95;   ///< its highest, at both ends: likewise
    double div_factor = 25;         ///< peak over first rate: above 0
    double final_div_factor = 1e4;  ///< first rate over last: above 0
    bool three_phase = false;       ///< back to the first rate as fast as up from it, and then down to the last
};
/// L. N. Smith and N. Topin, "Super-convergence" (2019): up from max_lr / div_factor to max_lr and down to the last
/// rate, whatever the optimiser's rates were. `step` is to be called after each step of the optimiser, total_steps
/// times at most, as in PyTorch; once more is a ValueError that changes nothing. Throws ValueError where momentum is to
/// be cycled and the optimiser has none.
class OneCycleLR : public StepwiseSchedule {
public:
    OneCycleLR(OptimizerBase& optimizer, OneCycleLROptions options);

private:
    /// Where in the cycle an epoch is: between two of the rates or momenta, which are numbered low, high, final.
    struct Place {
        int from;
        int to;
        double part;
    };
    [[nodiscard]] Place place(std::size_t epoch) const;
    [[nodiscard]] double between(double from, double to, double part) const;
    [[nodiscard]] double rate(std::size_t epoch, std::size_t group, double lr) const override;
    [[nodiscard]] std::optional<double> momentum(std::size_t epoch, std::size_t group) const override;
    [[nodiscard]] std::size_t end() const override { return options_.total_steps; }
    OneCycleLROptions options_;
};

/// Whether ReduceLROnPlateau's metric is to fall or to rise.
enum class PlateauMode { min, max };
/// Whether its threshold is a part of the best metric or a difference to it.
enum class ThresholdMode { rel, abs };

struct ReduceLROnPlateauOptions {
    PlateauMode mode = PlateauMode::min;
    double factor = 0.1;        ///< what rates are multiplied by: at least 0 and below 1
    std::size_t patience = 10;  ///< epochs without improvement that are let pass
    double threshold = 1e-4;    ///< by less it is no improvement: not negative
    ThresholdMode threshold_mode = ThresholdMode::rel;
    std::size_t cooldown = 0;  ///< epochs after a reduction that don't count
    PerGroup min_lr = 0.0;     ///< no rate gets lower than this: not negative
    double eps = 1e-8;         ///< nor is one reduced by no more than this: not negative
};
/// Multiplies the rates by a factor when a metric has stopped improving for more than `patience` epochs. A metric that
/// is NaN is no improvement.
class ReduceLROnPlateau : public Schedule {
public:
    explicit ReduceLROnPlateau(OptimizerBase& optimizer, ReduceLROnPlateauOptions options = {});

    /// To be called after each epoch.
    void step(double metric);
    [[nodiscard]] io::StateDict state_dict() const override;
    void load_state_dict(const io::StateDict& state) override;

private:
    [[nodiscard]] bool improves(double metric) const;

    ReduceLROnPlateauOptions options_;
    double best_;
    std::size_t num_bad_epochs_ = 0;
    std::size_t cooldown_counter_ = 0;
};

}  // namespace xtape::optim
