#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace xtape::bench {

/// A second thread that waits for work.
class Helper {
public:
    Helper();
    ~Helper();
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    /// work(0) here and work(1) over there, at the same time.
    void share(const std::function<void(int)>& work);

private:
    void serve();

    const std::function<void(int)>* work_ = nullptr;  // null ends the thread
    std::atomic<unsigned> begun_ = 0;
    std::atomic<unsigned> done_ = 0;
    std::thread thread_;
};

/// A training step of an MLP as one would write it by hand, with cblas and without automatic differentiation: the
/// baseline that xtape's steps are measured against. ReLU between the layers, momentum SGD, and softmax-cross-entropy
/// over integer labels, or the mean squared error where the net has one output. Parameters lie in one block, gradients
/// in another.
///
/// It is meant to be hard to beat: nothing is allocated after construction, biases are the products' initial values,
/// every elementwise pass is one loop that the compiler vectorises for the machine at hand (-O3 -march=native
/// -ffast-math), and where the products run on two threads, so do those: along columns, as OpenBLAS divides a layer's
/// output, so that each core finds its half in its own cache.
class HandwrittenMlp {
public:
    /// `layers` are the widths from input to output, at least two.
    HandwrittenMlp(std::vector<int> layers, int batch, float learning_rate, float momentum);

    [[nodiscard]] std::size_t depth() const { return layers_.size(); }
    /// Of layer `i`, [outputs, inputs], row-major.
    [[nodiscard]] std::span<float> weight(std::size_t i) { return part(parameters_, i).first; }
    [[nodiscard]] std::span<float> bias(std::size_t i) { return part(parameters_, i).second; }
    [[nodiscard]] std::span<const float> weight_gradient(std::size_t i) { return part(gradients_, i).first; }
    [[nodiscard]] std::span<const float> bias_gradient(std::size_t i) { return part(gradients_, i).second; }

    /// How many the products run on, 1 or 2: sets OpenBLAS's too.
    void set_threads(int threads);

    /// Forward and backward on `inputs`, [batch, features]: leaves the gradients and returns the loss.
    /// Against labels that is by the cross entropy, against numbers, for a net of one output, by the mean squared
    /// error.
    template <class Target>
    float differentiate(const float* inputs, const Target* targets) {
        return run(inputs, targets, false);
    }
    /// One step of momentum SGD along the gradients.
    void update();
    /// Both in one, with less to read and write: a weight's gradient is added to its velocity by the product itself,
    /// and each layer is updated while its velocity is still in the cache.
    template <class Target>
    float step(const float* inputs, const Target* targets) {
        return run(inputs, targets, true);
    }

    /// The matrix products of `differentiate` alone: the same calls in the same order on the same memory.
    void products_only(const float* inputs);
    /// Floating-point operations in the products of one step.
    [[nodiscard]] double flops() const;

private:
    template <class T>
    struct Aligned {
        using value_type = T;
        Aligned() = default;
        template <class U>
        Aligned(const Aligned<U>&) {}
        T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
        void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }
        friend bool operator==(Aligned, Aligned) { return true; }
    };
    using Buffer = std::vector<float, Aligned<float>>;

    struct Layer {
        int inputs;
        int outputs;
        std::size_t weight;  // offsets in the blocks of parameters, gradients and velocities
        std::size_t bias;
        Buffer output;  // [batch, outputs]
        Buffer delta;   // the loss's gradient by it
    };

    std::pair<std::span<float>, std::span<float>> part(Buffer& block, std::size_t i) const;
    void multiply_forward(Layer& layer, const float* inputs);
    void multiply_weight_gradient(const Layer& layer, const float* inputs, Buffer& sum, float keep);
    void multiply_input_gradient(const Layer& layer, float* input_gradient);
    /// part(start, end) of 0 to `extent`, a half on each thread if so many elements are worth it.
    template <class Part>
    void share(std::size_t extent, std::size_t elements, Part part);
    void forward(const float* inputs);
    void backward(const float* inputs, bool updates);
    [[nodiscard]] std::size_t end_of(std::size_t layer) const;
    void descend(std::size_t layer);
    float run(const float* inputs, const int* labels, bool updates);
    float run(const float* inputs, const float* targets, bool updates);

    std::vector<Layer> layers_;
    int batch_;
    float learning_rate_;
    float momentum_;
    std::size_t parameter_count_ = 0;
    Buffer parameters_;
    Buffer gradients_;
    Buffer velocities_;
    int threads_ = 1;
    std::unique_ptr<Helper> helper_;
};

}  // namespace xtape::bench
