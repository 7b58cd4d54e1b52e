// SGD's trajectories against PyTorch's, from tests/data/sgd_reference.json.

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "reference.hpp"

using namespace xtape;
using reference::array;
using reference::Json;
using reference::mismatch;

namespace {

const Json& sgd_reference() {
    static const Json file = reference::read_json("sgd_reference.json");
    return file;
}

/// The parameters of one run, in the order in which make_reference.py gives them to the optimiser.
struct Parameters {
    Tensor<double> w, b, late, unused;

    explicit Parameters(const Json& problem)
        : w(parameter(array<double>(problem.at("w")))), b(parameter(array<double>(problem.at("b")))),
          late(parameter(array<double>(problem.at("late")))), unused(parameter(array<double>(problem.at("unused")))) {}

    [[nodiscard]] std::vector<Tensor<double>> all() const { return {w, b, late, unused}; }
};

/// sgd_loss of make_reference.py. `late` has no gradient in the first steps, and then in two steps out of three.
Tensor<double> loss_of(const Parameters& p, const Tensor<double>& a, const Tensor<double>& c, int step) {
    const auto residual = matmul(a, p.w) + p.b - c;
    const auto loss = mean(square(residual)) + 0.1 * sum(sin(3.0 * p.w)) + 0.05 * sum(square(tanh(p.w * p.b)));
    if (step < 5 || step % 3 == 0) {
        return loss;
    }
    return loss + sum(square(p.late - 0.5)) + 0.3 * sum(cos(p.late * p.b));
}

optim::SGDOptions options_of(const Json& run, double rate) {
    const Json& options = run.at("options");
    return {.lr = rate,
            .momentum = options.at("momentum").get<double>(),
            .dampening = options.at("dampening").get<double>(),
            .weight_decay = options.at("weight_decay").get<double>(),
            .nesterov = options.at("nesterov").get<bool>()};
}

/// What differs between PyTorch's run and one of ours with these options, step by recorded step.
std::vector<std::string> differences(const Json& run, const optim::SGDOptions& options, double second_rate) {
    const Json& file = sgd_reference();
    const Parameters parameters(file.at("problem"));
    const Tensor<double> a(array<double>(file.at("problem").at("a")));
    const Tensor<double> c(array<double>(file.at("problem").at("c")));
    const int change_after = file.at("change_after").get<int>();
    const char* const names[] = {"w", "b", "late", "unused"};

    optim::SGD<double> optimiser(parameters.all(), options);
    std::vector<std::string> found;
    auto kept = run.at("kept").begin();
    for (int step = 1; step <= file.at("steps").get<int>(); ++step) {
        if (step == change_after + 1) {
            optimiser.groups()[0].options.lr = second_rate;
        }
        optimiser.zero_grad();
        const auto loss = loss_of(parameters, a, c, step);
        loss.backward();
        optimiser.step();
        if (kept == run.at("kept").end() || kept->at("step") != step) {
            continue;
        }
        const auto now = parameters.all();
        for (std::size_t k = 0; k < now.size(); ++k) {
            const auto what = fmt::format("{} step {}: {}", run.at("options").dump(), step, names[k]);
            if (auto message = mismatch(what, now[k], kept->at("parameters").at(k), 1e-10); !message.empty()) {
                found.push_back(std::move(message));
            }
        }
        ++kept;
    }
    REQUIRE(kept == run.at("kept").end());
    return found;
}

}  // namespace

TEST_CASE("SGD follows PyTorch's trajectory for 200 steps, with every combination of its options") {
    const Json& rates = sgd_reference().at("rates");
    CHECK(sgd_reference().at("runs").size() == 10);
    for (const Json& run : sgd_reference().at("runs")) {
        const auto found = differences(run, options_of(run, rates[0].get<double>()), rates[1].get<double>());
        for (const auto& message : found) {
            FAIL_CHECK(message);
        }
        CHECK(found.empty());
    }
}

TEST_CASE("the trajectories tell every option apart") {
    const Json& rates = sgd_reference().at("rates");
    const double first = rates[0].get<double>();
    const double second = rates[1].get<double>();
    for (const Json& run : sgd_reference().at("runs")) {
        const auto options = options_of(run, first);
        CHECK_FALSE(differences(run, options, first).empty());  // a rate that never changes
        auto changed = options;
        changed.lr *= 1.0 + 1e-6;
        CHECK_FALSE(differences(run, changed, second).empty());
        changed = options;
        changed.weight_decay += 1e-6;
        CHECK_FALSE(differences(run, changed, second).empty());
        changed = options;
        changed.momentum += 1e-6;
        CHECK_FALSE(differences(run, changed, second).empty());
        if (options.momentum > 0.0 && !options.nesterov) {
            changed = options;
            changed.dampening += 1e-6;
            CHECK_FALSE(differences(run, changed, second).empty());
        }
        if (options.momentum > 0.0 && options.dampening == 0.0) {
            changed = options;
            changed.nesterov = !options.nesterov;
            CHECK_FALSE(differences(run, changed, second).empty());
        }
    }
}
