// LBFGS's trajectories against PyTorch's, from tests/data/lbfgs_reference.json.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "reference.hpp"

using namespace xtape;
using optim::LBFGSOptions;
using optim::LineSearch;
using reference::array;
using reference::Json;
using reference::mismatch;

namespace {

using Tensors = std::vector<Tensor<double>>;

const Json& lbfgs_reference() {
    static const Json file = reference::read_json("lbfgs_reference.json");
    return file;
}

/// The functions of the same names in make_lbfgs_reference.py.
Tensor<double> rosenbrock(const Tensors& p) { return sum(100.0 * square(p[1] - square(p[0])) + square(1.0 - p[0])); }

Tensor<double> logistic(const Json& problem, const Tensors& p) {
    const Tensor<double> inputs(array<double>(problem.at("inputs")));
    const Tensor<double> labels(array<double>(problem.at("labels")));
    const auto z = matmul(inputs, p[0]) + p[1];
    return mean(softplus(z)) - mean(labels * z) + 0.01 * sum(square(p[0]));
}

Tensor<double> wavy(const Tensors& p) {
    return 0.02 * sum(sin(3.0 * p[0]) + 0.2 * square(p[0]) + 2.0 * sin(2.0 * p[1] + p[0])) + 0.005 * sum(square(p[1]));
}

Tensor<double> steep(const Tensors& p) {
    return sum(exp(2.0 * p[0]) - 6.0 * p[0] + exp(-1.5 * p[1]) + p[1] + 0.1 * square(p[0] * p[1]));
}

Tensor<double> kinked(const Tensors& p) {
    return sum(abs(p[0])) + 3.0 * sum(abs(p[1] + 0.1 * p[0])) + 0.01 * sum(square(p[1]));
}

Tensor<double> falling(const Tensors& p) {
    return -sum(pow(1.0 + square(p[0]), 0.75)) - 2.0 * sum(pow(1.0 + square(p[1]), 0.75));
}

Tensor<double> loss_of(const std::string& name, const Json& problem, const Tensors& p) {
    using Function = Tensor<double> (*)(const Tensors&);
    static const std::map<std::string, Function> functions{
        {"rosenbrock", rosenbrock}, {"wavy", wavy}, {"steep", steep}, {"kinked", kinked}, {"falling", falling}};
    const auto found = functions.find(name);
    return found == functions.end() ? logistic(problem, p) : found->second(p);
}

LBFGSOptions options_of(const Json& given) {
    LBFGSOptions options;
    options.lr = given.value("lr", options.lr);
    options.max_iter = given.value("max_iter", options.max_iter);
    if (given.contains("max_eval")) {
        options.max_eval = given.at("max_eval").get<std::size_t>();
    }
    options.tolerance_grad = given.value("tolerance_grad", options.tolerance_grad);
    options.tolerance_change = given.value("tolerance_change", options.tolerance_change);
    options.history_size = given.value("history_size", options.history_size);
    if (given.contains("line_search_fn")) {
        REQUIRE(given.at("line_search_fn") == "strong_wolfe");
        options.line_search_fn = LineSearch::strong_wolfe;
    }
    return options;
}

/// What differs between PyTorch's run and one of ours with these options, call of step by call.
std::vector<std::string> differences(const Json& run, const LBFGSOptions& options) {
    const std::string name = run.at("problem").get<std::string>();
    const Json& problem = lbfgs_reference().at("problems").at(name);
    Tensors parameters;
    for (const Json& start : problem.at("start")) {
        parameters.push_back(parameter(array<double>(start)));
    }
    optim::LBFGS<double> optimiser(parameters, options);
    std::size_t evaluations = 0;
    const auto closure = [&] {
        ++evaluations;
        optimiser.zero_grad();
        auto loss = loss_of(name, problem, parameters);
        loss.backward();
        return loss;
    };

    std::vector<std::string> found;
    for (std::size_t call = 0; call < run.at("kept").size(); ++call) {
        const Json& kept = run.at("kept")[call];
        const auto what = fmt::format("{} {} call {}", name, run.at("options").dump(), call);
        const double loss = optimiser.step(closure).item();
        const double expected = reference::number(kept.at("loss"));
        if (!reference::agrees(loss, expected, 1e-10 * std::max(std::abs(expected), 1e-3))) {
            found.push_back(fmt::format("{}: loss {:.17g}, reference {:.17g}", what, loss, expected));
        }
        if (evaluations != kept.at("evaluations")) {
            found.push_back(fmt::format("{}: {} evaluations, reference {}", what, evaluations,
                                        kept.at("evaluations").get<std::size_t>()));
        }
        for (std::size_t k = 0; k < parameters.size(); ++k) {
            auto message =
                mismatch(fmt::format("{}: parameter {}", what, k), parameters[k], kept.at("parameters")[k], 1e-10);
            if (!message.empty()) {
                found.push_back(std::move(message));
            }
        }
    }
    return found;
}

}  // namespace

TEST_CASE("LBFGS follows PyTorch's trajectories and evaluates the loss as often, with and without a line search") {
    CHECK(lbfgs_reference().at("runs").size() == 29);
    for (const Json& run : lbfgs_reference().at("runs")) {
        const auto found = differences(run, options_of(run.at("options")));
        for (const auto& message : found) {
            FAIL_CHECK(message);
        }
        CHECK(found.empty());
    }
}

TEST_CASE("the trajectories tell every option of LBFGS apart") {
    // Each change makes at least one run differ that states this option.
    const auto told_apart = [](const std::string& option, const std::function<void(LBFGSOptions&)>& change) {
        bool differs = false;
        for (const Json& run : lbfgs_reference().at("runs")) {
            if (run.at("options").contains(option)) {
                auto options = options_of(run.at("options"));
                change(options);
                differs = differs || !differences(run, options).empty();
            }
        }
        return differs;
    };
    CHECK(told_apart("lr", [](auto& o) { o.lr *= 1 + 1e-6; }));
    CHECK(told_apart("max_iter", [](auto& o) { ++o.max_iter; }));
    CHECK(told_apart("max_eval", [](auto& o) { ++*o.max_eval; }));
    CHECK(told_apart("max_eval", [](auto& o) { o.max_eval.reset(); }));
    CHECK(told_apart("tolerance_grad", [](auto& o) { o.tolerance_grad = LBFGSOptions{}.tolerance_grad; }));
    CHECK(told_apart("tolerance_change", [](auto& o) { o.tolerance_change = LBFGSOptions{}.tolerance_change; }));
    CHECK(told_apart("history_size", [](auto& o) { ++o.history_size; }));
    CHECK(told_apart("line_search_fn", [](auto& o) { o.line_search_fn = LineSearch::none; }));
}
