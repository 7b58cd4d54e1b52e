#include "trainer.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/labels.hpp>

namespace train {

template <class Label>
Objective objective_of(const Options& options, const Data& data, const Samples<Label>& samples) {
    xt::xarray<double> weights = xt::xarray<double>::from_shape({0});
    if constexpr (std::is_integral_v<Label>) {
        if (options.class_weights == "balanced") {
            weights = xtape::data::class_weights(samples.train.labels(), data.preprocessing.outputs());
        }
    }
    return Objective(weights, options.label_smoothing);
}

template <class Label>
Trainer<Label>::Trainer(const Options& options, const Data& data, const Samples<Label>& samples, Moving& moving,
                        Watch watch)
    : options_(options), samples_(samples), moving_(moving), watch_(std::move(watch)),
      loader_(samples.train, {.batch_size = options.batch_size, .seed = options.seed, .prefetch = options.prefetch}),
      parameters_(moving.network.parameters()), objective_(objective_of(options, data, samples)),
      measure_(data.preprocessing) {}

template <class Label>
bool Trainer<Label>::run() {
    counted_ = saved_ = Clock::now();
    bool interrupted = false;
    while (!interrupted && !moving_.course.is_finished(options_)) {
        interrupted = !run_epoch();
    }
    if (!is_saved_) {
        save();
    }
    return moving_.course.is_finished(options_);
}

/// False if it was interrupted.
template <class Label>
bool Trainer<Label>::run_epoch() {
    Course& course = moving_.course;
    loader_.set_epoch(course.epoch, course.batch);
    for (auto& [x, y] : loader_) {
        const bool last = course.batch + 1 == loader_.size();
        step(x, y, last);
        ++course.batch;
        is_saved_ = false;
        watch_.batch_done();
        if (last) {
            break;  // before the loader moves on to nothing
        }
        if (watch_.interrupted()) {
            return false;
        }
        if (Clock::now() - saved_ > std::chrono::duration<double>(options_.checkpoint_every)) {
            save();
        }
    }
    end_epoch();
    return !watch_.interrupted();
}

template <class Label>
void Trainer<Label>::step(const xtape::Tensor<float>& x, const xt::xarray<Label>& y, bool last) {
    const auto predicted = moving_.network(x);
    const auto loss = objective_(predicted, y);
    moving_.optimizer->zero_grad();
    loss.backward();
    if (last) {
        epoch_.lr = moving_.optimizer->lr(0);
        epoch_.gradient_norms = gradient_norms(moving_.network);
    }
    if (options_.clip_norm > 0) {
        xtape::optim::clip_grad_norm(parameters_, options_.clip_norm);
    }
    moving_.optimizer->step();
    moving_.schedules.step_done();

    Sums& sums = moving_.course.sums;
    const auto samples = static_cast<double>(x.shape()[0]);
    sums.samples += samples;
    sums.loss += static_cast<double>(loss.item()) * samples;
    sums.measure += measure_(predicted, y);
    if (!std::isfinite(sums.loss)) {
        throw xtape::ValueError(
            fmt::format("the loss is no longer finite in epoch {}: try a smaller --lr (it is {}), or "
                        "--clip-norm 1",
                        moving_.course.epoch + 1, moving_.optimizer->lr(0)));
    }
}

template <class Label>
void Trainer<Label>::end_epoch() {
    Course& course = moving_.course;
    epoch_.number = course.epoch + 1;
    epoch_.training = measure_.of(course.sums);
    epoch_.validation.reset();
    double watched = epoch_.training.loss;
    if (samples_.validation.size() > 0) {
        epoch_.validation = evaluate(moving_.network, samples_.validation, objective_, measure_);
        watched = epoch_.validation->loss;
    }
    const bool better = std::isfinite(watched) && (course.best_epoch == 0 || watched < course.best_loss);
    if (options_.early_stopping && better) {
        course.best_epoch = epoch_.number;
        course.best_loss = watched;
        course.best_weights = moving_.network.state_dict();
    }
    moving_.schedules.epoch_done(watched);
    ++course.epoch;
    course.batch = 0;
    course.sums = {};
    count_seconds();
    epoch_.seconds = std::exchange(course.epoch_seconds, 0);
    course.history.push_back(epoch_);
    watch_.epoch_done(epoch_);
    if (Clock::now() - saved_ > std::chrono::duration<double>(options_.checkpoint_every / 10)) {
        save();
    }
}

template <class Label>
void Trainer<Label>::save() {
    count_seconds();
    watch_.save();
    saved_ = Clock::now();
    is_saved_ = true;
}

template <class Label>
void Trainer<Label>::count_seconds() {
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - counted_).count();
    moving_.course.seconds += seconds;
    moving_.course.epoch_seconds += seconds;
    counted_ = now;
}

#define XTAPE_INSTANTIATE(Label)   \
    template class Trainer<Label>; \
    template Objective objective_of(const Options&, const Data&, const Samples<Label>&);
XTAPE_INSTANTIATE(int)
XTAPE_INSTANTIATE(float)
#undef XTAPE_INSTANTIATE

}  // namespace train
