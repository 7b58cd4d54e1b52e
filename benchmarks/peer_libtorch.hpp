#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// libtorch as a peer: each of its programs behind a small face, since its headers take half a minute to compile and it
/// need not be installed (peer_libtorch_absent.cpp stands in then: the makers return null).
namespace xtape::bench {

/// "1.13.1"; empty where it is not installed.
[[nodiscard]] std::string libtorch_version();

/// How many threads its own loops take. Its matrix products take OpenBLAS's.
void set_libtorch_threads(int threads);

/// A training step of an MLP, as its user would write it: torch::nn::Sequential and torch::optim::SGD.
class LibtorchMlp {
public:
    virtual ~LibtorchMlp() = default;
    /// Zeroes the gradients, runs forward and backward, returns the loss.
    virtual float differentiate() = 0;
    /// The same, then the optimiser's step.
    virtual void step() = 0;
    /// Of the parameter with that index: weight and bias of each layer, as in MlpTask.
    [[nodiscard]] virtual std::vector<float> gradient(std::size_t parameter) const = 0;
};

struct MlpTask {
    std::vector<int> layers;
    int batch;
    double learning_rate;
    double momentum;
    std::span<const float> inputs;                   // [batch, features]
    std::span<const int> labels;                     // [batch]; used where the net has more than one output
    std::span<const float> targets;                  // [batch, 1]; used where it has one
    std::vector<std::span<const float>> parameters;  // what to start from: weight and bias of each layer
};
[[nodiscard]] std::unique_ptr<LibtorchMlp> make_libtorch_mlp(const MlpTask& task);

/// An MLP with ReLUs that learns to classify: Adam on a one-cycle schedule, whole epochs of shuffled batches.
class LibtorchTraining {
public:
    virtual ~LibtorchTraining() = default;
    /// Trains on every sample once; returns the mean loss.
    virtual double epoch() = 0;
    /// The share of samples recognised.
    [[nodiscard]] virtual double accuracy(std::span<const float> inputs, std::span<const int> labels) = 0;
};

struct TrainingTask {
    std::vector<int> layers;
    std::size_t batch;
    std::size_t epochs;
    double max_lr;
    std::uint64_t seed;
    std::span<const float> inputs;  // [samples, features]
    std::span<const int> labels;    // [samples]
};
[[nodiscard]] std::unique_ptr<LibtorchTraining> make_libtorch_training(const TrainingTask& task);

/// The mean of exp(-y²) sin x + sigmoid(x) y, y = tanh(0.5 x + 1), forward and backward.
class LibtorchExpression {
public:
    virtual ~LibtorchExpression() = default;
    virtual float differentiate() = 0;
    [[nodiscard]] virtual std::vector<float> gradient() const = 0;
};
[[nodiscard]] std::unique_ptr<LibtorchExpression> make_libtorch_expression(std::span<const float> x);

/// A chain y = p, y = f(y, p), f(y, p), ... on one-element tensors.
class LibtorchChain {
public:
    virtual ~LibtorchChain() = default;
    virtual void record(std::size_t length) = 0;
    virtual void replay() = 0;
    virtual void drop() = 0;
    [[nodiscard]] virtual float value() const = 0;
    [[nodiscard]] virtual float gradient() const = 0;
};
enum class Link { add, multiply, tanh };
[[nodiscard]] std::unique_ptr<LibtorchChain> make_libtorch_chain(Link link, float parameter);

}  // namespace xtape::bench
