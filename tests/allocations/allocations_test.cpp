#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include <malloc.h>
#include <sys/mman.h>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "interposed.hpp"

using namespace xtape;
using namespace xtape::testing;

namespace {

constexpr int steps = 100;

// Keeps the compiler from leaving out an allocation whose memory nobody uses.
template <class P>
P* used(P* memory) {
    asm volatile("" : : "r"(memory) : "memory");
    return memory;
}

std::size_t calls_of(const char* function, const AllocatorCalls& calls) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (std::strcmp(allocator_functions[i], function) == 0) {
            return calls[i];
        }
    }
    return 0;
}

void set_threads(int threads) {
    if (openblas_set_num_threads != nullptr) {
        openblas_set_num_threads(threads);
    }
}

// 784-128-10 on batches of 64, momentum SGD: what a user's loop does.
class Training {
public:
    Training() {
        int next = 0;
        for (int& label : labels_) {
            label = next++ % 10;
        }
    }
    void step() {
        optimizer_.zero_grad();
        const auto loss = nn::cross_entropy(net_(inputs_), labels_);
        loss.backward();
        optimizer_.step();
    }
    [[nodiscard]] AllocatorCalls steps_counted() {
        for (int i = 0; i < 20; ++i) {
            step();
        }
        trace_next_call();
        return count_allocator_calls([&] {
            for (int i = 0; i < steps; ++i) {
                step();
            }
        });
    }

private:
    nn::MLP<float> net_{{784, 128, 10}, nn::Activation::relu};
    optim::SGD<float> optimizer_{net_.parameters(), {.lr = 0.01, .momentum = 0.9}};
    Tensor<float> inputs_ = ones<float>({64, 784});
    xt::xarray<int> labels_ = xt::xarray<int>::from_shape({64});
};

// The same products again on memory of our own, and nothing else.
class Products {
public:
    explicit Products(std::vector<Product> products) : products_(std::move(products)) {
        std::size_t largest = 0;
        for (const Product& p : products_) {
            const auto most = static_cast<std::size_t>(std::max({p.m, p.n, p.k}));
            largest = std::max(largest, most * static_cast<std::size_t>(std::max({p.lda, p.ldb, p.ldc})));
        }
        a_.resize(largest);
        b_.resize(largest);
        c_.resize(largest);
    }
    void step() {
        for (const Product& p : products_) {
            cblas_sgemm(p.order, p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.alpha, a_.data(), p.lda, b_.data(),
                        p.ldb, p.beta, c_.data(), p.ldc);
        }
    }

private:
    std::vector<Product> products_;
    std::vector<float> a_;
    std::vector<float> b_;
    std::vector<float> c_;
};

}  // namespace

TEST_CASE("the counter sees every allocator function, and calls from inside the C library") {
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    const AllocatorCalls calls = count_allocator_calls([] {
        std::free(used(std::malloc(10)));
        void* grown = used(std::calloc(3, 10));
        std::free(used(std::realloc(grown, 1000)));
        std::free(used(memalign(64, 64)));
        std::free(used(std::aligned_alloc(64, 64)));
        void* aligned = nullptr;
        CHECK(posix_memalign(&aligned, 64, 64) == 0);
        std::free(used(aligned));
        void* mapped = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(mapped != MAP_FAILED);
        munmap(mapped, 4096);
    });
    for (std::size_t i = 0; i < calls.size(); ++i) {
        CAPTURE(allocator_functions[i]);
        CHECK(calls[i] == 1);
    }
    CHECK(calls_of("malloc", count_allocator_calls([] { std::free(used(strdup("in the C library"))); })) == 1);
    CHECK(calls_of("malloc", count_allocator_calls([] { delete used(new int(3)); })) == 1);
}

TEST_CASE("a steady training step makes no allocator call with OpenBLAS on one thread") {
    set_threads(1);
    Training training;
    const AllocatorCalls first = count_allocator_calls([&] { training.step(); });
    const AllocatorCalls steady = training.steps_counted();
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    CHECK(total(first) > 0);  // the pool is empty then
    CHECK_MESSAGE(total(steady) == 0, steps, " steps made ", describe(steady), "; the first call:", traced_call());
}

TEST_CASE("a steady step of every elementwise optimiser makes no allocator call, nor do clipping and a schedule") {
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    set_threads(1);
    nn::MLP<float> net({784, 128, 10}, nn::Activation::relu);
    const auto parameters = net.parameters();
    const auto inputs = ones<float>({64, 784});
    std::vector<std::unique_ptr<optim::OptimizerBase>> optimizers;
    const auto add = [&]<class O, class Options>(std::type_identity<O>, Options options) {
        optimizers.push_back(std::make_unique<O>(parameters, options));
    };
    add(std::type_identity<optim::SGD<float>>(), optim::SGDOptions{.momentum = 0.9});
    add(std::type_identity<optim::Adam<float>>(), optim::AdamOptions{.amsgrad = true});
    add(std::type_identity<optim::AdamW<float>>(), optim::AdamWOptions{});
    add(std::type_identity<optim::RMSprop<float>>(), optim::RMSpropOptions{.momentum = 0.9, .centered = true});
    add(std::type_identity<optim::Adagrad<float>>(), optim::AdagradOptions{});
    for (const auto& optimizer : optimizers) {
        optim::StepLR schedule(*optimizer, {.step_size = 3});
        const auto step = [&] {
            optimizer->zero_grad();
            mean(square(net(inputs))).backward();
            optim::clip_grad_norm(parameters, 0.01);
            optim::clip_grad_norm(parameters, 0.01, {.norm_type = 3});
            optim::clip_grad_value(parameters, 1e-3);
            optimizer->step();
            schedule.step();
        };
        for (int i = 0; i < 20; ++i) {
            step();
        }
        trace_next_call();
        const AllocatorCalls calls = count_allocator_calls([&] {
            for (int i = 0; i < steps; ++i) {
                step();
            }
        });
        CHECK_MESSAGE(total(calls) == 0, describe(calls), "; the first call:", traced_call());
    }
}

TEST_CASE("a steady training step on two threads makes no more allocator calls than its matrix products alone") {
    set_threads(2);
    Training training;
    const AllocatorCalls steady = training.steps_counted();
    const std::vector<Product> products = record_products([&] { training.step(); });
    CHECK(products.size() >= 5);  // two forward; two for the weights' gradients; one for the hidden layer's
    Products alone(products);
    alone.step();
    const AllocatorCalls allowed = count_allocator_calls([&] {
        for (int i = 0; i < steps; ++i) {
            alone.step();
        }
    });
    set_threads(1);
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    CHECK_MESSAGE(total(steady) <= total(allowed), steps, " steps made ", describe(steady), "\nbut the products alone ",
                  describe(allowed));
}
