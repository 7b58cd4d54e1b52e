#include "handwritten_mlp.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <cblas.h>

// OpenBLAS has it; with another BLAS the figures are for as many threads as that takes.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace xtape::bench {
namespace {

constexpr std::size_t line = 16;  // floats in a cache line
constexpr std::size_t tile = 64;
constexpr std::size_t worth_sharing = 1 << 16;  // elements: waking the other thread takes some 10 us

std::size_t round_up(std::size_t size, std::size_t unit = line) { return (size + unit - 1) / unit * unit; }

// The first `width` of `columns` columns.
void relu(float* __restrict x, std::size_t rows, std::size_t columns, std::size_t width) {
    for (std::size_t i = 0; i < rows; ++i, x += columns) {
        for (std::size_t j = 0; j < width; ++j) {
            x[j] = std::max(x[j], 0.0f);
        }
    }
}

void column_sums(float* __restrict sums, const float* __restrict matrix, std::size_t rows, std::size_t columns,
                 std::size_t width) {
    std::fill_n(sums, width, 0.0f);
    for (std::size_t i = 0; i < rows; ++i, matrix += columns) {
        for (std::size_t j = 0; j < width; ++j) {
            sums[j] += matrix[j];
        }
    }
}

// And the sums of what that leaves.
void relu_backward(float* __restrict gradient, float* __restrict sums, const float* __restrict output, std::size_t rows,
                   std::size_t columns, std::size_t width) {
    std::fill_n(sums, width, 0.0f);
    for (std::size_t i = 0; i < rows; ++i, gradient += columns, output += columns) {
        for (std::size_t j = 0; j < width; ++j) {
            gradient[j] = output[j] > 0.0f ? gradient[j] : 0.0f;
            sums[j] += gradient[j];
        }
    }
}

// Mean over the rows; `delta` gets the gradient by the logits.
float cross_entropy(float* __restrict delta, const float* __restrict logits, const int* labels, std::size_t rows,
                    std::size_t classes) {
    const float scale = 1.0f / static_cast<float>(rows);
    float loss = 0.0f;
    for (std::size_t i = 0; i < rows; ++i, logits += classes, delta += classes) {
        const auto label = static_cast<std::size_t>(labels[i]);
        float largest = logits[0];
        for (std::size_t j = 1; j < classes; ++j) {
            largest = std::max(largest, logits[j]);
        }
        float sum = 0.0f;
        for (std::size_t j = 0; j < classes; ++j) {
            delta[j] = std::exp(logits[j] - largest);
            sum += delta[j];
        }
        loss += std::log(sum) + largest - logits[label];
        const float factor = scale / sum;
        for (std::size_t j = 0; j < classes; ++j) {
            delta[j] *= factor;
        }
        delta[label] -= scale;
    }
    return loss * scale;
}

float mean_squared_error(float* __restrict delta, const float* __restrict outputs, const float* __restrict targets,
                         std::size_t size) {
    const float scale = 1.0f / static_cast<float>(size);
    float loss = 0.0f;
    for (std::size_t i = 0; i < size; ++i) {
        const float difference = outputs[i] - targets[i];
        loss += difference * difference;
        delta[i] = 2.0f * scale * difference;
    }
    return loss * scale;
}

// On two threads the gradients lie half in the other core's cache, and every parameter was read there: the hardware's
// prefetchers look too short a way ahead for that. `size` is a multiple of `tile`.
void momentum_step(float* __restrict parameters, float* __restrict velocities, const float* __restrict gradients,
                   std::size_t size, float learning_rate, float momentum) {
    constexpr std::size_t ahead = 1024;
    for (std::size_t start = 0; start < size; start += tile) {
        for (std::size_t i = start; i < start + tile; i += line) {
            __builtin_prefetch(gradients + i + ahead);
            __builtin_prefetch(velocities + i + ahead, 1);
            __builtin_prefetch(parameters + i + ahead, 1);
        }
        for (std::size_t i = start; i < start + tile; ++i) {
            velocities[i] = momentum * velocities[i] + gradients[i];
            parameters[i] -= learning_rate * velocities[i];
        }
    }
}

// Along the velocities as they are.
void descent_step(float* __restrict parameters, const float* __restrict velocities, std::size_t size,
                  float learning_rate) {
    constexpr std::size_t ahead = 1024;
    for (std::size_t start = 0; start < size; start += tile) {
        for (std::size_t i = start; i < start + tile; i += line) {
            __builtin_prefetch(velocities + i + ahead);
            __builtin_prefetch(parameters + i + ahead, 1);
        }
        for (std::size_t i = start; i < start + tile; ++i) {
            parameters[i] -= learning_rate * velocities[i];
        }
    }
}

}  // namespace

Helper::Helper() : thread_([this] { serve(); }) {}

Helper::~Helper() {
    begun_.fetch_add(1, std::memory_order_release);
    begun_.notify_one();
    thread_.join();
}

void Helper::share(const std::function<void(int)>& work) {
    work_ = &work;
    const unsigned round = begun_.fetch_add(1, std::memory_order_release) + 1;
    begun_.notify_one();
    work(0);
    while (done_.load(std::memory_order_acquire) != round) {
        std::this_thread::yield();  // it may have been put on this very core
    }
    work_ = nullptr;
}

void Helper::serve() {
    for (unsigned round = 1;; ++round) {
        // As OpenBLAS's threads do: awake, but giving way, for as long as more is likely to come.
        for (int i = 0; i < 20000 && begun_.load(std::memory_order_acquire) != round; ++i) {
            std::this_thread::yield();
        }
        begun_.wait(round - 1, std::memory_order_acquire);
        if (work_ == nullptr) {
            return;
        }
        (*work_)(1);
        done_.store(round, std::memory_order_release);
    }
}

HandwrittenMlp::HandwrittenMlp(std::vector<int> layers, int batch, float learning_rate, float momentum)
    : batch_(batch), learning_rate_(learning_rate), momentum_(momentum) {
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
        const std::size_t inputs = static_cast<std::size_t>(layers[i]);
        const std::size_t outputs = static_cast<std::size_t>(layers[i + 1]);
        const std::size_t weight = parameter_count_;
        const std::size_t bias = weight + round_up(inputs * outputs);
        parameter_count_ = round_up(bias + outputs, tile);
        const std::size_t activations = static_cast<std::size_t>(batch) * outputs;
        layers_.push_back({layers[i], layers[i + 1], weight, bias, Buffer(activations), Buffer(activations)});
    }
    parameters_.resize(parameter_count_);
    gradients_.resize(parameter_count_);
    velocities_.resize(parameter_count_);
}

std::pair<std::span<float>, std::span<float>> HandwrittenMlp::part(Buffer& block, std::size_t i) const {
    const Layer& layer = layers_[i];
    const auto outputs = static_cast<std::size_t>(layer.outputs);
    return {{block.data() + layer.weight, outputs * static_cast<std::size_t>(layer.inputs)},
            {block.data() + layer.bias, outputs}};
}

// output += inputs weightᵀ
void HandwrittenMlp::multiply_forward(Layer& layer, const float* inputs) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, batch_, layer.outputs, layer.inputs, 1.0f, inputs,
                layer.inputs, parameters_.data() + layer.weight, layer.inputs, 1.0f, layer.output.data(),
                layer.outputs);
}

// sum = keep sum + weight gradient, which is deltaᵀ inputs
void HandwrittenMlp::multiply_weight_gradient(const Layer& layer, const float* inputs, Buffer& sum, float keep) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, layer.outputs, layer.inputs, batch_, 1.0f, layer.delta.data(),
                layer.outputs, inputs, layer.inputs, keep, sum.data() + layer.weight, layer.inputs);
}

// input gradient = delta weight
void HandwrittenMlp::multiply_input_gradient(const Layer& layer, float* input_gradient) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch_, layer.inputs, layer.outputs, 1.0f,
                layer.delta.data(), layer.outputs, parameters_.data() + layer.weight, layer.inputs, 0.0f,
                input_gradient, layer.inputs);
}

template <class Part>
void HandwrittenMlp::share(std::size_t extent, std::size_t elements, Part part) {
    if (threads_ == 1 || elements < worth_sharing) {
        part(0, extent);
        return;
    }
    const std::size_t half = round_up(extent / 2, tile);
    helper_->share([&](int thread) { thread == 0 ? part(0, half) : part(half, extent); });
}

void HandwrittenMlp::forward(const float* inputs) {
    const auto rows = static_cast<std::size_t>(batch_);
    for (Layer& layer : layers_) {
        const auto outputs = static_cast<std::size_t>(layer.outputs);
        share(outputs, rows * outputs, [&](std::size_t start, std::size_t end) {
            for (std::size_t i = 0; i < rows; ++i) {
                std::copy_n(parameters_.data() + layer.bias + start, end - start,
                            layer.output.data() + i * outputs + start);
            }
        });
        multiply_forward(layer, inputs);
        if (&layer != &layers_.back()) {
            share(outputs, rows * outputs, [&](std::size_t start, std::size_t end) {
                relu(layer.output.data() + start, rows, outputs, end - start);
            });
        }
        inputs = layer.output.data();
    }
}

void HandwrittenMlp::backward(const float* inputs, bool updates) {
    const auto rows = static_cast<std::size_t>(batch_);
    const Layer& last = layers_.back();
    const auto classes = static_cast<std::size_t>(last.outputs);
    column_sums(gradients_.data() + last.bias, last.delta.data(), rows, classes, classes);
    for (std::size_t i = layers_.size(); i-- > 0;) {
        const float* layer_inputs = i > 0 ? layers_[i - 1].output.data() : inputs;
        updates ? multiply_weight_gradient(layers_[i], layer_inputs, velocities_, momentum_)
                : multiply_weight_gradient(layers_[i], layer_inputs, gradients_, 0.0f);
        if (i > 0) {
            Layer& below = layers_[i - 1];
            const auto columns = static_cast<std::size_t>(below.outputs);
            multiply_input_gradient(layers_[i], below.delta.data());
            share(columns, rows * columns, [&](std::size_t start, std::size_t end) {
                relu_backward(below.delta.data() + start, gradients_.data() + below.bias + start,
                              below.output.data() + start, rows, columns, end - start);
            });
        }
        if (updates) {
            descend(i);
        }
    }
}

float HandwrittenMlp::run(const float* inputs, const int* labels, bool updates) {
    forward(inputs);
    Layer& last = layers_.back();
    const float loss = cross_entropy(last.delta.data(), last.output.data(), labels, static_cast<std::size_t>(batch_),
                                     static_cast<std::size_t>(last.outputs));
    backward(inputs, updates);
    return loss;
}

float HandwrittenMlp::run(const float* inputs, const float* targets, bool updates) {
    forward(inputs);
    Layer& last = layers_.back();
    const float loss = mean_squared_error(last.delta.data(), last.output.data(), targets,
                                          static_cast<std::size_t>(batch_) * static_cast<std::size_t>(last.outputs));
    backward(inputs, updates);
    return loss;
}

void HandwrittenMlp::set_threads(int threads) {
    if (openblas_set_num_threads != nullptr) {
        openblas_set_num_threads(threads);
    }
    threads_ = threads;
    if (threads > 1 && !helper_) {
        helper_ = std::make_unique<Helper>();
    }
}

std::size_t HandwrittenMlp::end_of(std::size_t layer) const {
    return layer + 1 < layers_.size() ? layers_[layer + 1].weight : parameter_count_;
}

void HandwrittenMlp::update() {
    // Layer by layer, for OpenBLAS divides each weight's gradient into the upper and the lower rows.
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const std::size_t first = layers_[i].weight;
        const std::size_t size = end_of(i) - first;
        share(size, size, [&](std::size_t start, std::size_t end) {
            momentum_step(parameters_.data() + first + start, velocities_.data() + first + start,
                          gradients_.data() + first + start, end - start, learning_rate_, momentum_);
        });
    }
}

// The update of a layer whose weights' velocities hold their gradients already; the bias's don't.
void HandwrittenMlp::descend(std::size_t layer) {
    const std::size_t bias = layers_[layer].bias;
    const std::size_t end_of_bias = end_of(layer);
    for (std::size_t i = bias; i < end_of_bias; ++i) {
        velocities_[i] = momentum_ * velocities_[i] + gradients_[i];
    }
    const std::size_t first = layers_[layer].weight;
    const std::size_t size = end_of_bias - first;
    share(size, size, [&](std::size_t start, std::size_t end) {
        descent_step(parameters_.data() + first + start, velocities_.data() + first + start, end - start,
                     learning_rate_);
    });
}

void HandwrittenMlp::products_only(const float* inputs) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        multiply_forward(layers_[i], i > 0 ? layers_[i - 1].output.data() : inputs);
    }
    for (std::size_t i = layers_.size(); i-- > 0;) {
        multiply_weight_gradient(layers_[i], i > 0 ? layers_[i - 1].output.data() : inputs, gradients_, 0.0f);
        if (i > 0) {
            multiply_input_gradient(layers_[i], layers_[i - 1].delta.data());
        }
    }
}

double HandwrittenMlp::flops() const {
    double products = 0.0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        products += (i > 0 ? 3.0 : 2.0) * layers_[i].inputs * layers_[i].outputs;
    }
    return 2.0 * batch_ * products;
}

}  // namespace xtape::bench
