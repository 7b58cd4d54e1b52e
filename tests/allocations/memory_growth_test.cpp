#include <fstream>
#include <optional>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <xtape/xtape.hpp>

#include "interposed.hpp"

using namespace xtape;

namespace {

constexpr std::ptrdiff_t mebibyte = 1 << 20;

std::ptrdiff_t resident_bytes() {
    std::ptrdiff_t all = 0;
    std::ptrdiff_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

// What training loops do: batches of two sizes, metrics, a look at unseen data without recording, now and then a graph
// that is dropped without being replayed, and one whose gradients have graphs of their own.
class Training {
public:
    void run(int steps) {
        while (steps > 0) {
            for (auto& [x, y] : loader_) {
                step(x, y);
                if (--steps == 0) {
                    return;
                }
            }
            look();
        }
    }
    [[nodiscard]] float last_loss() const { return last_loss_; }

private:
    void step(const Tensor<float>& x, const xt::xarray<int>& y) {
        optimizer_.zero_grad();
        const auto loss = nn::cross_entropy(net_(x), y);
        loss.backward();
        optimizer_.step();
        last_loss_ = loss.item();
    }
    void look() {
        const auto dropped = mean(net_(inputs_));
        const auto twice = nn::cross_entropy(net_(inputs_), labels_);
        twice.backward({.create_graph = true});
        no_grad([&] { return nn::accuracy(net_(inputs_), labels_); });
    }

    static xt::xarray<int> labels(std::size_t count) {
        xt::xarray<int> result = xt::xarray<int>::from_shape({count});
        for (std::size_t i = 0; i < count; ++i) {
            result(i) = static_cast<int>(i % 10);
        }
        return result;
    }

    Tensor<float> inputs_ = random::normal<float>({200, 64});
    xt::xarray<int> labels_ = labels(200);
    data::Dataset<float, int> dataset_{xt::xarray<float>(inputs_.value()), labels_};
    data::DataLoader<float, int> loader_{dataset_, {.batch_size = 64, .shuffle = true, .seed = 1}};
    nn::MLP<float> net_{{64, 32, 10}, nn::Activation::relu};
    optim::SGD<float> optimizer_{net_.parameters(), {.lr = 0.05, .momentum = 0.9}};
    float last_loss_ = 0.0f;
};

}  // namespace

TEST_CASE("the measure of memory sees two mebibytes") {
    const std::ptrdiff_t before = resident_bytes();
    REQUIRE(before > 0);
    const std::vector<char> touched(2 * mebibyte, 'x');
    CHECK(resident_bytes() - before > 3 * mebibyte / 2);
    CHECK(touched.back() == 'x');
}

TEST_CASE("ten thousand training steps grow the process by less than a mebibyte") {
    const std::size_t nodes = tape().nodes();
    Training training;
    training.run(100);
    const std::ptrdiff_t after_a_hundred = resident_bytes();
    training.run(10'000);
    const std::ptrdiff_t growth = resident_bytes() - after_a_hundred;
    CHECK(training.last_loss() < 0.5f);
    CHECK(tape().nodes() == nodes);
    if (!testing::counts_allocator_calls) {
        MESSAGE("a sanitizer keeps freed memory, so that growth says nothing: ", growth, " bytes");
        return;
    }
    CHECK(growth < mebibyte);
}
