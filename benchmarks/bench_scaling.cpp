// How time and memory grow: with an MLP's depth, width and batch, and with the length of a chain of additions, each
// made ten times as large in three sizes. A slope is that of the logarithms: 1 where twice as much takes twice as long.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>

#include "figures.hpp"
#include "options.hpp"

// OpenBLAS has it; with another BLAS the figures are for as many threads as that takes.
namespace {

using namespace xtape;

constexpr double slack = 0.15;  // that a slope may lie above what it should be
constexpr std::size_t points = 3;

/// What one size costs.
struct Cost {
    double seconds;        // the best of a few steps
    double tape_bytes;     // alive after the forward pass, when they are most
    double process_bytes;  // resident at the worst, beyond what was there before
};

double resident_at_most() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

/// `forward` makes what a step replays; a call of it belongs to the step.
Cost cost_of(const std::function<Tensor<float>()>& forward, std::size_t steps) {
    Cost cost{HUGE_VAL, 0.0, 0.0};
    for (std::size_t i = 0; i < steps; ++i) {
        cost.seconds = std::min(cost.seconds, bench::seconds([&] {
                                    const Tensor<float> y = forward();
                                    cost.tape_bytes = std::max(cost.tape_bytes, static_cast<double>(tape().bytes()));
                                    y.backward();
                                }));
    }
    return cost;
}

struct MlpSize {
    std::size_t depth;
    std::size_t width;
    std::size_t batch;
};

Cost cost_of_mlp(const MlpSize& size, std::size_t steps) {
    nn::MLP<float> mlp(std::vector<std::size_t>(size.depth + 1, size.width), nn::Activation::tanh);
    const auto inputs = ones<float>({size.batch, size.width});
    return cost_of(
        [&] {
            mlp.zero_grad();
            return mean(square(mlp(inputs)));
        },
        steps);
}

Cost cost_of_chain(std::size_t length, std::size_t steps) {
    const Tensor<float> p = parameter(1.0f);
    return cost_of(
        [&] {
            p.zero_grad();
            Tensor<float> y = p;
            for (std::size_t i = 0; i < length; ++i) {
                y = y + p;
            }
            return y;
        },
        steps);
}

/// In a process of its own, so that nothing a smaller size left behind is taken for this one's. Nothing if that failed.
std::optional<Cost> measured_apart(const std::function<Cost()>& measure) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
        return std::nullopt;
    }
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        // What OpenBLAS and the pool set up once is no size's own.
        static_cast<void>(cost_of_mlp({1, 64, 64}, 1));
        const double before = resident_at_most();
        Cost cost = measure();
        cost.process_bytes = resident_at_most() - before;
        const bool told = write(ends[1], &cost, sizeof(cost)) == static_cast<ssize_t>(sizeof(cost));
        _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(ends[1]);
    Cost cost{};
    const bool told = child > 0 && read(ends[0], &cost, sizeof(cost)) == static_cast<ssize_t>(sizeof(cost));
    close(ends[0]);
    int status = EXIT_FAILURE;
    const bool ended = child > 0 && waitpid(child, &status, 0) == child && status == EXIT_SUCCESS;
    return told && ended ? std::optional(cost) : std::nullopt;
}

/// The slope of the least-squares line through the points' logarithms.
double slope(std::span<const double> x, std::span<const double> y) {
    double mean_x = 0.0;
    double mean_y = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        mean_x += std::log(x[i]) / static_cast<double>(x.size());
        mean_y += std::log(y[i]) / static_cast<double>(x.size());
    }
    double products = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        products += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
        squares += (std::log(x[i]) - mean_x) * (std::log(x[i]) - mean_x);
    }
    return products / squares;
}

/// What grows, and the slope that time and memory should have then.
struct Growth {
    std::string name;
    std::array<std::size_t, points> sizes;
    std::function<Cost(std::size_t size, std::size_t steps)> measure;
    double slope;
};

std::vector<Growth> all_growths() {
    const auto by_depth = [](std::size_t depth, std::size_t steps) {
        return cost_of_mlp({.depth = depth, .width = 256, .batch = 256}, steps);
    };
    const auto by_width = [](std::size_t width, std::size_t steps) {
        return cost_of_mlp({.depth = 3, .width = width, .batch = 128}, steps);
    };
    const auto by_batch = [](std::size_t batch, std::size_t steps) {
        return cost_of_mlp({.depth = 4, .width = 128, .batch = batch}, steps);
    };
    return {{"depth", {10, 32, 100}, by_depth, 1.0},
            {"width", {256, 810, 2560}, by_width, 2.0},  // that of the weights and their products
            {"batch", {2000, 6325, 20'000}, by_batch, 1.0},
            {"chain length", {100'000, 316'228, 1'000'000}, cost_of_chain, 1.0}};
}

/// Prints one growth's rows; false if a slope is too steep.
bool run(const Growth& growth, const bench::Options& options, bench::Figures& figures) {
    std::vector<double> sizes;
    std::array<std::vector<double>, 3> costs;
    for (std::size_t size : growth.sizes) {
        if (options.quick) {
            size = std::max<std::size_t>(size / 20, 1);
        }
        const std::size_t steps = options.quick ? 1 : 5;
        const std::optional<Cost> cost = measured_apart([&] { return growth.measure(size, steps); });
        if (!cost) {
            fmt::print("{} {}: FAILED, the process that measures it did not end well\n", growth.name, size);
            return false;
        }
        fmt::print("{:<14} {:>9} {:>12.2f} {:>12.2f} {:>12.2f}\n", growth.name, size, cost->seconds * 1e3,
                   cost->tape_bytes * 1e-6, cost->process_bytes * 1e-6);
        std::fflush(stdout);
        sizes.push_back(static_cast<double>(size));
        costs[0].push_back(cost->seconds);
        costs[1].push_back(cost->tape_bytes);
        costs[2].push_back(std::max(cost->process_bytes, 1.0));
    }
    const std::array<const char*, 3> of{"time", "tape", "process"};
    std::string slopes;
    std::string remarks;
    for (std::size_t i = 0; i < of.size(); ++i) {
        const double found = slope(sizes, costs[i]);
        slopes += fmt::format(" {:>12.2f}", found);
        if (found > growth.slope + slack) {
            remarks += fmt::format("  TOO STEEP: {}", of[i]);
        }
        figures.at_most(growth.slope + slack, fmt::format("slope of {} by {}", of[i], growth.name), found);
    }
    fmt::print("{:>24}{}  should be {:.0f}{}\n\n", "slope", slopes, growth.slope, remarks);
    return options.accept(remarks.empty());
}

constexpr const char* usage = R"(usage: bench_scaling [OPTION...]

Makes an MLP ten times as deep, as wide, its batch ten times as large, and a chain of additions ten times as long, in three
sizes each, and tells how time (forward and backward, one thread), the tape's bytes and the process's resident memory at
the worst grow: the slope of their logarithms, beside what it should be. Each size runs in a process of its own.

  --only SUBSTRING  only growths whose name contains it: depth, width, batch, chain length

Fails if a slope is more than 0.15 above what it should be. (Below is no fault: small sizes pay for more than their own.))";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 0.0}, false);
    xtape::set_num_threads(1);
    std::vector<Growth> growths = all_growths();
    std::erase_if(growths, [&](const Growth& growth) { return growth.name.find(options.only) == std::string::npos; });
    if (growths.empty()) {
        fmt::print("nothing that grows is called \"{}\"\n", options.only);
        return EXIT_FAILURE;
    }
    fmt::print("{:<14} {:>9} {:>12} {:>12} {:>12}\n", "what grows", "size", "time/ms", "tape/MB", "process/MB");
    bench::Figures figures("scaling", options.json);
    bool passed = true;
    for (const Growth& growth : growths) {
        passed = run(growth, options, figures) && passed;
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
