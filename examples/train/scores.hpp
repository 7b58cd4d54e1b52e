#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <xtape/data/dataset.hpp>
#include <xtape/nn/losses.hpp>

#include "model.hpp"
#include "preprocessing.hpp"
#include "support/terminal.hpp"

namespace train {

/// The loss that training lowers: the cross entropy of classes, or the mean square error of values.
class Objective {
public:
    Objective() = default;
    /// `weights` are the classes', empty for none.
    Objective(const xt::xarray<double>& weights, double label_smoothing);

    xtape::Tensor<float> operator()(const xtape::Tensor<float>& logits, const xt::xarray<int>& labels) const {
        return xtape::nn::cross_entropy(logits, labels, options_);
    }
    xtape::Tensor<float> operator()(const xtape::Tensor<float>& predicted, const xt::xarray<float>& values) const {
        return xtape::nn::mse_loss(predicted, values);
    }

private:
    xtape::nn::CrossEntropyOptions options_;
};

/// Sums over samples that come in batches: what an epoch's means are made of, and what a checkpoint keeps of them.
struct Sums {
    double samples = 0;
    double loss = 0;
    double measure = 0;  ///< how many were right; or of values the squared errors in their own units
};

/// How good predictions are.
struct Scores {
    double loss = 0;     ///< mean
    double measure = 0;  ///< accuracy; or of values the root of the mean square error, in their own units
};

/// Counts how good predictions are, in the target's own units.
class Measure {
public:
    explicit Measure(const Preprocessing& preprocessing);

    /// How many samples are right.
    double operator()(const xtape::Tensor<float>& logits, const xt::xarray<int>& labels) const;
    /// The sum of the squared errors of all values.
    double operator()(const xtape::Tensor<float>& predicted, const xt::xarray<float>& values) const;
    Scores of(const Sums& sums) const;

private:
    bool classes_;
    std::vector<double> scale_;  // of the values
};

/// What the test, or another look at samples, says.
struct Verdict {
    Scores scores;
    std::size_t samples = 0;
    support::ConfusionMatrix confusion{1};            ///< of classes
    double r2 = 0;                                    ///< of values: mean of all outputs'
    double mae = 0;                                   ///< of values: mean absolute error
    std::vector<std::pair<double, double>> points{};  ///< of values: truth and prediction, of the first output
};

/// The network's answers, in batches of a fixed size, so that the same samples get the same answers bit for bit.
xtape::Tensor<float> answers(Network& network, const xt::xarray<float>& inputs);

/// Loss and measure alone, for each epoch.
template <class Label>
Scores evaluate(Network& network, const xtape::data::Dataset<float, Label>& samples, const Objective& objective,
                const Measure& measure);

/// Everything, for the end.
template <class Label>
Verdict examine(Network& network, const xtape::data::Dataset<float, Label>& samples,
                const Preprocessing& preprocessing);

/// "test accuracy: 97.8%" or "test RMSE: 2.345, R2: 0.921"; `prefix` is "test " there.
std::string headline(const Verdict& verdict, Task task, const std::string& prefix);

/// The figures that a model file keeps, and that must come out again exactly.
Json figures(const Verdict& verdict, Task task);

}  // namespace train
