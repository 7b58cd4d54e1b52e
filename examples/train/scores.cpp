#include "scores.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <fmt/format.h>

#include <xtape/autograd/movement.hpp>

namespace train {
namespace {

constexpr std::size_t samples_at_once = 1000;

std::size_t largest(const float* row, std::size_t size) {
    return static_cast<std::size_t>(std::max_element(row, row + size) - row);
}

void count_confusions(const xtape::Tensor<float>& logits, const xt::xarray<int>& labels, Verdict& verdict) {
    const std::size_t classes = logits.shape()[1];
    verdict.confusion = support::ConfusionMatrix(classes);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        verdict.confusion.add(static_cast<std::size_t>(labels(i)), largest(logits.data() + i * classes, classes));
    }
}

/// R2, the mean absolute error and the points, of scaled values.
void compare_values(const xtape::Tensor<float>& predicted, const xt::xarray<float>& values,
                    const xtape::data::Standardizer& scaling, Verdict& verdict) {
    const std::size_t samples = values.shape(0);
    const std::size_t outputs = values.shape(1);
    const auto square = [](double x) { return x * x; };
    for (std::size_t j = 0; j < outputs; ++j) {
        const auto truth = [&](std::size_t i) { return static_cast<double>(values(i, j)); };
        const auto guess = [&](std::size_t i) { return static_cast<double>(predicted.data()[i * outputs + j]); };
        double sum = 0;
        for (std::size_t i = 0; i < samples; ++i) {
            sum += truth(i);
        }
        const double center = sum / static_cast<double>(samples);
        double spread = 0;
        double squares = 0;
        double errors = 0;
        for (std::size_t i = 0; i < samples; ++i) {
            spread += square(truth(i) - center);
            squares += square(truth(i) - guess(i));
            errors += std::abs(truth(i) - guess(i));
        }
        verdict.r2 += (1 - squares / spread) / static_cast<double>(outputs);
        verdict.mae += scaling.scale()(j) * errors / static_cast<double>(samples * outputs);
    }
    for (std::size_t i = 0; i < samples; ++i) {
        const auto unscaled = [&](float z) { return static_cast<double>(z) * scaling.scale()(0) + scaling.mean()(0); };
        verdict.points.emplace_back(unscaled(values(i, 0)), unscaled(predicted.data()[i * outputs]));
    }
}

}  // namespace

Objective::Objective(const xt::xarray<double>& weights, double label_smoothing) {
    if (weights.size() > 0) {
        options_.weight = weights;
    }
    options_.label_smoothing = label_smoothing;
}

Measure::Measure(const Preprocessing& preprocessing) : classes_(preprocessing.task() == Task::classification) {
    if (!classes_) {
        scale_.assign(preprocessing.target().scale().begin(), preprocessing.target().scale().end());
    }
}

double Measure::operator()(const xtape::Tensor<float>& logits, const xt::xarray<int>& labels) const {
    const std::size_t classes = logits.shape()[1];
    std::size_t right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        right += largest(logits.data() + i * classes, classes) == static_cast<std::size_t>(labels.data()[i]) ? 1 : 0;
    }
    return static_cast<double>(right);
}

double Measure::operator()(const xtape::Tensor<float>& predicted, const xt::xarray<float>& values) const {
    double squares = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double error = scale_[i % scale_.size()] *
                             (static_cast<double>(predicted.data()[i]) - static_cast<double>(values.data()[i]));
        squares += error * error;
    }
    return squares;
}

Scores Measure::of(const Sums& sums) const {
    return {sums.loss / sums.samples,
            classes_ ? sums.measure / sums.samples
                     : std::sqrt(sums.measure / sums.samples / static_cast<double>(scale_.size()))};
}

xtape::Tensor<float> answers(Network& network, const xt::xarray<float>& inputs) {
    const xtape::NoGradGuard no_grad;
    network.eval();
    const std::size_t width = inputs.shape(1);
    std::vector<xtape::Tensor<float>> parts;
    for (std::size_t first = 0; first < inputs.shape(0); first += samples_at_once) {
        const std::size_t count = std::min(samples_at_once, inputs.shape(0) - first);
        const auto batch = xtape::Tensor<float>::uninitialized({count, width});
        std::copy_n(inputs.data() + first * width, count * width, batch.fresh_data());
        parts.push_back(network(batch));
    }
    network.train();
    return concatenate(parts);
}

template <class Label>
Scores evaluate(Network& network, const xtape::data::Dataset<float, Label>& samples, const Objective& objective,
                const Measure& measure) {
    const xtape::NoGradGuard no_grad;
    const xtape::Tensor<float> predicted = answers(network, samples.inputs());
    const auto size = static_cast<double>(samples.size());
    return measure.of({.samples = size,
                       .loss = static_cast<double>(objective(predicted, samples.labels()).item()) * size,
                       .measure = measure(predicted, samples.labels())});
}

template <class Label>
Verdict examine(Network& network, const xtape::data::Dataset<float, Label>& samples,
                const Preprocessing& preprocessing) {
    const xtape::NoGradGuard no_grad;
    const xtape::Tensor<float> predicted = answers(network, samples.inputs());
    const auto& truth = samples.labels();
    Verdict verdict;
    verdict.samples = samples.size();
    const Measure measure(preprocessing);
    const auto size = static_cast<double>(samples.size());
    verdict.scores = measure.of({.samples = size,
                                 .loss = static_cast<double>(Objective()(predicted, truth).item()) * size,
                                 .measure = measure(predicted, truth)});
    if constexpr (std::is_integral_v<Label>) {
        count_confusions(predicted, truth, verdict);
    } else {
        compare_values(predicted, truth, preprocessing.target(), verdict);
    }
    return verdict;
}

std::string headline(const Verdict& verdict, Task task, const std::string& prefix) {
    return task == Task::classification
               ? fmt::format("{}accuracy: {:.1f}%", prefix, 100 * verdict.scores.measure)
               : fmt::format("{}RMSE: {:.4g}, R2: {:.4f}", prefix, verdict.scores.measure, verdict.r2);
}

Json figures(const Verdict& verdict, Task task) {
    Json json{{"samples", verdict.samples}, {"loss", verdict.scores.loss}};
    if (task == Task::classification) {
        json["accuracy"] = verdict.scores.measure;
    } else {
        json["rmse"] = verdict.scores.measure;
        json["r2"] = verdict.r2;
        json["mae"] = verdict.mae;
    }
    return json;
}

#define XTAPE_INSTANTIATE(Label)                                                                                     \
    template Scores evaluate(Network&, const xtape::data::Dataset<float, Label>&, const Objective&, const Measure&); \
    template Verdict examine(Network&, const xtape::data::Dataset<float, Label>&, const Preprocessing&);
XTAPE_INSTANTIATE(int)
XTAPE_INSTANTIATE(float)
#undef XTAPE_INSTANTIATE

}  // namespace train
