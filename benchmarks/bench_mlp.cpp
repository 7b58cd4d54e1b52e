// A training step of five MLPs: xtape, as its user would write it, against a program written by hand
// (handwritten_mlp.hpp), and libtorch where it is installed. First they must agree on the loss, every gradient and
// (xtape and the one by hand) the parameters after some steps; then they are timed in turn.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "figures.hpp"
#include "handwritten_mlp.hpp"
#include "options.hpp"
#include "peer_libtorch.hpp"

namespace {

using namespace xtape;

constexpr double learning_rate = 1e-3;
constexpr double momentum = 0.9;
constexpr double weakest_baseline = 0.9;  // of the products' own rate

struct Net {
    std::vector<int> layers;
    int batch;
    double target;                                    // xtape's step over the hand-written one
    std::optional<double> required = {};              // the same, below which the benchmark fails already today
    bool dominated_by_products = false;               // then the baseline must come close to their rate
    std::optional<double> faster_than_libtorch = {};  // how many times

    [[nodiscard]] std::string name() const { return fmt::format("{}, {}", fmt::join(layers, "-"), batch); }
};

std::vector<Net> all_nets() {
    return {
        {.layers = {2, 16, 16, 1}, .batch = 32, .target = 2.0, .faster_than_libtorch = 25.0},
        {.layers = {64, 64, 10}, .batch = 64, .target = 1.25},
        {.layers = {784, 128, 10}, .batch = 64, .target = 1.10},
        {.layers = {784, 512, 512, 10}, .batch = 128, .target = 1.05, .required = 1.25, .dominated_by_products = true},
        {.layers = {1024, 1024, 1024, 1024, 10}, .batch = 512, .target = 1.03, .dominated_by_products = true}};
}

/// The programs on the same data, from the same parameters.
class Contest {
public:
    explicit Contest(const Net& net)
        : inputs_(random({static_cast<std::size_t>(net.batch), static_cast<std::size_t>(net.layers.front())})),
          targets_(random({static_cast<std::size_t>(net.batch), 1})),
          labels_(xt::xarray<int>::from_shape({static_cast<std::size_t>(net.batch)})),
          regression_(net.layers.back() == 1), x_(inputs_), t_(targets_),
          mlp_(std::vector<std::size_t>(net.layers.begin(), net.layers.end()), nn::Activation::relu),
          sgd_(mlp_.parameters(), {.lr = learning_rate, .momentum = momentum}),
          by_hand_(net.layers, net.batch, static_cast<float>(learning_rate), static_cast<float>(momentum)) {
        for (int& label : labels_) {
            label = std::uniform_int_distribution<int>(0, net.layers.back() - 1)(generator_);
        }
        for (std::size_t i = 0; i < by_hand_.depth(); ++i) {
            copy(mlp_.parameters()[2 * i], by_hand_.weight(i));
            copy(mlp_.parameters()[2 * i + 1], by_hand_.bias(i));
        }
        bench::MlpTask task{.layers = net.layers,
                            .batch = net.batch,
                            .learning_rate = learning_rate,
                            .momentum = momentum,
                            .inputs = std::span(inputs_.data(), inputs_.size()),
                            .labels = std::span(labels_.data(), labels_.size()),
                            .targets = std::span(targets_.data(), targets_.size()),
                            .parameters = {}};
        for (const Tensor<float>& parameter : mlp_.parameters()) {
            task.parameters.push_back(elements(parameter));
        }
        libtorch_ = bench::make_libtorch_mlp(task);
    }

    float differentiate() {
        sgd_.zero_grad();
        const auto loss = regression_ ? nn::mse_loss(mlp_(x_), t_) : nn::cross_entropy(mlp_(x_), labels_);
        loss.backward();
        return loss.item();
    }
    void step() {
        sgd_.zero_grad();
        const auto loss = regression_ ? nn::mse_loss(mlp_(x_), t_) : nn::cross_entropy(mlp_(x_), labels_);
        loss.backward();
        sgd_.step();
    }
    float differentiate_by_hand() {
        return regression_ ? by_hand_.differentiate(inputs_.data(), targets_.data())
                           : by_hand_.differentiate(inputs_.data(), labels_.data());
    }
    void step_by_hand() {
        regression_ ? by_hand_.step(inputs_.data(), targets_.data()) : by_hand_.step(inputs_.data(), labels_.data());
    }
    [[nodiscard]] bool has_libtorch() const { return libtorch_ != nullptr; }
    void step_by_libtorch() { libtorch_->step(); }
    void set_threads(int threads) {
        by_hand_.set_threads(threads);
        bench::set_libtorch_threads(threads);
    }
    void products_only() { by_hand_.products_only(inputs_.data()); }
    [[nodiscard]] double flops() const { return by_hand_.flops(); }

    /// What the programs disagree on; empty if nothing.
    [[nodiscard]] std::string disagreement();

private:
    static std::span<const float> elements(const Tensor<float>& tensor) { return {tensor.data(), tensor.size()}; }
    [[nodiscard]] std::string disagreement_with_libtorch();
    static void copy(const Tensor<float>& from, std::span<float> to) {
        std::copy_n(from.value().data(), to.size(), to.data());
    }
    xt::xarray<float> random(const std::vector<std::size_t>& shape) {
        xt::xarray<float> result = xt::xarray<float>::from_shape(shape);
        std::normal_distribution<float> normal;
        std::generate(result.begin(), result.end(), [&] { return normal(generator_); });
        return result;
    }

    std::mt19937 generator_{20240229};
    xt::xarray<float> inputs_;
    xt::xarray<float> targets_;
    xt::xarray<int> labels_;
    bool regression_;
    Tensor<float> x_;
    Tensor<float> t_;
    nn::MLP<float> mlp_;
    optim::SGD<float> sgd_;
    bench::HandwrittenMlp by_hand_;
    std::unique_ptr<bench::LibtorchMlp> libtorch_;  // null where it is not installed
};

/// The largest difference, relative to the largest element; infinite where a number is none.
double relative_difference(std::span<const float> a, std::span<const float> b) {
    double difference = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
            return std::numeric_limits<double>::infinity();
        }
        difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
        size = std::max(size, std::abs(static_cast<double>(b[i])));
    }
    return size > 0.0 ? difference / size : difference;
}

/// Why two arrays are not the same, in step `step`; empty if they are.
std::string compare(std::string_view what, int step, std::span<const float> a, std::span<const float> b) {
    constexpr double tolerance = 1e-4;
    const double difference = relative_difference(a, b);
    return difference <= tolerance ? std::string()
                                   : fmt::format("{} in step {}: relative difference {:.2g}", what, step, difference);
}

std::string Contest::disagreement_with_libtorch() {
    const float loss = differentiate();
    const float loss_by_libtorch = libtorch_->differentiate();
    std::string found = compare("libtorch's loss", 0, {&loss, 1}, {&loss_by_libtorch, 1});
    const auto parameters = mlp_.named_parameters();
    for (std::size_t i = 0; i < parameters.size() && found.empty(); ++i) {
        const auto& [name, tensor] = parameters[i];
        const Tensor<float> gradient = tensor.grad();
        found = compare("libtorch's gradient of " + name, 0, elements(gradient), libtorch_->gradient(i));
    }
    return found;
}

std::string Contest::disagreement() {
    if (libtorch_) {
        std::string found = disagreement_with_libtorch();
        if (!found.empty()) {
            return found;
        }
    }
    const auto parameters = mlp_.named_parameters();
    const auto compare_parameters = [&](int step) {
        std::string found;
        for (std::size_t i = 0; i < parameters.size() && found.empty(); ++i) {
            const auto& [name, tensor] = parameters[i];
            found = compare(name, step, elements(tensor), i % 2 == 0 ? by_hand_.weight(i / 2) : by_hand_.bias(i / 2));
        }
        return found;
    };
    for (int step = 0; step < 3; ++step) {
        const float loss = differentiate();
        const float loss_by_hand = differentiate_by_hand();
        std::string found = compare("the loss", step, {&loss, 1}, {&loss_by_hand, 1});
        for (std::size_t i = 0; i < parameters.size() && found.empty(); ++i) {
            const auto& [name, tensor] = parameters[i];
            const Tensor<float> gradient = tensor.grad();
            found = compare("the gradient of " + name, step, elements(gradient),
                            i % 2 == 0 ? by_hand_.weight_gradient(i / 2) : by_hand_.bias_gradient(i / 2));
        }
        sgd_.step();
        by_hand_.update();
        if (found.empty()) {
            found = compare_parameters(step);
        }
        if (!found.empty()) {
            return found;
        }
    }
    step();  // in the form that is timed
    step_by_hand();
    return compare_parameters(3);
}

/// False, and says why, if the programs differ.
bool agree(const Net& net, Contest& contest) {
    const std::string what = contest.disagreement();
    if (!what.empty()) {
        fmt::print("{:<32} DIFFERENT RESULTS: {}\n", net.name(), what);
    }
    return what.empty();
}

/// The best of one and two threads, in seconds a step.
struct Best {
    double by_hand = std::numeric_limits<double>::infinity();
    double xtape = std::numeric_limits<double>::infinity();
    double libtorch = std::numeric_limits<double>::infinity();
    double xtape_beside_libtorch = std::numeric_limits<double>::infinity();
};

/// Prints what one net's programs take on one number of threads; false if the baseline is too weak.
bool time_on(int threads, const Net& net, Contest& contest, Contest& products, const bench::Options& options,
             Best& best) {
    const std::vector<std::function<void()>> programs = {[&] { contest.step_by_hand(); }, [&] { contest.step(); },
                                                         [&] { products.products_only(); }};
    contest.set_threads(threads);
    const std::vector<double> taken = bench::best_in_turn(programs, options.effort());
    // Apart from the others: after a loop on two threads libtorch's second one keeps its core busy for a while.
    std::string by_libtorch;
    if (contest.has_libtorch()) {
        const std::vector<std::function<void()>> peers = {[&] { contest.step(); }, [&] { contest.step_by_libtorch(); }};
        const std::vector<double> beside = bench::best_in_turn(peers, options.effort());
        best.xtape_beside_libtorch = std::min(best.xtape_beside_libtorch, beside[0]);
        best.libtorch = std::min(best.libtorch, beside[1]);
        by_libtorch = fmt::format("{:.2f}", beside[1] * 1e6);
    }
    const double rate = contest.flops() / taken[0] * 1e-9;
    const double products_rate = contest.flops() / taken[2] * 1e-9;
    const bool weak = net.dominated_by_products && rate < weakest_baseline * products_rate;
    fmt::print("{:<32} {:>7} {:>12.2f} {:>12.2f} {:>7.3f} {:>7} {:>9.1f} {:>9.1f} {:>6.2f} {:>12}{}\n", net.name(),
               threads, taken[0] * 1e6, taken[1] * 1e6, taken[1] / taken[0], "", rate, products_rate,
               rate / products_rate, by_libtorch, weak ? "  TOO WEAK A BASELINE" : "");
    std::fflush(stdout);
    best.by_hand = std::min(best.by_hand, taken[0]);
    best.xtape = std::min(best.xtape, taken[1]);
    return options.accept(!weak);
}

/// Prints the rows of one net; false if it fails.
bool run(const Net& net, const bench::Options& options, bench::Figures& figures) {
    Contest contest(net);
    if (!agree(net, contest)) {
        return false;
    }
    Contest products(net);  // whose activations may grow without bound
    Best best;
    bool passed = true;
    for (const int threads : {1, 2}) {
        passed = time_on(threads, net, contest, products, options, best) && passed;
    }
    const double ratio = best.xtape / best.by_hand;
    const bool too_slow = net.required && ratio > *net.required;
    fmt::print("{:<32} {:>7} {:>12.2f} {:>12.2f} {:>7.3f} {:>7.2f} {:>26} {:>12}{}\n", "", "best", best.by_hand * 1e6,
               best.xtape * 1e6, ratio, net.target, "",
               contest.has_libtorch() ? fmt::format("{:.2f}", best.libtorch * 1e6) : "",
               too_slow              ? fmt::format("  TOO SLOW: {:.2f} is required", *net.required)
               : ratio <= net.target ? "  met"
                                     : "");
    const std::string step = fmt::format("step of {}", net.name());
    figures.at_most(net.target, step + ": over by hand", ratio);
    figures.note(step + ", by hand", best.by_hand * 1e6, "µs");
    figures.note(step + ", xtape", best.xtape * 1e6, "µs");
    if (contest.has_libtorch()) {
        const double times_faster = best.libtorch / best.xtape_beside_libtorch;
        figures.note(step + ", libtorch", best.libtorch * 1e6, "µs");
        if (net.faster_than_libtorch) {
            figures.at_least(*net.faster_than_libtorch, step + ": times faster than libtorch", times_faster);
        } else {
            figures.note(step + ": times faster than libtorch", times_faster);
        }
    }
    return passed && options.accept(!too_slow);
}

constexpr const char* usage = R"(usage: bench_mlp [OPTION...]

Times a training step (forward, backward, momentum SGD) of five MLPs, xtape against a program written by hand with cblas,
in turn in one run, on one thread and on two, then xtape in turn with libtorch where it is installed, after checking that
all compute the same.

  --check           only check that all compute the same
  --seconds S       how long to time a net's programs on one number of threads (2)
  --only SUBSTRING  only nets whose name contains it, such as 784-128

The rates are those of the hand-written step and of its matrix products alone. Fails if results differ, if 784-512-512-10
takes more than 1.25 times as long as by hand, or if from there up the hand-written step falls below 0.9 of its products'
rate.)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 2.0});
    std::vector<Net> nets = all_nets();
    std::erase_if(nets, [&](const Net& net) { return net.name().find(options.only) == std::string::npos; });
    if (nets.empty()) {
        fmt::print("no net's name contains \"{}\"\n", options.only);
        return EXIT_FAILURE;
    }
    bool passed = true;
    if (options.check_only) {
        for (const Net& net : nets) {
            Contest contest(net);
            passed = agree(net, contest) && passed;
        }
        fmt::print("{} nets checked\n", nets.size());
    } else {
        bench::Figures figures("mlp", options.json);
        fmt::print("{:<32} {:>7} {:>12} {:>12} {:>7} {:>7} {:>9} {:>9} {:>6} {:>12}\n", "net, batch", "threads",
                   "by hand/us", "xtape/us", "ratio", "target", "GFLOP/s", "products", "", "libtorch/us");
        for (const Net& net : nets) {
            passed = run(net, options, figures) && passed;
        }
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
