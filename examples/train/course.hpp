#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <xtape/io/checkpoint.hpp>

#include "model.hpp"
#include "samples.hpp"
#include "scores.hpp"

namespace train {

/// What is known of an epoch when it has ended.
struct Epoch {
    std::size_t number = 0;  ///< from 1
    Scores training;         ///< means over the epoch's batches, each before its step
    std::optional<Scores> validation;
    double lr = 0;                                               ///< of the last step
    double seconds = 0;                                          ///< that it took
    std::vector<std::pair<std::string, double>> gradient_norms;  ///< by layer, in the last step
};

/// A line of the metrics file. Values of a regression have an "rmse" where classes have an "accuracy".
Json to_json(const Epoch& epoch, Task task);

/// How far a run has come, and what it remembers of its way.
struct Course {
    std::size_t epoch = 0;     ///< epochs that ended
    std::size_t batch = 0;     ///< batches done in the one under way
    Sums sums;                 ///< over these batches
    double seconds = 0;        ///< spent on training
    double epoch_seconds = 0;  ///< of these, on the epoch under way
    std::vector<Epoch> history;

    // Of early stopping.
    std::size_t best_epoch = 0;  ///< that with the lowest validation loss, from 1; 0: none yet
    double best_loss = 0;
    xtape::io::StateDict best_weights;

    /// Whether the options ask for no more.
    bool is_finished(const Options& options) const;
};

/// All that moves while a run goes on. A checkpoint holds it, and the state of the random numbers.
struct Moving {
    Network network;
    std::unique_ptr<xtape::optim::OptimizerBase> optimizer;
    Schedules schedules;
    Course course;
};

/// What a checkpoint holds beside.
struct RunFacts {
    Json configuration;  ///< see course_of
    Json preprocessing;
    std::string fingerprint;
    std::string test_fingerprint;
};

RunFacts facts_of(const Options& options, const Data& data);
/// As JSON, for the texts of a file.
std::map<std::string, std::string> texts_of(const RunFacts& facts);
/// One of a file's texts. Throws ValueError if it is not there.
Json text_of(const xtape::io::Checkpoint& file, const char* name);

/// Replaces the checkpoint at once. Throws IoError.
void save_checkpoint(const std::string& path, const RunFacts& facts, Moving& moving, bool finished);

/// The configuration of a checkpoint. Throws ValueError if it has none.
Json configuration_of(const xtape::io::Checkpoint& checkpoint);
/// Whether the run had come to its end.
bool was_finished(const xtape::io::Checkpoint& checkpoint);

/// Goes on where a checkpoint was written: moving parts that were made with the same configuration become as they were
/// there, and so do this thread's random numbers. Throws IoError if it was made with other data.
void restore(const xtape::io::Checkpoint& checkpoint, const RunFacts& facts, Moving& moving);

}  // namespace train
