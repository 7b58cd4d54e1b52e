// The optimisers' trajectories against PyTorch's, from tests/data/optim/optimizers.json.

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "any_optimizer.hpp"
#include "reference.hpp"

using namespace xtape;
using any_optimizer::Problem;
using reference::array;
using reference::Json;
using reference::mismatch;

namespace {

const Json& file() { return Problem<double>::file(); }

/// What differs between PyTorch's run and one of ours with these options, step by recorded step.
template <class T>
std::vector<std::string> differences(const Json& run, const Json& options, double tolerance) {
    const Problem<T> problem;
    const double first_rate = run.at("rates")[0].get<double>();
    const auto optimizer = any_optimizer::make<T>(run.at("optimiser"), problem.groups(), options);
    optimizer->lr(0) = first_rate;
    optimizer->lr(1) = first_rate / 2;
    const bool maximize = run.at("options").contains("maximize");

    std::vector<std::string> found;
    auto kept = run.at("kept").begin();
    for (int step = 1; step <= file().at("steps").get<int>(); ++step) {
        if (step == file().at("change_after").get<int>() + 1) {
            optimizer->lr(0) = run.at("rates")[1].get<double>();
        }
        problem.step(*optimizer, step, maximize);
        if (kept == run.at("kept").end() || kept->at("step") != step) {
            continue;
        }
        const std::pair<const char*, Tensor<T>> now[] = {{"w", problem.w}, {"b", problem.b}, {"late", problem.late}};
        for (std::size_t k = 0; k < std::size(now); ++k) {
            const auto what = fmt::format("{} {} step {}: {}", run.at("optimiser").get<std::string>(), options.dump(),
                                          step, now[k].first);
            auto message = mismatch(what, now[k].second, kept->at("parameters").at(k), tolerance);
            if (!message.empty()) {
                found.push_back(std::move(message));
            }
        }
        ++kept;
    }
    REQUIRE(kept == run.at("kept").end());
    REQUIRE(run.at("kept").back().at("step") == file().at("steps"));
    return found;
}

}  // namespace

TEST_CASE_TEMPLATE(
    "Adam, AdamW, RMSprop, Adagrad and SGD follow PyTorch's trajectories for 200 steps, with every option", T, float,
    double) {
    CHECK(file().at("runs").size() == 60);
    for (const Json& run : file().at("runs")) {
        for (const auto& message : differences<T>(run, run.at("options"), sizeof(T) == sizeof(float) ? 1e-4 : 1e-10)) {
            FAIL_CHECK(message);
        }
    }
}

TEST_CASE("the trajectories tell every option apart") {
    std::set<std::string> told;
    for (const Json& run : file().at("runs")) {
        const auto name = run.at("optimiser").get<std::string>();
        const Json& options = run.at("options");
        const Json flat = options.empty() ? options : options.flatten();  // "/betas/0"
        for (const auto& [option, value] : flat.items()) {
            Json changed = flat;
            changed[option] = value.is_boolean() ? Json(!value.get<bool>()) : Json(value.get<double>() + 1e-6);
            CHECK_MESSAGE(!differences<double>(run, changed.unflatten(), 1e-10).empty(), changed.dump());
            told.insert(name + option);
        }
    }
    CHECK(told.size() == 6 + 6 + 6 + 5 + 3);  // all but lr: of Adam, AdamW, RMSprop, Adagrad, and three of SGD
}

TEST_CASE("gradients that are zero, infinite, NaN, huge or tiny make of parameters what they make in PyTorch") {
    CHECK(file().at("special").size() == 10);
    for (const Json& run : file().at("special")) {
        const auto name = run.at("optimiser").get<std::string>();
        const auto x = parameter(array<double>(run.at("start")));
        Json options = run.at("options");
        if (!options.contains("lr")) {
            options["lr"] = 0.01;
        }
        const auto optimizer = any_optimizer::make<double>(name, {{x}}, options);
        const Tensor<double> gradient(array<double>(run.at("gradient")));
        const Tensor<double> steps[] = {gradient, ones_like(gradient), gradient};
        for (std::size_t k = 0; k < std::size(steps); ++k) {
            x.zero_grad();
            x.backward(steps[k]);
            optimizer->step();
            const auto expected = array<double>(run.at("kept")[k]);
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double mine = x.data()[i];
                const double theirs = expected.flat(i);
                const bool same = reference::agrees(mine, theirs, 1e-12 * std::abs(theirs)) &&
                                  (theirs != 0 || std::signbit(mine) == std::signbit(theirs));
                CHECK_MESSAGE(same, name, " ", options.dump(), " step ", k, " element ", i, ": ", mine, ", reference ",
                              theirs);
            }
        }
    }
}
