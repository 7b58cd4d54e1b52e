#include <xtape/nn/losses.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::nn {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
Tensor<T> reduced(const Tensor<T>& losses, Reduction reduction) {
    switch (reduction) {
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
    case Reduction::batchmean:
        return losses.dimension() == 0 ? losses : sum(losses) / static_cast<double>(losses.shape()[0]);
    case Reduction::none: break;
    }
    return losses;
}

template <class T>
void check_same_shape(const char* loss, const char* what, const Tensor<T>& prediction, const Tensor<T>& target) {
    if (prediction.shape() != target.shape()) {
        throw ShapeError(fmt::format("{}: {} {} and target {} must have the same shape; reshape one of them", loss,
                                     what, to_string(prediction.shape()), to_string(target.shape())));
    }
}

// The weight in the precision of the losses, broadcast to their shape.
template <class T>
Tensor<T> broadcast_weight(const char* loss, const char* what, const LossWeight& weight, const Shape& shape) {
    try {
        return broadcast_to(weight.values().template cast<T>(), shape);
    } catch (const ShapeError&) {
        throw ShapeError(fmt::format("{}: {} {} does not broadcast to the losses' shape {}", loss, what,
                                     to_string(weight.values().shape()), to_string(shape)));
    }
}

// One weight a class.
template <class T>
Tensor<T> class_weight(const char* loss, const LossWeight& weight, std::size_t classes) {
    if (weight.values().shape() != Shape{classes}) {
        throw ShapeError(fmt::format("{}: weight {} for {} classes; it takes one weight a class", loss,
                                     to_string(weight.values().shape()), classes));
    }
    return weight.values().template cast<T>();
}

void check_label(const char* op, std::int64_t label, std::size_t sample, std::size_t classes) {
    if (label < 0 || static_cast<std::uint64_t>(label) >= classes) {
        throw ValueError(fmt::format("{}: label {} of sample {} is outside [0, {}): there are {} classes", op, label,
                                     sample, classes, classes));
    }
}

// Labels are handles: these may be written to.
Labels copied(const Labels& labels) {
    const xt::svector<std::size_t, 4> shape(labels.shape().begin(), labels.shape().end());
    return Labels(xt::adapt(labels.data(), element_count(labels.shape()), xt::no_ownership(), shape));
}

template <class T>
struct BinaryCrossEntropyRule {
    static constexpr const char* name = "binary_cross_entropy";
    void operator()(RuleContext& context) const {
        const Tensor<T> p = context.input<T>(0);
        if (context.wants(0)) {
            const Tensor<T> slope = (p - context.input<T>(1)) / maximum(p * (1.0 - p), 1e-12);
            context.give(0, context.gradient<T>() * slope);
        }
        if (context.wants(1)) {
            context.give(1,
                         context.gradient<T>() * (clip(log1p(-p), -100.0, infinity) - clip(log(p), -100.0, infinity)));
        }
    }
};

// Labelled samples as the classifying losses see them: whom to leave out, and how much each counts.
template <class T>
class LabelledSamples {
public:
    LabelledSamples(const Labels& labels, std::optional<std::int64_t> ignore_index, const Tensor<T>& class_weight)
        : labels_(labels), class_weight_(class_weight) {
        if (!ignore_index) {
            return;
        }
        labels_ = copied(labels);
        kept_ = Tensor<T>::uninitialized(labels.shape());
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            const bool ignored = labels.data()[i] == *ignore_index;
            raw(kept_)[i] = ignored ? T(0) : T(1);
            labels_.data()[i] = ignored ? 0 : labels.data()[i];
        }
    }

    /// The labels, with those to ignore replaced by some class.
    [[nodiscard]] const Labels& labels() const noexcept { return labels_; }

    /// The samples' losses reduced; they are weighted already.
    [[nodiscard]] Tensor<T> reduce(const Tensor<T>& losses, Reduction reduction) const {
        // Selected, not multiplied: what a sample to ignore holds can be infinite or NaN.
        const Tensor<T> counted = kept_ ? elementwise::where(kept_, losses, Tensor<T>(0)) : losses;
        if (reduction != Reduction::mean || (!kept_ && !class_weight_)) {
            return reduced(counted, reduction);
        }
        const double total = total_weight();
        if (total == 0) {  // a NaN that passes no NaN back
            return sum(counted) + std::numeric_limits<double>::quiet_NaN();
        }
        return sum(counted) / total;
    }

    /// The class's weight of each sample.
    [[nodiscard]] Tensor<T> sample_weight() const {
        Tensor<T> weight = Tensor<T>::uninitialized(labels_.shape());
        for (std::size_t i = 0; i < weight.size(); ++i) {
            raw(weight)[i] = class_weight_.data()[labels_.data()[i]];
        }
        return weight;
    }

private:
    [[nodiscard]] double total_weight() const {
        double total = 0;
        for (std::size_t i = 0; i < element_count(labels_.shape()); ++i) {
            const double weight = class_weight_ ? static_cast<double>(class_weight_.data()[labels_.data()[i]]) : 1.0;
            total += kept_ ? weight * static_cast<double>(kept_.data()[i]) : weight;
        }
        return total;
    }

    Labels labels_;
    Tensor<T> class_weight_;
    Tensor<T> kept_;  // 1, and 0 for samples to ignore
};

void check_smoothing(double smoothing) {
    if (!(smoothing >= 0 && smoothing <= 1)) {
        throw ValueError(fmt::format("cross_entropy: label_smoothing is {}; it takes a number in [0, 1]", smoothing));
    }
}

// Targets with a share of each spread over all classes, and each class's part weighted.
template <class T>
Tensor<T> adjusted(const Tensor<T>& targets, const Tensor<T>& class_weight, double smoothing) {
    Tensor<T> result = targets;
    if (smoothing > 0) {
        result = (1.0 - smoothing) * result + smoothing / static_cast<double>(targets.shape()[1]);
    }
    return class_weight ? result * class_weight : result;
}

}  // namespace

LossWeight::LossWeight(std::initializer_list<double> values) : values_(Tensor<double>::uninitialized({values.size()})) {
    std::copy(values.begin(), values.end(), values_.fresh_data());
}

template <class T>
Tensor<T> mse_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options) {
    check_same_shape("mse_loss", "prediction", prediction, target);
    return reduced(square(prediction - target), options.reduction);
}

template <class T>
Tensor<T> l1_loss(const Tensor<T>& prediction, const Tensor<T>& target, LossOptions options) {
    check_same_shape("l1_loss", "prediction", prediction, target);
    return reduced(abs(prediction - target), options.reduction);
}

template <class T>
Tensor<T> huber_loss(const Tensor<T>& prediction, const Tensor<T>& target, HuberOptions options) {
    check_same_shape("huber_loss", "prediction", prediction, target);
    if (!(options.delta > 0) || !std::isfinite(options.delta)) {
        throw ValueError(fmt::format("huber_loss: delta is {}; it takes a positive finite number", options.delta));
    }
    const Tensor<T> d = prediction - target;
    const Tensor<T> bounded = clip(d, -options.delta, options.delta);
    return reduced(bounded * (d - 0.5 * bounded), options.reduction);
}

template <class T>
Tensor<T> binary_cross_entropy(const Tensor<T>& probabilities, const Tensor<T>& target,
                               const BinaryCrossEntropyOptions& options) {
    check_same_shape("binary_cross_entropy", "probabilities", probabilities, target);
    Tensor<T> losses = Tensor<T>::uninitialized(target.shape());
    for (std::size_t i = 0; i < losses.size(); ++i) {
        const T p = probabilities.data()[i];
        const T t = target.data()[i];
        if (!(p >= T(0) && p <= T(1))) {
            throw ValueError(fmt::format("binary_cross_entropy: element {} is {}; probabilities lie in [0, 1] (logits "
                                         "go to binary_cross_entropy_with_logits)",
                                         i, p));
        }
        raw(losses)[i] = (t - T(1)) * std::max(std::log1p(-p), T(-100)) - t * std::max(std::log(p), T(-100));
    }
    if (records(probabilities, target)) {
        record(BinaryCrossEntropyRule<T>{}, losses.body(), {{probabilities, true}, {target, true}});
    }
    if (options.weight) {
        losses = losses * broadcast_weight<T>("binary_cross_entropy", "weight", options.weight, target.shape());
    }
    return reduced(losses, options.reduction);
}

template <class T>
Tensor<T> binary_cross_entropy_with_logits(const Tensor<T>& logits, const Tensor<T>& target,
                                           const BinaryCrossEntropyWithLogitsOptions& options) {
    constexpr const char* loss = "binary_cross_entropy_with_logits";
    check_same_shape(loss, "logits", logits, target);
    Tensor<T> positive = target * softplus(-logits);
    if (options.pos_weight) {
        positive = positive * broadcast_weight<T>(loss, "pos_weight", options.pos_weight, target.shape());
    }
    Tensor<T> losses = positive + (1.0 - target) * softplus(logits);
    if (options.weight) {
        losses = losses * broadcast_weight<T>(loss, "weight", options.weight, target.shape());
    }
    return reduced(losses, options.reduction);
}

template <class T>
Tensor<T> kl_div(const Tensor<T>& log_probabilities, const Tensor<T>& target, KlDivOptions options) {
    check_same_shape("kl_div", "log-probabilities", log_probabilities, target);
    if (options.log_target) {
        return reduced(exp(target) * (target - log_probabilities), options.reduction);
    }
    const auto is_zero = equal(target, 0.0);
    const Tensor<T> log_target = log(where(is_zero, 1.0, target));
    return reduced(where(is_zero, 0.0, target * (log_target - log_probabilities)), options.reduction);
}

template <class T>
Tensor<T> cross_entropy(const Tensor<T>& logits, const Labels& labels, const CrossEntropyOptions& options) {
    check_smoothing(options.label_smoothing);
    if (!options.weight && !options.ignore_index && options.label_smoothing == 0) {
        return reduced(softmax_cross_entropy(logits, labels), options.reduction);
    }
    Tensor<T> weight;
    if (options.weight && logits.dimension() == 2) {
        weight = class_weight<T>("cross_entropy", options.weight, logits.shape()[1]);
    }
    const LabelledSamples<T> samples(labels, options.ignore_index, weight);
    Tensor<T> losses = softmax_cross_entropy(logits, samples.labels());  // checks shapes and labels
    if (weight) {
        losses = losses * samples.sample_weight();
    }
    if (options.label_smoothing > 0) {
        const Tensor<T> spread = adjusted(zeros_like(logits), weight, 1.0);
        const Tensor<T> even = softmax_cross_entropy(logits, spread);
        losses = (1.0 - options.label_smoothing) * losses + options.label_smoothing * even;
    }
    return samples.reduce(losses, options.reduction);
}

template <class T>
Tensor<T> cross_entropy(const Tensor<T>& logits, const Tensor<T>& probabilities, const CrossEntropyOptions& options) {
    check_smoothing(options.label_smoothing);
    if (options.ignore_index) {
        throw ValueError("cross_entropy: ignore_index is a label; probabilities have none");
    }
    Tensor<T> weight;
    if (options.weight && logits.dimension() == 2) {
        weight = class_weight<T>("cross_entropy", options.weight, logits.shape()[1]);
    }
    const bool as_they_are = (!weight && options.label_smoothing == 0) || probabilities.shape() != logits.shape();
    const Tensor<T> targets = as_they_are ? probabilities : adjusted(probabilities, weight, options.label_smoothing);
    return reduced(softmax_cross_entropy(logits, targets), options.reduction);
}

template <class T>
Tensor<T> nll_loss(const Tensor<T>& log_probabilities, const Labels& labels, const NllOptions& options) {
    const Shape& shape = log_probabilities.shape();
    if (shape.size() != 2 || labels.shape().size() != 1 || labels.shape()[0] != shape[0]) {
        throw ShapeError(
            fmt::format("nll_loss: log-probabilities {} and labels {}; it takes (samples, classes) and (samples,)",
                        to_string(shape), to_string(labels.shape())));
    }
    const Tensor<T> weight = options.weight ? class_weight<T>("nll_loss", options.weight, shape[1]) : Tensor<T>();
    const LabelledSamples<T> samples(labels, options.ignore_index, weight);
    Indices places = Indices::uninitialized(labels.shape());  // among all elements
    for (std::size_t i = 0; i < shape[0]; ++i) {
        const std::int64_t label = samples.labels().data()[i];
        check_label("nll_loss", label, i, shape[1]);
        places.data()[i] = static_cast<std::ptrdiff_t>(i * shape[1]) + static_cast<std::ptrdiff_t>(label);
    }
    const Tensor<T> losses = -take(log_probabilities, places);
    return samples.reduce(weight ? losses * samples.sample_weight() : losses, options.reduction);
}

template <class T>
double accuracy(const Tensor<T>& logits, const Labels& labels) {
    if (logits.dimension() != 2 || labels.shape().size() != 1 || labels.shape()[0] != logits.shape()[0]) {
        throw ShapeError(fmt::format("accuracy: logits {} and labels {}; it takes (samples, classes) and (samples,)",
                                     to_string(logits.shape()), to_string(labels.shape())));
    }
    const std::size_t samples = logits.shape()[0];
    const std::size_t classes = logits.shape()[1];
    std::size_t right = 0;
    for (std::size_t i = 0; i < samples; ++i) {
        const std::int64_t label = labels.data()[i];
        check_label("accuracy", label, i, classes);
        const T* row = logits.data() + i * classes;
        right += std::max_element(row, row + classes) - row == label ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(samples);
}

#define XTAPE_INSTANTIATE(T)                                                                                       \
    template Tensor<T> mse_loss(const Tensor<T>&, const Tensor<T>&, LossOptions);                                  \
    template Tensor<T> l1_loss(const Tensor<T>&, const Tensor<T>&, LossOptions);                                   \
    template Tensor<T> huber_loss(const Tensor<T>&, const Tensor<T>&, HuberOptions);                               \
    template Tensor<T> binary_cross_entropy(const Tensor<T>&, const Tensor<T>&, const BinaryCrossEntropyOptions&); \
    template Tensor<T> binary_cross_entropy_with_logits(const Tensor<T>&, const Tensor<T>&,                        \
                                                        const BinaryCrossEntropyWithLogitsOptions&);               \
    template Tensor<T> kl_div(const Tensor<T>&, const Tensor<T>&, KlDivOptions);                                   \
    template Tensor<T> cross_entropy(const Tensor<T>&, const Labels&, const CrossEntropyOptions&);                 \
    template Tensor<T> cross_entropy(const Tensor<T>&, const Tensor<T>&, const CrossEntropyOptions&);              \
    template Tensor<T> nll_loss(const Tensor<T>&, const Labels&, const NllOptions&);                               \
    template double accuracy(const Tensor<T>&, const Labels&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
