#include <string>
#include <utility>
#include <vector>

#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;

namespace {

using nn::Reduction;

const xt::xarray<int> labels{2, 0, 3, 3, 1};
const xt::xarray<int> some_ignored{2, -100, 3, -100, 1};
const xt::xarray<double> class_weight{0.5, 2.0, 1.25, 0.75};

template <typename X>
using ElementOf = typename X::value_type::value_type;

void add_activations(Expressions& table) {
    table.insert({
        {"nn gelu", [](const auto& x) { return nn::activate(x[0], nn::Activation::gelu); }},
        {"nn silu", [](const auto& x) { return nn::activate(x[0], nn::Activation::silu); }},
        {"nn softplus", [](const auto& x) { return nn::activate(x[0], nn::Activation::softplus); }},
        {"nn log_sigmoid", [](const auto& x) { return nn::activate(x[0], nn::Activation::log_sigmoid); }},
        {"nn leaky_relu",
         [](const auto& x) {
             nn::LeakyReLU<ElementOf<std::decay_t<decltype(x)>>> layer(0.2);
             return layer(x[0]);
         }},
        {"nn elu",
         [](const auto& x) {
             nn::ELU<ElementOf<std::decay_t<decltype(x)>>> layer(1.5);
             return layer(x[0]);
         }},
    });
}

/// A BatchNorm1d of three features with the given weight and bias.
template <typename T>
nn::BatchNorm1d<T> batch_norm(const Tensor<T>& weight, const Tensor<T>& bias) {
    nn::BatchNorm1d<T> layer(3);
    layer.load_state_dict({{"weight", weight.value()}, {"bias", bias.value()}}, {.strict = false});
    return layer;
}

/// The same in evaluation, with running statistics.
template <typename T>
nn::BatchNorm1d<T> batch_norm(const Tensor<T>& weight, const Tensor<T>& bias, const Tensor<T>& mean,
                              const Tensor<T>& variance) {
    nn::BatchNorm1d<T> layer = batch_norm(weight, bias);
    layer.load_state_dict({{"running_mean", mean.value()}, {"running_var", variance.value()}}, {.strict = false});
    layer.eval();
    return layer;
}

void add_layers(Expressions& table) {
    table.insert({
        {"nn layer_norm", [](const auto& x) { return nn::layer_norm(x[0], {5}, x[1], x[2]); }},
        {"nn layer_norm (2,3,19)", [](const auto& x) { return nn::layer_norm(x[0], {19}, x[1], x[2]); }},
        {"nn layer_norm two axes",
         [](const auto& x) {
             return nn::layer_norm(x[0], {3, 4}, x[1], x[2], 0.1);
         }},
        {"nn layer_norm plain", [](const auto& x) { return nn::layer_norm(x[0], {6}); }},
        {"nn layer_norm weight only", [](const auto& x) { return nn::layer_norm(x[0], {6}, x[1]); }},
        {"nn layer_norm data", [](const auto& x) { return nn::layer_norm(x[0], {6}, x[1], x[2]); }},
        {"nn layer_norm no rows", [](const auto& x) { return nn::layer_norm(x[0], {6}, x[1], x[2]); }},
        {"nn layer_norm squared",
         [](const auto& x) { return nn::layer_norm(square(nn::layer_norm(x[0], {4}, x[1], x[2])), {4}, x[1], x[2]); }},
        {"nn batch_norm training",
         [](const auto& x) {
             nn::BatchNorm1d<ElementOf<std::decay_t<decltype(x)>>> layer(3, {.affine = false});
             return layer(x[0]);
         }},
        {"nn batch_norm training (4,3,5)",
         [](const auto& x) {
             nn::BatchNorm1d<ElementOf<std::decay_t<decltype(x)>>> layer(3, {.eps = 0.01});
             return layer(x[0]);
         }},
        {"nn batch_norm training affine", [](const auto& x) { return batch_norm(x[1], x[2])(x[0]); }},
        {"nn batch_norm evaluation", [](const auto& x) { return batch_norm(x[3], x[4], x[1], x[2])(x[0]); }},
        {"nn batch_norm evaluation (2,3,4)",
         [](const auto& x) { return square(batch_norm(x[3], x[4], x[1], x[2])(x[0])); }},
        {"nn embedding",
         [](const auto& x) {
             return nn::embedding(xt::xarray<int>{3, 0, 3, 1}, x[0]);
         }},
        {"nn embedding (2,3) squared",
         [](const auto& x) {
             return square(nn::embedding(xt::xarray<std::int64_t>{{4, 0, 4}, {1, 1, 4}}, x[0]));
         }},
    });
}

void add_elementwise_losses(Expressions& table, const std::string& name, Reduction reduction) {
    table.insert({
        {"nn l1_loss " + name,
         [reduction](const auto& x) { return nn::l1_loss(x[0], x[1], {.reduction = reduction}); }},
        {"nn huber_loss " + name,
         [reduction](const auto& x) { return nn::huber_loss(x[0], x[1], {.reduction = reduction}); }},
        {"nn binary_cross_entropy " + name,
         [reduction](const auto& x) { return nn::binary_cross_entropy(x[0], x[1], {.reduction = reduction}); }},
        {"nn binary_cross_entropy_with_logits " + name,
         [reduction](const auto& x) {
             return nn::binary_cross_entropy_with_logits(x[0], x[1], {.reduction = reduction});
         }},
        {"nn kl_div " + name, [reduction](const auto& x) { return nn::kl_div(x[0], x[1], {.reduction = reduction}); }},
        {"nn kl_div log_target " + name,
         [reduction](const auto& x) { return nn::kl_div(x[0], x[1], {.reduction = reduction, .log_target = true}); }},
    });
}

void add_classifying_losses(Expressions& table, const std::string& name, Reduction reduction) {
    table.insert({
        {"nn nll_loss " + name,
         [reduction](const auto& x) { return nn::nll_loss(x[0], labels, {.reduction = reduction}); }},
        {"nn nll_loss weight " + name,
         [reduction](const auto& x) {
             return nn::nll_loss(x[0], labels, {.reduction = reduction, .weight = class_weight});
         }},
        {"nn nll_loss ignore_index " + name,
         [reduction](const auto& x) {
             return nn::nll_loss(x[0], some_ignored, {.reduction = reduction, .ignore_index = -100});
         }},
        {"nn nll_loss weight and ignore_index " + name,
         [reduction](const auto& x) {
             return nn::nll_loss(x[0], some_ignored,
                                 {.reduction = reduction, .weight = class_weight, .ignore_index = -100});
         }},
        {"nn cross_entropy weight " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], labels, {.reduction = reduction, .weight = class_weight});
         }},
        {"nn cross_entropy ignore_index " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], some_ignored, {.reduction = reduction, .ignore_index = -100});
         }},
        {"nn cross_entropy weight and ignore_index " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], some_ignored,
                                      {.reduction = reduction, .weight = class_weight, .ignore_index = -100});
         }},
    });
}

void add_smoothed_losses(Expressions& table, const std::string& name, Reduction reduction) {
    table.insert({
        {"nn cross_entropy smoothing " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], labels, {.reduction = reduction, .label_smoothing = 0.3});
         }},
        {"nn cross_entropy weight, smoothing " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], labels,
                                      {.reduction = reduction, .weight = class_weight, .label_smoothing = 0.1});
         }},
        {"nn cross_entropy ignore_index, smoothing " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], some_ignored,
                                      {.reduction = reduction, .label_smoothing = 0.1, .ignore_index = -100});
         }},
        {"nn cross_entropy weight and ignore_index, smoothing " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(
                 x[0], some_ignored,
                 {.reduction = reduction, .weight = class_weight, .label_smoothing = 0.1, .ignore_index = -100});
         }},
        {"nn cross_entropy probabilities, weight, smoothing " + name,
         [reduction](const auto& x) {
             return nn::cross_entropy(x[0], x[1],
                                      {.reduction = reduction, .weight = class_weight, .label_smoothing = 0.2});
         }},
    });
}

void add_single_losses(Expressions& table) {
    table.insert({
        {"nn huber_loss delta", [](const auto& x) { return nn::huber_loss(x[0], x[1], {.delta = 0.4}); }},
        {"nn huber_loss sum, far and near",
         [](const auto& x) {
             return nn::huber_loss(x[0], zeros_like(x[0]), {.reduction = Reduction::sum, .delta = 2.0});
         }},
        {"nn kl_div batchmean",
         [](const auto& x) { return nn::kl_div(x[0], x[1], {.reduction = Reduction::batchmean}); }},
        {"nn kl_div zero targets",
         [](const auto& x) {
             return nn::kl_div(x[0], xt::xarray<double>{{0.0, 1.0}, {0.5, 0.5}}, {.reduction = Reduction::sum});
         }},
        {"nn binary_cross_entropy weight",
         [](const auto& x) {
             return nn::binary_cross_entropy(x[0], x[1], {.weight = {0.5, 2.0, 1.0, 0.25}});
         }},
        {"nn binary_cross_entropy at 0 and 1", [](const auto& x) { return nn::binary_cross_entropy(x[0], x[1]); }},
        {"nn binary_cross_entropy_with_logits weight, pos_weight",
         [](const auto& x) {
             return nn::binary_cross_entropy_with_logits(
                 x[0], x[1],
                 {.weight = expand_dims(Tensor<double>(xt::xarray<double>{0.5, 2.0, 1.0}), 1),
                  .pos_weight = {0.5, 3.0, 1.0, 2.0}});
         }},
        {"nn binary_cross_entropy_with_logits at +-1e4",
         [](const auto& x) { return nn::binary_cross_entropy_with_logits(x[0], x[1]); }},
        {"nn cross_entropy smoothing at +-1e4",
         [](const auto& x) {
             return nn::cross_entropy(x[0], xt::xarray<int>{1, 0}, {.label_smoothing = 0.1});
         }},
        {"nn cross_entropy all ignored",
         [](const auto& x) {
             return nn::cross_entropy(x[0], xt::xarray<int>{-100, -100},
                                      {.reduction = Reduction::sum, .ignore_index = -100});
         }},
        {"nn cross_entropy all ignored, mean",
         [](const auto& x) {
             return nn::cross_entropy(x[0], xt::xarray<int>{-100, -100}, {.ignore_index = -100});
         }},
        {"nn cross_entropy ignores a class",
         [](const auto& x) { return nn::cross_entropy(x[0], labels, {.ignore_index = 3}); }},
        {"nn nll_loss of log_softmax",
         [](const auto& x) { return nn::nll_loss(log_softmax(x[0]), labels, {.weight = class_weight}); }},
    });
}

}  // namespace

void add_nn(Expressions& table) {
    add_activations(table);
    add_layers(table);
    for (const auto& [name, reduction] :
         {std::pair{"mean", Reduction::mean}, {"sum", Reduction::sum}, {"none", Reduction::none}}) {
        add_elementwise_losses(table, name, reduction);
        add_classifying_losses(table, name, reduction);
        add_smoothed_losses(table, name, reduction);
    }
    add_single_losses(table);
}

}  // namespace reference
