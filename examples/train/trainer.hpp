#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <xtape/data/loader.hpp>

#include "course.hpp"
#include "samples.hpp"

namespace train {

/// The training itself: goes through the samples, epoch by epoch, from wherever `moving` is.
template <class Label>
class Trainer {
public:
    /// What others do meanwhile.
    struct Watch {
        std::function<void()> batch_done;              ///< cheap, please
        std::function<void(const Epoch&)> epoch_done;  ///< the course has the epoch in its history
        std::function<void()> save;                    ///< writes a checkpoint
        std::function<bool()> interrupted;             ///< whether to stop after this batch
    };

    /// All of these must outlive the trainer.
    Trainer(const Options& options, const Data& data, const Samples<Label>& samples, Moving& moving, Watch watch);

    /// Until the options ask for no more, or until interrupted; then false. Either way a checkpoint has been saved.
    /// Throws ValueError if the loss is no longer finite.
    bool run();

    /// The batches of an epoch.
    std::size_t batches() const { return loader_.size(); }
    /// The scores of the epoch under way.
    Scores scores() const { return measure_.of(moving_.course.sums); }

private:
    using Clock = std::chrono::steady_clock;

    bool run_epoch();
    void step(const xtape::Tensor<float>& x, const xt::xarray<Label>& y, bool last);
    void end_epoch();
    void save();
    void count_seconds();

    const Options& options_;
    const Samples<Label>& samples_;
    Moving& moving_;
    Watch watch_;
    xtape::data::DataLoader<float, Label> loader_;
    std::vector<xtape::Tensor<float>> parameters_;
    Objective objective_;
    Measure measure_;
    Epoch epoch_;  // of what its last step tells
    Clock::time_point counted_ = Clock::now();
    Clock::time_point saved_ = Clock::now();
    bool is_saved_ = false;
};

extern template class Trainer<int>;
extern template class Trainer<float>;

/// The loss of a data set's classes or values, with the options' weights.
template <class Label>
Objective objective_of(const Options& options, const Data& data, const Samples<Label>& samples);

}  // namespace train
