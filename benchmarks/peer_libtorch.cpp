#include "peer_libtorch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include <torch/torch.h>

namespace xtape::bench {
namespace {

torch::Tensor tensor_of(std::span<const float> values, at::IntArrayRef shape) {
    // from_blob borrows, and wants its memory writable.
    return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat32).clone();
}

std::vector<float> elements_of(const torch::Tensor& tensor) {
    const torch::Tensor flat = tensor.contiguous();
    const float* data = flat.data_ptr<float>();
    return {data, data + flat.numel()};
}

torch::nn::Sequential sequential(const std::vector<int>& layers) {
    torch::nn::Sequential net;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
        if (i > 0) {
            net->push_back(torch::nn::ReLU());
        }
        net->push_back(torch::nn::Linear(layers[i], layers[i + 1]));
    }
    return net;
}

class Mlp final : public LibtorchMlp {
public:
    explicit Mlp(const MlpTask& task)
        : net_(sequential(task.layers)), inputs_(tensor_of(task.inputs, {task.batch, task.layers.front()})),
          regression_(task.layers.back() == 1),
          optimizer_(net_->parameters(), torch::optim::SGDOptions(task.learning_rate).momentum(task.momentum)) {
        if (regression_) {
            targets_ = tensor_of(task.targets, {task.batch, 1});
        } else {
            targets_ = torch::tensor(std::vector<std::int64_t>(task.labels.begin(), task.labels.end()), torch::kInt64);
        }
        const torch::NoGradGuard guard;
        const std::vector<torch::Tensor> parameters = net_->parameters();
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            parameters[i].copy_(tensor_of(task.parameters[i], parameters[i].sizes()));
        }
    }
    float differentiate() override {
        optimizer_.zero_grad();
        const torch::Tensor output = net_->forward(inputs_);
        const torch::Tensor loss =
            regression_ ? torch::mse_loss(output, targets_) : torch::cross_entropy_loss(output, targets_);
        loss.backward();
        return loss.item<float>();
    }
    void step() override {
        differentiate();
        optimizer_.step();
    }
    [[nodiscard]] std::vector<float> gradient(std::size_t parameter) const override {
        return elements_of(net_->parameters()[parameter].grad());
    }

private:
    torch::nn::Sequential net_;
    torch::Tensor inputs_;
    torch::Tensor targets_;
    bool regression_;
    torch::optim::SGD optimizer_;
};

class Training final : public LibtorchTraining {
public:
    explicit Training(const TrainingTask& task)
        : task_(task), features_(task.layers.front()), net_(seeded(task)),
          optimizer_(net_->parameters(), torch::optim::AdamOptions(task.max_lr)),
          inputs_(tensor_of(task.inputs, {static_cast<std::int64_t>(task.labels.size()), features_})),
          labels_(torch::tensor(std::vector<std::int64_t>(task.labels.begin(), task.labels.end()), torch::kInt64)) {
        const std::size_t batches = (task.labels.size() + task.batch - 1) / task.batch;
        steps_ = static_cast<double>(batches * task.epochs);
    }
    double epoch() override {
        const std::int64_t samples = labels_.size(0);
        const torch::Tensor order = torch::randperm(samples, torch::kInt64);
        double total = 0.0;
        for (std::int64_t first = 0; first < samples; first += static_cast<std::int64_t>(task_.batch)) {
            const std::int64_t count = std::min(samples - first, static_cast<std::int64_t>(task_.batch));
            const torch::Tensor indices = order.narrow(0, first, count);
            schedule();
            optimizer_.zero_grad();
            const torch::Tensor loss = torch::cross_entropy_loss(net_->forward(inputs_.index_select(0, indices)),
                                                                 labels_.index_select(0, indices));
            loss.backward();
            optimizer_.step();
            total += loss.item<double>() * static_cast<double>(count);
        }
        return total / static_cast<double>(samples);
    }
    double accuracy(std::span<const float> inputs, std::span<const int> labels) override {
        const torch::NoGradGuard guard;
        const torch::Tensor guesses =
            net_->forward(tensor_of(inputs, {static_cast<std::int64_t>(labels.size()), features_})).argmax(1);
        const torch::Tensor truth =
            torch::tensor(std::vector<std::int64_t>(labels.begin(), labels.end()), torch::kInt64);
        return guesses.eq(truth).to(torch::kFloat64).mean().item<double>();
    }

private:
    static torch::nn::Sequential seeded(const TrainingTask& task) {
        torch::manual_seed(task.seed);
        return sequential(task.layers);
    }

    // PyTorch's OneCycleLR by its defaults, which libtorch lacks.
    void schedule() {
        const double up = 0.3 * steps_ - 1.0;
        const auto between = [](double from, double to, double part) {
            return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * part));
        };
        const double peak = task_.max_lr;
        const double down = (step_ - up) / (steps_ - 1.0 - up);
        const double lr = step_ <= up ? between(peak / 25.0, peak, step_ / up) : between(peak, peak / 25.0 / 1e4, down);
        const double beta = step_ <= up ? between(0.95, 0.85, step_ / up) : between(0.85, 0.95, down);
        auto& options = static_cast<torch::optim::AdamOptions&>(optimizer_.param_groups().front().options());
        options.lr(lr);
        options.betas({beta, 0.999});
        step_ += 1.0;
    }

    TrainingTask task_;
    std::int64_t features_;
    torch::nn::Sequential net_;
    torch::optim::Adam optimizer_;
    torch::Tensor inputs_;
    torch::Tensor labels_;
    double steps_ = 0.0;
    double step_ = 0.0;
};

class Expression final : public LibtorchExpression {
public:
    explicit Expression(std::span<const float> x)
        : x_(tensor_of(x, {static_cast<std::int64_t>(x.size())}).requires_grad_()) {}
    float differentiate() override {
        x_.mutable_grad() = torch::Tensor();
        const torch::Tensor y = torch::tanh(0.5 * x_ + 1.0);
        const torch::Tensor mean = torch::mean(torch::exp(-torch::square(y)) * torch::sin(x_) + torch::sigmoid(x_) * y);
        mean.backward();
        return mean.item<float>();
    }
    [[nodiscard]] std::vector<float> gradient() const override { return elements_of(x_.grad()); }

private:
    torch::Tensor x_;
};

class Chain final : public LibtorchChain {
public:
    Chain(Link link, float parameter) : link_(link), parameter_(torch::tensor(parameter, torch::requires_grad())) {}
    void record(std::size_t length) override {
        y_ = parameter_;
        for (std::size_t i = 0; i < length; ++i) {
            switch (link_) {
            case Link::add: y_ = y_ + parameter_; break;
            case Link::multiply: y_ = y_ * parameter_; break;
            case Link::tanh: y_ = torch::tanh(y_); break;
            }
        }
    }
    void replay() override {
        parameter_.mutable_grad() = torch::Tensor();
        y_.backward();
    }
    void drop() override { y_ = torch::Tensor(); }
    [[nodiscard]] float value() const override { return y_.item<float>(); }
    [[nodiscard]] float gradient() const override { return parameter_.grad().item<float>(); }

private:
    Link link_;
    torch::Tensor parameter_;
    torch::Tensor y_;
};

}  // namespace

std::string libtorch_version() { return TORCH_VERSION; }
void set_libtorch_threads(int threads) { at::set_num_threads(threads); }

std::unique_ptr<LibtorchMlp> make_libtorch_mlp(const MlpTask& task) { return std::make_unique<Mlp>(task); }
std::unique_ptr<LibtorchTraining> make_libtorch_training(const TrainingTask& task) {
    return std::make_unique<Training>(task);
}
std::unique_ptr<LibtorchExpression> make_libtorch_expression(std::span<const float> x) {
    return std::make_unique<Expression>(x);
}
std::unique_ptr<LibtorchChain> make_libtorch_chain(Link link, float parameter) {
    return std::make_unique<Chain>(link, parameter);
}

}  // namespace xtape::bench
