// A chain of elementwise ops on a million floats, forward and backward on one thread: xtape op by op and with fuse,
// against loops written by hand (handwritten_expression.hpp) and libtorch. First all gradients must agree; then they
// are timed in turn.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/kernels/kernels.hpp>

#include "figures.hpp"
#include "handwritten_expression.hpp"
#include "options.hpp"
#include "peer_libtorch.hpp"

// OpenBLAS has it; nothing here asks for a product, but libtorch's loops shall not share the processor with its
// threads.
namespace {

using namespace xtape;
using Floats = std::vector<float>;

constexpr std::size_t elements = 1 << 20;
constexpr double most_ms = 12.0;

// More without AVX-512.
double most_ms_fused() { return std::string(kernels::instruction_set()) == "avx512" ? 3.0 : 4.5; }

/// One way to compute the mean and its gradient.
struct Program {
    std::string name;
    std::function<float()> differentiate;  // returns the mean
    std::function<Floats()> gradient;      // of the last call
    double most_ms = 0.0;                  // what it is allowed; 0 where that is not asked
};

Program by_hand(std::string name, const bench::HandwrittenExpression& program, const Floats& x) {
    const auto gradient = std::make_shared<Floats>(x.size());
    return {std::move(name), [=, &program, &x] { return program.differentiate(x.data(), x.size(), gradient->data()); },
            [=] { return *gradient; }};
}

template <class Mean>
Program by_xtape(const std::string& name, const Floats& x, Mean mean, double most) {
    const std::vector<std::size_t> shape{x.size()};
    const auto p = parameter(xt::xarray<float>(xt::adapt(x, shape)));
    return {fmt::format("{} ({})", name, kernels::instruction_set()),
            [=] {
                p.zero_grad();
                const Tensor<float> y = mean(p);
                y.backward();
                return y.item();
            },
            [=] {
                const Tensor<float> gradient = p.grad();
                return Floats(gradient.data(), gradient.data() + gradient.size());
            },
            most};
}

// For tensors, and for what fuse calls it with.
constexpr auto expression = [](const auto& x) {
    const auto y = tanh(0.5 * x + 1.0);
    return exp(-square(y)) * sin(x) + sigmoid(x) * y;
};

std::vector<Program> all_programs(const Floats& x) {
    std::vector<Program> programs = {
        by_hand("by hand, -O3", bench::handwritten_expression, x),
        by_hand("by hand, -O3 -ffast-math", bench::handwritten_expression_fast, x),
        by_xtape(
            "xtape, op by op", x, [](const Tensor<float>& p) { return mean(expression(p)); }, most_ms),
        by_xtape(
            "xtape, fuse, then mean", x, [](const Tensor<float>& p) { return mean(fuse(expression, p)); }, 0.0),
        by_xtape(
            "xtape, fuse", x,
            [](const Tensor<float>& p) {
                return fuse([](const auto& element) { return mean(expression(element)); }, p);
            },
            most_ms_fused())};
    if (const std::shared_ptr<bench::LibtorchExpression> peer = bench::make_libtorch_expression(x)) {
        programs.push_back({"libtorch " + bench::libtorch_version(), [=] { return peer->differentiate(); },
                            [=] { return peer->gradient(); }});
    }
    return programs;
}

/// The mean, and the gradient as if of the sum, in double.
std::pair<double, std::vector<double>> reference(const Floats& inputs) {
    double sum = 0.0;
    std::vector<double> slopes;
    for (const float input : inputs) {
        const auto x = static_cast<double>(input);
        const double y = std::tanh(0.5 * x + 1.0);
        const double gauss = std::exp(-y * y);
        const double logistic = 1.0 / (1.0 + std::exp(-x));
        const double by_y = logistic - 2.0 * y * gauss * std::sin(x);
        sum += gauss * std::sin(x) + logistic * y;
        slopes.push_back(gauss * std::cos(x) + y * logistic * (1.0 - logistic) + by_y * 0.5 * (1.0 - y * y));
    }
    return {sum / static_cast<double>(inputs.size()), slopes};
}

/// Prints what is wrong with a program's results; false if anything is. Slopes are of the order of 1, in any program.
bool is_right(const Program& program, const std::pair<double, std::vector<double>>& expected) {
    constexpr double tolerance = 2e-6;
    const double mean_error = std::abs(static_cast<double>(program.differentiate()) - expected.first);
    const Floats gradient = program.gradient();
    double worst = gradient.size() == expected.second.size() ? 0.0 : HUGE_VAL;
    for (std::size_t i = 0; i < gradient.size() && std::isfinite(worst); ++i) {
        const double error = std::abs(static_cast<double>(gradient[i]) * elements - expected.second[i]);
        worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
    }
    const bool right = mean_error <= tolerance && worst <= tolerance;
    if (!right) {
        fmt::print("{:<28} WRONG: the mean is off by {:.2g}, an element's slope by {:.2g}\n", program.name, mean_error,
                   worst);
    }
    return right;
}

/// Times the programs and prints their rows; false if one takes longer than it may.
bool run(const std::vector<Program>& programs, const bench::Options& options) {
    std::vector<std::function<void()>> timed;
    for (const Program& program : programs) {
        timed.emplace_back([&] { program.differentiate(); });
    }
    const std::vector<double> taken = bench::best_in_turn(timed, options.effort());
    const double fastest_by_hand = std::min(taken[0], taken[1]);
    bench::Figures figures("expression", options.json);
    bool passed = true;
    fmt::print("{:<31} {:>8} {:>10} {:>9} {:>8}\n", "forward and backward, ms", "", "of by hand", "ns/element",
               "limit");
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const double ms = taken[i] * 1e3;
        const double limit = programs[i].most_ms;
        const bool met = limit == 0.0 || ms <= limit;
        fmt::print("{:<31} {:>8.2f} {:>10.2f} {:>9.2f} {:>8}{}\n", programs[i].name, ms, taken[i] / fastest_by_hand,
                   taken[i] / elements * 1e9, limit == 0.0 ? "" : fmt::format("{:.1f}", limit),
                   met ? "" : "  TOO SLOW");
        const std::string name = "expression on 1 Mi floats, " + programs[i].name;
        if (limit != 0.0) {
            figures.at_most(limit, name, ms, "ms");
        } else if (options.only.empty()) {
            figures.note(name, ms, "ms");
        }
        passed = passed && options.accept(met);
    }
    return passed;
}

constexpr const char* usage = R"(usage: bench_expression [OPTION...]

Times the mean of exp(-y^2) sin x + sigmoid(x) y, y = tanh(0.5 x + 1), and its gradient, for 2^20 floats on one thread:
xtape op by op, with fuse, and with the mean fused too; a loop written by hand, compiled plainly and with -ffast-math; libtorch
where it is installed. In turn in one run, after checking every mean and gradient against one computed in double.

  --check           only check that all compute the same
  --seconds S       how long to time them, all together (5)
  --only SUBSTRING  only programs whose name contains it, and those by hand, such as fuse

Fails if a result is wrong, or if xtape takes more than 12 ms op by op or 3 with fuse (4.5 without AVX-512).)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 5.0});
    xtape::set_num_threads(1);
    bench::set_libtorch_threads(1);
    std::mt19937 generator(20240229);
    std::normal_distribution<float> normal(0.0f, 2.0f);
    Floats x(elements);
    std::ranges::generate(x, [&] { return normal(generator); });

    std::vector<Program> programs = all_programs(x);
    std::erase_if(programs, [&](const Program& program) {
        return !program.name.starts_with("by hand") && program.name.find(options.only) == std::string::npos;
    });
    const auto expected = reference(x);
    bool passed = true;
    for (const Program& program : programs) {
        passed = is_right(program, expected) && passed;
    }
    if (options.check_only) {
        fmt::print("{} programs checked\n", programs.size());
        return passed ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return passed && run(programs, options) ? EXIT_SUCCESS : EXIT_FAILURE;
}
