// Passes on several threads give what one thread gives, bit for bit.

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::message;

namespace {

class Threads {
public:
    explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;
    ~Threads() { set_num_threads(before_); }

private:
    int before_;
};

using Results = std::vector<Tensor<float>>;

bool same_bits(const Tensor<float>& a, const Tensor<float>& b) {
    return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Results on_threads(int threads, const std::function<Results()>& compute) {
    const Threads set(threads);
    return compute();
}

void check_independent(const char* name, const std::function<Results()>& compute) {
    const Results alone = on_threads(1, compute);
    const Results shared = on_threads(2, compute);
    REQUIRE(alone.size() == shared.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
        CHECK_MESSAGE(same_bits(alone[i], shared[i]), name << ", result " << i);
    }
}

Tensor<float> numbers(const Shape& shape, std::uint64_t seed) {
    random::seed(seed);
    return random::normal<float>(shape);
}

// A value and its gradients by the inputs.
Results with_gradients(const std::vector<Tensor<float>>& inputs,
                       const std::function<Tensor<float>(const std::vector<Tensor<float>>&)>& f) {
    std::vector<Tensor<float>> leaves;
    for (const Tensor<float>& input : inputs) {
        leaves.push_back(parameter(input));
    }
    const Tensor<float> y = f(leaves);
    Results results = grad(y, leaves, {.seed = ones<float>(y.shape()) * 0.7f});
    results.push_back(y.detach());
    return results;
}

}  // namespace

TEST_CASE("elementwise passes don't depend on the number of threads") {
    const Tensor<float> a = numbers({333, 1111}, 1);
    const Tensor<float> b = numbers({333, 1111}, 2);
    const Tensor<float> row = numbers({1111}, 3);
    const Tensor<float> column = numbers({333, 1}, 4);
    check_independent("exp", [&] { return with_gradients({a}, [](const auto& x) { return exp(x[0]); }); });
    check_independent("a * b", [&] { return with_gradients({a, b}, [](const auto& x) { return x[0] * x[1]; }); });
    check_independent("a / row", [&] { return with_gradients({a, row}, [](const auto& x) { return x[0] / x[1]; }); });
    check_independent("column - a", [&] {
        return with_gradients({column, a}, [](const auto& x) { return x[0] - x[1]; });
    });
    check_independent("row + column", [&] {
        return with_gradients({row, column}, [](const auto& x) { return x[0] + x[1]; });
    });
    check_independent("a * 0-d", [&] {
        return with_gradients({a, Tensor<float>(1.5f)}, [](const auto& x) { return x[0] * x[1]; });
    });
}

TEST_CASE("reductions don't depend on the number of threads") {
    const Tensor<float> tall = numbers({20'011, 17}, 5);
    const Tensor<float> wide = numbers({17, 20'011}, 6);
    for (const Tensor<float>& x : {tall, wide}) {
        check_independent("sum", [&] { return with_gradients({x}, [](const auto& v) { return sum(v[0]); }); });
        check_independent("sum 0", [&] { return with_gradients({x}, [](const auto& v) { return sum(v[0], 0); }); });
        check_independent("mean 1", [&] { return with_gradients({x}, [](const auto& v) { return mean(v[0], 1); }); });
        check_independent("amax", [&] { return with_gradients({x}, [](const auto& v) { return amax(v[0]); }); });
        check_independent("variance",
                          [&] { return with_gradients({x}, [](const auto& v) { return variance(v[0]); }); });
    }
}

TEST_CASE("sums in pieces are sums of all elements") {
    for (const Shape& shape : {Shape{262'144}, {262'145}, {500'000}, {300'000, 1}, {70'001, 5}, {16, 65'537}}) {
        const Tensor<float> x = full<float>(shape, 1.0f);
        CHECK(sum(x).item() == static_cast<float>(x.size()));
        CHECK(prod(x).item() == 1.0f);
        const Tensor<float> by_column = sum(x, 0);
        CHECK(xt::all(xt::equal(by_column.value(), static_cast<float>(shape[0]))));
    }
}

TEST_CASE("the optimiser's update does not depend on the number of threads") {
    check_independent("SGD", [] {
        const auto p = parameter(numbers({300'001}, 7));
        optim::SGD<float> sgd({p}, {.lr = 0.1, .momentum = 0.9});
        for (int step = 0; step < 3; ++step) {
            sgd.zero_grad();
            sum(square(p)).backward();
            sgd.step();
        }
        return Results{p.detach()};
    });
}

TEST_CASE("several threads may make large passes at once") {
    const Threads set(2);
    const Tensor<float> x = numbers({500'000}, 8);
    const Tensor<float> expected = exp(x);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                wrong += same_bits(exp(x), expected) ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}

TEST_CASE("set_num_threads takes at least one") {
    const Threads set(2);
    CHECK(num_threads() == 2);
    CHECK(message<ValueError>([] { set_num_threads(0); }) == "set_num_threads: 0 threads; it takes at least 1");
    CHECK(num_threads() == 2);
}
