#include <xtape/nn/normalization.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/checkpoint.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::nn {
namespace {

// Σ term(i) in eight interleaved sums, a fixed order that compilers make SIMD of.
template <class T, class F>
T lane_sum(std::size_t n, F term) {
    constexpr std::size_t lanes = 8;
    std::array<T, lanes> sums{};
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            sums[lane] += term(i + lane);
        }
    }
    for (std::size_t lane = 0; i < n; ++i, ++lane) {
        sums[lane] += term(i);
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

// out[i] is value(i), or has it added.
template <class T, class F>
void write(T* out, bool add, std::size_t n, F value) {
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = add ? out[i] + value(i) : value(i);
    }
}

template <class T>
struct LayerNormRule {
    static constexpr const char* name = "layer_norm";
    Tensor<T> means;   // one a row
    Tensor<T> scales;  // 1 / √(variance + eps), likewise
    std::size_t columns;
    double eps;

    void operator()(RuleContext& context) const { context.creates_graph() ? composed(context) : fused(context); }

private:
    void composed(RuleContext& context) const {
        const Tensor<T> x = as_rows(context.input<T>(0));
        const Tensor<T> g = as_rows(context.gradient<T>());
        const Tensor<T> centred = x - mean(x, {-1}, keep_dims);
        const Tensor<T> scale = rsqrt(mean(square(centred), {-1}, keep_dims) + eps);
        const Tensor<T> normal = centred * scale;
        if (context.wants(0)) {
            const Tensor<T> d = context.input_count() > 1 ? g * reshape(context.input<T>(1), Axes{columns}) : g;
            const Tensor<T> dx = scale * (d - mean(d, {-1}, keep_dims) - normal * mean(d * normal, {-1}, keep_dims));
            context.give(0, reshape(dx, Axes(context.input_shape(0))));
        }
        if (context.input_count() > 1 && context.wants(1)) {
            context.give(1, reshape(sum(g * normal, {0}), Axes(context.input_shape(1))));
        }
        if (context.input_count() > 1 && context.wants(2)) {
            context.give(2, reshape(sum(g, {0}), Axes(context.input_shape(2))));
        }
    }

    // One input after the other: they may be the same tensor, and so share an accumulator.
    void fused(RuleContext& context) const {
        const T* x = context.saved_data<T>(0);
        const T* g = context.gradient_data<T>();
        const auto gradient = [g, n = columns](std::size_t row, std::size_t i) { return g[row * n + i]; };
        if (context.wants(0)) {
            const Accumulator<T> out = context.accumulator<T>(0);
            if (context.input_count() > 1) {
                const T* weight = context.saved_data<T>(1);
                by_x(x, out, [=](std::size_t row, std::size_t i) { return gradient(row, i) * weight[i]; });
            } else {
                by_x(x, out, gradient);
            }
        }
        if (context.input_count() > 1 && context.wants(1)) {
            const auto y = [x, n = columns, centres = means.data(), scale = scales.data()](
                               std::size_t row, std::size_t i) { return (x[row * n + i] - centres[row]) * scale[row]; };
            by_column(context.accumulator<T>(1),
                      [=](std::size_t row, std::size_t i) { return gradient(row, i) * y(row, i); });
        }
        if (context.input_count() > 1 && context.wants(2)) {
            by_column(context.accumulator<T>(2), gradient);
        }
    }

    // scale (d - mean(d) - y mean(d y)) for the gradient d by the normalised y.
    template <class F>
    void by_x(const T* x, Accumulator<T> out, F gradient) const {
        const auto count = static_cast<T>(columns);
        for (std::size_t row = 0; row < means.size(); ++row, x += columns, out.data += columns) {
            const T centre = means.data()[row];
            const T scale = scales.data()[row];
            const auto d = [=](std::size_t i) { return gradient(row, i); };
            const auto y = [=](std::size_t i) { return (x[i] - centre) * scale; };
            const T mean_d = mutation::term(lane_sum<T>(columns, d) / count);
            const T mean_dy = mutation::term(lane_sum<T>(columns, [=](std::size_t i) { return d(i) * y(i); }) / count);
            write(out.data, out.add, columns, [=](std::size_t i) { return scale * (d(i) - mean_d - y(i) * mean_dy); });
        }
    }

    template <class F>
    void by_column(Accumulator<T> out, F term) const {
        if (!out.add) {
            std::fill_n(out.data, columns, T(0));
        }
        for (std::size_t row = 0; row < means.size(); ++row) {
            write(out.data, true, columns, [=](std::size_t i) { return term(row, i); });
        }
    }

    [[nodiscard]] Tensor<T> as_rows(const Tensor<T>& x) const { return reshape(x, Axes{means.size(), columns}); }
};

void check_eps(const char* layer, double eps) {
    if (!(eps >= 0) || !std::isfinite(eps)) {
        throw ValueError(fmt::format("{}: eps is {}; it takes a finite number that is not negative", layer, eps));
    }
}

bool ends_with(const Shape& shape, const Shape& last) {
    return shape.size() >= last.size() && std::equal(last.begin(), last.end(), shape.end() - last.size());
}

}  // namespace

template <class T>
Tensor<T> layer_norm(const Tensor<T>& x, const Shape& normalized_shape, const Tensor<T>& weight, const Tensor<T>& bias,
                     double eps) {
    if (!ends_with(x.shape(), normalized_shape)) {
        throw ShapeError(fmt::format("layer_norm: input {} does not end with the axes {} to normalise over",
                                     to_string(x.shape()), to_string(normalized_shape)));
    }
    for (const auto& [what, tensor] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
        if (*tensor && tensor->shape() != normalized_shape) {
            throw ShapeError(fmt::format("layer_norm: {} {} is not of the shape {} to normalise over", what,
                                         to_string(tensor->shape()), to_string(normalized_shape)));
        }
    }
    if (static_cast<bool>(weight) != static_cast<bool>(bias)) {
        const Tensor<T> y = layer_norm<T>(x, normalized_shape, {}, {}, eps);
        return weight ? y * weight : y + bias;
    }

    const std::size_t columns = element_count(normalized_shape);
    const std::size_t rows = columns == 0 ? 0 : x.size() / columns;
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    const Tensor<T> means = Tensor<T>::uninitialized({rows});
    const Tensor<T> scales = Tensor<T>::uninitialized({rows});
    for (std::size_t row = 0; row < rows; ++row) {
        const T* from = x.data() + row * columns;
        const T centre = lane_sum<T>(columns, [=](std::size_t i) { return from[i]; }) / static_cast<T>(columns);
        const T squares = lane_sum<T>(columns, [=](std::size_t i) { return (from[i] - centre) * (from[i] - centre); });
        const T scale = T(1) / std::sqrt(squares / static_cast<T>(columns) + static_cast<T>(eps));
        raw(means)[row] = centre;
        raw(scales)[row] = scale;
        T* to = raw(y) + row * columns;
        if (weight) {
            const T* w = weight.data();
            const T* b = bias.data();
            write(to, false, columns, [=](std::size_t i) { return (from[i] - centre) * scale * w[i] + b[i]; });
        } else {
            write(to, false, columns, [=](std::size_t i) { return (from[i] - centre) * scale; });
        }
    }
    if (weight && records(x, weight, bias)) {
        record(LayerNormRule<T>{means, scales, columns, eps}, y.body(), {{x, true}, {weight, true}, {bias}});
    } else if (!weight && records(x)) {
        record(LayerNormRule<T>{means, scales, columns, eps}, y.body(), {{x, true}});
    }
    return y;
}

template <class T>
LayerNorm<T>::LayerNorm(Shape normalized_shape, LayerNormOptions options)
    : normalized_shape_(std::move(normalized_shape)), options_(options) {
    if (normalized_shape_.empty() || element_count(normalized_shape_) == 0) {
        throw ValueError(
            fmt::format("LayerNorm: there is nothing to normalise over in the shape {}", to_string(normalized_shape_)));
    }
    check_eps("LayerNorm", options.eps);
    if (options.elementwise_affine) {
        weight_ = parameter(ones<T>(normalized_shape_));
        bias_ = parameter(zeros<T>(normalized_shape_));
    }
}

template <class T>
Tensor<T> LayerNorm<T>::forward(const Tensor<T>& x) {
    return layer_norm(x, normalized_shape_, weight_, bias_, options_.eps);
}

template <class T>
std::unique_ptr<Module<T>> LayerNorm<T>::clone() {
    auto copy = std::make_unique<LayerNorm>(normalized_shape_, options_);
    copy->weight_ = this->copied(weight_);
    copy->bias_ = this->copied(bias_);
    return this->in_same_mode(std::move(copy));
}

template <class T>
BatchNorm1d<T>::BatchNorm1d(std::size_t features, BatchNormOptions options) : features_(features), options_(options) {
    if (features == 0) {
        throw ValueError("BatchNorm1d: 0 features; it takes at least 1");
    }
    check_eps("BatchNorm1d", options.eps);
    if (options.momentum && !(*options.momentum >= 0 && *options.momentum <= 1)) {
        throw ValueError(fmt::format("BatchNorm1d: momentum is {}; it takes a number in [0, 1]", *options.momentum));
    }
    if (options.affine) {
        weight_ = parameter(ones<T>({features}));
        bias_ = parameter(zeros<T>({features}));
    }
    if (options.track_running_stats) {
        running_mean_ = zeros<T>({features});
        running_var_ = ones<T>({features});
    }
}

template <class T>
std::vector<Member<T>> BatchNorm1d<T>::members() {
    std::vector<Member<T>> list{{"weight", weight_}, {"bias", bias_}};
    if (options_.track_running_stats) {
        list.push_back(Member<T>::buffer("running_mean", running_mean_));
        list.push_back(Member<T>::buffer("running_var", running_var_));
        list.push_back(Member<T>::buffer("num_batches_tracked", num_batches_tracked_));
    }
    return list;
}

template <class T>
Tensor<T> BatchNorm1d<T>::forward(const Tensor<T>& x) {
    const std::size_t rank = x.dimension();
    if ((rank != 2 && rank != 3) || x.shape()[1] != features_) {
        throw ShapeError(fmt::format("BatchNorm1d: input {}; it takes (n, {}) or (n, {}, length)", to_string(x.shape()),
                                     features_, features_));
    }
    // What there is one of a feature, against x.
    const auto spread = [&](const Tensor<T>& a) { return rank == 3 ? reshape(a, Axes{features_, std::size_t{1}}) : a; };
    const auto affine = [&](const Tensor<T>& y) { return weight_ ? y * spread(weight_) + spread(bias_) : y; };

    if (!this->is_training() && options_.track_running_stats) {
        const Tensor<T> scale = rsqrt(running_var_ + options_.eps);
        return affine((x - spread(running_mean_)) * spread(scale));
    }
    const std::size_t count = x.size() / features_;
    if (this->is_training() && count < 2) {
        throw ShapeError(fmt::format("BatchNorm1d: input {} has {} values a feature, and their variance takes two in "
                                     "training; give a larger batch, or call eval()",
                                     to_string(x.shape()), count));
    }
    const Axes axes = rank == 3 ? Axes{0, 2} : Axes{0};
    const Tensor<T> centre = mean(x, axes);
    const Tensor<T> centred = x - spread(centre);
    const Tensor<T> variance = mean(square(centred), axes);
    const Tensor<T> y = affine(centred * spread(rsqrt(variance + options_.eps)));
    if (this->is_training() && options_.track_running_stats && !is_recomputing()) {
        track(centre.detach(), variance.detach(), count);
    }
    return y;
}

// The running statistics stay tensors of their own: an optimiser or a saved file may hold them.
template <class T>
void BatchNorm1d<T>::track(const Tensor<T>& mean, const Tensor<T>& variance, std::size_t count) {
    const auto n = static_cast<double>(count);
    ++num_batches_tracked_;
    const double share = options_.momentum.value_or(1.0 / static_cast<double>(num_batches_tracked_));
    running_mean_.assign((1.0 - share) * running_mean_ + share * mean);
    running_var_.assign((1.0 - share) * running_var_ + (share * n / (n - 1.0)) * variance);
}

template <class T>
std::unique_ptr<Module<T>> BatchNorm1d<T>::clone() {
    auto copy = std::make_unique<BatchNorm1d>(features_, options_);
    copy->weight_ = this->copied(weight_);
    copy->bias_ = this->copied(bias_);
    copy->running_mean_ = this->copied(running_mean_);
    copy->running_var_ = this->copied(running_var_);
    copy->num_batches_tracked_ = num_batches_tracked_;
    return this->in_same_mode(std::move(copy));
}

#define XTAPE_INSTANTIATE(T)                                                                                   \
    template Tensor<T> layer_norm(const Tensor<T>&, const Shape&, const Tensor<T>&, const Tensor<T>&, double); \
    template class LayerNorm<T>;                                                                               \
    template class BatchNorm1d<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
