// Any thread may record; graphs may cross threads; separate graphs may be replayed at the same time into shared leaves.
// Also run under ThreadSanitizer (preset tsan).

#include <algorithm>
#include <atomic>
#include <barrier>
#include <latch>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;

namespace {

using Values = std::vector<double>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int rounds = 20;
#else
constexpr int rounds = 200;
#endif
constexpr int workers = 4;

/// Runs f(0) ... f(workers - 1), each on a thread of its own, all at once.
template <class F>
void in_parallel(F f) {
    std::barrier start(workers);
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) {
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            f(i);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

template <class F>
auto on_another_thread(F f) {
    decltype(f()) result;
    std::thread([&] { result = f(); }).join();
    return result;
}

}  // namespace

TEST_CASE("a graph may be recorded on several threads and replayed on yet another") {
    const auto x = parameter(3.0);
    Tensor<double> noise = parameter(1.0);
    for (int i = 0; i < 100; ++i) {
        noise = noise + 1.0;  // this thread's counter runs ahead
    }
    const auto h = x * x;
    const auto k = on_another_thread([&] { return h * x + h; });  // x³ + x²
    const auto y = k * h;                                         // x⁵ + x⁴
    const auto z = on_another_thread([&] { return y + k * noise.detach() * 0.0; });
    std::thread([&] { z.backward(); }).join();
    CHECK(x.grad().item() == 5 * 81.0 + 4 * 27.0);
}

TEST_CASE("newest first is a topological order, though the threads' counters differ") {
    // The chain goes to and fro between two threads, of which one has recorded much and the other nothing.
    const auto x = parameter(1.0);
    std::vector<Tensor<double>> kept;
    for (int i = 0; i < 1000; ++i) {
        kept.push_back(x + 1.0);
    }
    Tensor<double> y = x;
    for (int i = 0; i < 20; ++i) {
        y = y + y;
        y = on_another_thread([&] { return y + y * x.detach(); });
    }
    CHECK(y.item() == 0x1p40);
    y.backward();
    CHECK(x.grad().item() == 0x1p40);
}

TEST_CASE("separate graphs replayed at the same time into shared leaves give the exact sum") {
    const auto w = parameter(xt::xarray<double>{1.0, 2.0, 3.0});
    const auto v = parameter(5.0);
    in_parallel([&](int i) {
        const Tensor<double> c = i + 1.0;
        for (int round = 0; round < rounds; ++round) {
            (sum(c * w * w) + v * w.detach().value()(0)).backward();  // 2 c w; 1
        }
    });
    constexpr double total = 1.0 + 2.0 + 3.0 + 4.0;  // whole numbers: exact in any order
    CHECK(elements(w.grad()) == Values{2 * total * rounds, 4 * total * rounds, 6 * total * rounds});
    CHECK(v.grad().item() == 1.0 * workers * rounds);
}

TEST_CASE("gradients are read and dropped while others replay") {
    const auto w = parameter(ones<double>({1000}));
    std::atomic<int> wrong = 0;
    in_parallel([&](int i) {
        for (int round = 0; round < rounds; ++round) {
            if (i == 0) {
                if (w.has_grad()) {
                    try {
                        const auto g = w.grad();  // whole and unchanging, whatever arrives meanwhile
                        const double first = g.data()[0];
                        for (const double each : g.value()) {
                            wrong += each != first ? 1 : 0;
                        }
                        wrong += g.data()[0] != first ? 1 : 0;
                    } catch (const GraphError&) {  // another thread dropped it in between
                    }
                }
            } else if (i == 1 && round % 10 == 9) {
                w.zero_grad();
            } else {
                sum(2.0 * w).backward();
            }
        }
    });
    CHECK(wrong == 0);
}

TEST_CASE("a network is evaluated and differentiated on several threads at once") {
    nn::MLP<double> net({3, 8, 2}, nn::Activation::tanh);
    const auto x = ones<double>({4, 3});
    const auto loss_of = [&] { return sum(net(x)); };
    loss_of().backward();
    std::vector<Values> once;
    for (const auto& p : net.parameters()) {
        once.push_back(elements(p.grad()));
    }
    net.zero_grad();
    std::atomic<int> wrong = 0;
    in_parallel([&](int) {
        for (int round = 0; round < rounds / 10; ++round) {
            const auto by = grad(loss_of(), net.parameters());
            for (std::size_t k = 0; k < by.size(); ++k) {
                wrong += elements(by[k]) != once[k] ? 1 : 0;
            }
        }
    });
    CHECK(wrong == 0);
    for (const auto& p : net.parameters()) {
        CHECK_FALSE(p.has_grad());
    }
}

TEST_CASE("one retained graph may be replayed by several threads at once") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto y = sum(exp(x) * x);
    const auto expected = elements(grad(y, {x}, {.retain_graph = true})[0]);
    std::atomic<int> wrong = 0;
    in_parallel([&](int) {
        for (int round = 0; round < rounds; ++round) {
            wrong += elements(grad(y, {x}, {.retain_graph = true})[0]) != expected ? 1 : 0;
        }
    });
    CHECK(wrong == 0);
}

TEST_CASE("tensors freed on another thread are counted where they were recorded") {
    const std::size_t nodes = tape().nodes();
    const std::size_t bytes = tape().bytes();
    const auto x = parameter(ones<double>({100}));
    auto y = exp(x) * x;
    CHECK(tape().nodes() == nodes + 2);
    std::thread([&] {
        const std::size_t here = tape().nodes();
        y = Tensor<double>();
        CHECK(tape().nodes() == here);
    }).join();
    CHECK(tape().nodes() == nodes);
    CHECK(tape().bytes() == bytes);
}

TEST_CASE("a buffer that nodes of two threads saved is counted once, and by nobody when it is gone") {
    const std::size_t bytes = tape().bytes();
    const auto c = ones<double>({1000});
    auto mine = c * parameter(ones<double>({1000}));
    auto theirs = std::make_unique<Tensor<double>>();
    std::latch recorded(1);
    std::latch dropped(1);
    std::size_t their_bytes = ~std::size_t{0};
    std::thread other([&] {
        const std::size_t before = tape().bytes();
        *theirs = c * parameter(ones<double>({1000}));
        recorded.count_down();
        dropped.wait();
        theirs.reset();
        their_bytes = tape().bytes() - before;
    });
    recorded.wait();
    mine = Tensor<double>();  // the first to save lets go first
    dropped.count_down();
    other.join();
    CHECK(their_bytes == 0);
    CHECK(tape().bytes() == bytes);
}

TEST_CASE("tensors outlive the thread that made them") {
    const std::size_t nodes = tape().nodes();
    auto y = on_another_thread([] {
        const auto x = parameter(ones<double>({50'000}));
        return std::vector<Tensor<double>>{x, sum(x * x), Tensor<double>(2.0)};
    });
    const auto x = y[0];
    y[1].backward();
    CHECK(x.grad().data()[49'999] == 2.0);
    CHECK(y[2].item() == 2.0);
    y.clear();
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("a thread's tape is as good as new when a later thread gets it") {
    Tensor<double> survivor;
    for (int i = 0; i < 50; ++i) {
        std::thread([&] {
            CHECK(tape().nodes() == 0);
            CHECK(tape().bytes() == 0);
            const auto x = parameter(1.0);
            Tensor<double> y = x;
            for (int k = 0; k < 10; ++k) {
                y = exp(y);
            }
            if (i % 7 == 0) {
                survivor = y;
            }
        }).join();
    }
}

TEST_CASE("a tape serves one thread at a time, also while a thread's thread-local tensors die") {
    constexpr int others = 32;  // more than there are tapes of threads that ended
    struct Shared {
        std::latch ended{1};          // the first thread has begun to destroy its thread-local objects
        std::latch compared{others};  // the others have looked at their tapes
        Tape* first = nullptr;
        std::vector<Tape*> tapes = std::vector<Tape*>(others);
    };
    Shared shared;
    struct Holder {
        Shared* shared = nullptr;
        Tensor<double> tensor;
        ~Holder() {
            shared->first = &tape();
            shared->ended.count_down();
            shared->compared.wait();
            tensor = Tensor<double>();
        }
    };
    // Made on this thread, so that the first thread's own tape is empty when it ends.
    auto tensor = exp(parameter(1.0));
    std::thread first([&] {
        static thread_local Holder holder;  // made before the thread's tape, so it dies after it
        holder.shared = &shared;
        holder.tensor = std::move(tensor);
        (void)tape();
    });
    shared.ended.wait();
    std::vector<std::thread> threads;
    for (Tape*& taken : shared.tapes) {
        threads.emplace_back([&] {
            taken = &tape();
            shared.compared.arrive_and_wait();  // all are alive at once
        });
    }
    first.join();
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(shared.first != nullptr);
    CHECK(std::ranges::count(shared.tapes, shared.first) == 0);
    CHECK(std::set<Tape*>(shared.tapes.begin(), shared.tapes.end()).size() == others);
}

TEST_CASE("long graphs are destroyed on several threads at once") {
    const std::size_t nodes = tape().nodes();
    const auto x = parameter(1.0);
    std::vector<Tensor<double>> chains(workers);
    for (auto& chain : chains) {
        chain = x;
        for (int i = 0; i < 20'000; ++i) {
            chain = chain + x;
        }
    }
    in_parallel([&](int i) { chains[static_cast<std::size_t>(i)] = Tensor<double>(); });
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("a leaf may die on one thread while its gradient arrives on another") {
    for (int round = 0; round < rounds; ++round) {
        auto x = parameter(ones<double>({10}));
        const auto keep = parameter(1.0);
        const auto y = sum(x * keep);
        std::latch start(2);
        std::thread replay([&] {
            start.arrive_and_wait();
            y.backward();
        });
        start.arrive_and_wait();
        x = Tensor<double>();
        replay.join();
        CHECK(keep.grad().item() == 10.0);
    }
}
