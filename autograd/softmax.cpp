#include <xtape/autograd/softmax.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction_impl.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

struct RowExtents {
    std::size_t rows;
    std::size_t columns;
};

RowExtents rows_of(const Shape& shape) {
    const std::size_t columns = shape.back();
    return {columns == 0 ? 0 : element_count(shape) / columns, columns};
}

template <class T>
struct SoftmaxRule {
    static constexpr const char* name = "softmax";
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            const Tensor<T> y = context.output<T>();
            const Tensor<T> g = context.gradient<T>();
            context.give(0, y * (g - sum(g * y, {-1}, keep_dims)));
            return;
        }
        const auto [rows, columns] = rows_of(context.output_shape());
        const Accumulator<T> out = context.accumulator<T>(0);
        kernels::active<T>().rows.softmax_backward(context.gradient_data<T>(), context.saved_data<T>(-1), out.data,
                                                   rows, columns, out.add);
    }
};

template <class T>
Tensor<T> softmax_rows(const Tensor<T>& x, kernels::Infinite infinite) {
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    const auto [rows, columns] = rows_of(x.shape());
    kernels::active<T>().rows.softmax(x.data(), raw(y), rows, columns, infinite);
    if (records(x)) {
        record(SoftmaxRule<T>{}, y.body(), {{x}}, true);
    }
    return y;
}

template <class T>
struct LogSoftmaxRule {
    static constexpr const char* name = "log_softmax";
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            const Tensor<T> g = context.gradient<T>();
            context.give(0, g - exp(context.output<T>()) * sum(g, {-1}, keep_dims));
            return;
        }
        const auto [rows, columns] = rows_of(context.output_shape());
        const Accumulator<T> out = context.accumulator<T>(0);
        kernels::active<T>().rows.log_softmax_backward(context.gradient_data<T>(), context.saved_data<T>(-1), out.data,
                                                       rows, columns, out.add);
    }
};

template <class T>
Tensor<T> log_softmax_rows(const Tensor<T>& x) {
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    const auto [rows, columns] = rows_of(x.shape());
    kernels::active<T>().rows.log_softmax(x.data(), raw(y), rows, columns);
    if (records(x)) {
        record(LogSoftmaxRule<T>{}, y.body(), {{x}}, true);
    }
    return y;
}

// The kernels work on rows: another axis is moved to the end and back.
template <class T, class F>
Tensor<T> along_last_axis(const char* op, const Tensor<T>& x, std::ptrdiff_t axis, F f) {
    const std::size_t along = normalize_axis(op, axis, x.shape());
    Axes swapped(all_axes(x.shape()));
    std::swap(swapped[along], swapped[x.dimension() - 1]);
    return transpose(f(transpose(x, swapped)), swapped);
}

void check_logits(const Shape& logits, const Shape& targets, bool probabilities) {
    const bool fits =
        logits.size() == 2 && (probabilities ? targets == logits : targets.size() == 1 && targets[0] == logits[0]);
    if (!fits) {
        throw ShapeError(fmt::format(
            "cross_entropy: logits of shape {} and {} of shape {}; it takes logits (samples, classes) with labels "
            "(samples,) or probabilities (samples, classes)",
            to_string(logits), probabilities ? "probabilities" : "labels", to_string(targets)));
    }
}

void check_labels(const char* op, const Labels& labels, std::size_t classes) {
    for (std::size_t i = 0; i < element_count(labels.shape()); ++i) {
        const std::int64_t label = labels.data()[i];
        if (label < 0 || static_cast<std::uint64_t>(label) >= classes) {
            throw ValueError(fmt::format("{}: label {} of sample {} is outside [0, {}): there are {} classes", op,
                                         label, i, classes, classes));
        }
    }
}

template <class T>
struct LabelCrossEntropyRule {
    static constexpr const char* name = "softmax_cross_entropy";
    Labels labels;
    void operator()(RuleContext& context) const {
        const Shape& shape = context.input_shape(0);
        if (context.creates_graph()) {
            const Tensor<T> g = expand_dims(context.gradient<T>(), -1);
            context.give(0,
                         strong(broadcast_to(g, shape), softmax(context.input<T>(0)) - one_hot<T>(labels, shape[1])));
            return;
        }
        const Accumulator<T> out = context.accumulator<T>(0);
        const T* g = context.gradient_data<T>();
        kernels::active<T>().rows.scaled_softmax(context.saved_data<T>(0), g, out.data, shape[0], shape[1], out.add);
        for (std::size_t i = 0; i < shape[0]; ++i) {
            out.data[i * shape[1] + static_cast<std::size_t>(labels.data()[i])] -= mutation::term(g[i]);
        }
    }
};

template <class T>
struct CrossEntropyRule {
    static constexpr const char* name = "softmax_cross_entropy";
    void operator()(RuleContext& context) const {
        const Tensor<T> logits = context.input<T>(0);
        const Tensor<T> g = broadcast_to(expand_dims(context.gradient<T>(), -1), logits.shape());
        if (context.wants(0)) {
            const Tensor<T> targets = context.input<T>(1);
            context.give(0, strong(g, softmax(logits) * sum(targets, {-1}, keep_dims) - targets));
        }
        if (context.wants(1)) {
            context.give(1, strong(g, -log_softmax(logits)));
        }
    }
};

}  // namespace

template <class T>
Tensor<T> softmax(const Tensor<T>& x, std::ptrdiff_t axis) {
    return along_last_axis("softmax", x, axis,
                           [](const Tensor<T>& rows) { return softmax_rows(rows, kernels::Infinite::nan); });
}

template <class T>
Tensor<T> log_softmax(const Tensor<T>& x, std::ptrdiff_t axis) {
    return along_last_axis("log_softmax", x, axis, [](const Tensor<T>& rows) { return log_softmax_rows(rows); });
}

template <class T>
Tensor<T> logsumexp_rows(const Tensor<T>& x) {
    return logsumexp(x, {-1});
}

template <class T>
Tensor<T> logsumexp_weights(const Tensor<T>& rows) {
    return softmax_rows(rows, kernels::Infinite::shared);
}

template <class T>
Tensor<T> one_hot(const Labels& labels, std::size_t classes) {
    check_labels("one_hot", labels, classes);
    const std::size_t samples = element_count(labels.shape());
    Tensor<T> hot = Tensor<T>::uninitialized({samples, classes});
    std::fill_n(raw(hot), hot.size(), T(0));
    for (std::size_t i = 0; i < samples; ++i) {
        raw(hot)[i * classes + static_cast<std::size_t>(labels.data()[i])] = T(1);
    }
    return hot;
}

template <class T>
Tensor<T> softmax_cross_entropy(const Tensor<T>& logits, const Labels& labels) {
    check_logits(logits.shape(), labels.shape(), false);
    const std::size_t samples = logits.shape()[0];
    const std::size_t classes = logits.shape()[1];
    check_labels("cross_entropy", labels, classes);
    Tensor<T> loss = Tensor<T>::uninitialized({samples});
    kernels::active<T>().rows.cross_entropy(logits.data(), labels.data(), raw(loss), samples, classes);
    if (records(logits)) {
        record(LabelCrossEntropyRule<T>{labels}, loss.body(), {{logits, true}});
    }
    return loss;
}

template <class T>
Tensor<T> softmax_cross_entropy(const Tensor<T>& logits, const Tensor<T>& targets) {
    check_logits(logits.shape(), targets.shape(), true);
    const std::size_t samples = logits.shape()[0];
    const std::size_t classes = logits.shape()[1];
    Tensor<T> loss = Tensor<T>::uninitialized({samples});
    const Tensor<T> log_p = no_grad([&] { return log_softmax(logits); });
    for (std::size_t i = 0; i < samples; ++i) {
        T total = T(0);
        for (std::size_t j = i * classes; j < (i + 1) * classes; ++j) {
            // What has no weight counts nothing, be its logit -inf.
            total -= targets.data()[j] == T(0) ? T(0) : targets.data()[j] * log_p.data()[j];
        }
        raw(loss)[i] = total;
    }
    if (records(logits, targets)) {
        record(CrossEntropyRule<T>{}, loss.body(), {{logits, true}, {targets, logits.requires_grad()}});
    }
    return loss;
}

#define XTAPE_INSTANTIATE(T)                                                   \
    template Tensor<T> softmax(const Tensor<T>&, std::ptrdiff_t);              \
    template Tensor<T> log_softmax(const Tensor<T>&, std::ptrdiff_t);          \
    template Tensor<T> logsumexp_rows(const Tensor<T>&);                       \
    template Tensor<T> logsumexp_weights(const Tensor<T>&);                    \
    template Tensor<T> one_hot<T>(const Labels&, std::size_t);                 \
    template Tensor<T> softmax_cross_entropy(const Tensor<T>&, const Labels&); \
    template Tensor<T> softmax_cross_entropy(const Tensor<T>&, const Tensor<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
