// The schedules' rates and momenta against PyTorch's, from tests/data/optim/schedules.json.

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "any_optimizer.hpp"
#include "reference.hpp"

using namespace xtape;
using namespace xtape::optim;
using reference::Json;
using reference::number;

namespace {

const Json& file() {
    static const Json read = reference::read_json("optim/schedules.json");
    return read;
}

PerGroup per_group(const Json& given) {
    return given.is_array() ? PerGroup(given.get<std::vector<double>>()) : PerGroup(given.get<double>());
}

/// A schedule of PyTorch's, by its names.
std::unique_ptr<Schedule> make(OptimizerBase& optimizer, const std::string& name, const Json& given) {
    std::size_t known = 0;
    const auto read = [&](const char* option, auto& value) {
        if (given.contains(option)) {
            given.at(option).get_to(value);
            ++known;
        }
    };
    const auto read_each = [&](const char* option, PerGroup& value) {
        if (given.contains(option)) {
            value = per_group(given.at(option));
            ++known;
        }
    };
    const auto is = [&](const char* option, const char* wanted) {
        known += given.contains(option) ? 1 : 0;
        return given.value(option, std::string()) == wanted;
    };
    std::unique_ptr<Schedule> schedule;
    if (name == "StepLR") {
        StepLROptions options;
        read("step_size", options.step_size);
        read("gamma", options.gamma);
        schedule = std::make_unique<StepLR>(optimizer, options);
    } else if (name == "MultiStepLR") {
        MultiStepLROptions options;
        read("milestones", options.milestones);
        read("gamma", options.gamma);
        schedule = std::make_unique<MultiStepLR>(optimizer, options);
    } else if (name == "ExponentialLR") {
        ExponentialLROptions options;
        read("gamma", options.gamma);
        schedule = std::make_unique<ExponentialLR>(optimizer, options);
    } else if (name == "CosineAnnealingLR") {
        CosineAnnealingLROptions options;
        read("T_max", options.t_max);
        read("eta_min", options.eta_min);
        schedule = std::make_unique<CosineAnnealingLR>(optimizer, options);
    } else if (name == "LinearLR") {
        LinearWarmupOptions options;
        read("start_factor", options.start_factor);
        read("end_factor", options.end_factor);
        read("total_iters", options.total_iters);
        schedule = std::make_unique<LinearWarmup>(optimizer, options);
    } else if (name == "OneCycleLR") {
        OneCycleLROptions options;
        read_each("max_lr", options.max_lr);
        read("total_steps", options.total_steps);
        read("pct_start", options.pct_start);
        options.anneal_strategy = is("anneal_strategy", "linear") ? AnnealStrategy::linear : AnnealStrategy::cos;
        read("cycle_momentum", options.cycle_momentum);
        read_each("base_momentum", options.base_momentum);
        read_each("max_momentum", options.max_momentum);
        read("div_factor", options.div_factor);
        read("final_div_factor", options.final_div_factor);
        read("three_phase", options.three_phase);
        schedule = std::make_unique<OneCycleLR>(optimizer, options);
    } else {
        REQUIRE(name == "ReduceLROnPlateau");
        ReduceLROnPlateauOptions options;
        options.mode = is("mode", "max") ? PlateauMode::max : PlateauMode::min;
        read("factor", options.factor);
        read("patience", options.patience);
        read("threshold", options.threshold);
        options.threshold_mode = is("threshold_mode", "abs") ? ThresholdMode::abs : ThresholdMode::rel;
        read("cooldown", options.cooldown);
        read_each("min_lr", options.min_lr);
        read("eps", options.eps);
        schedule = std::make_unique<ReduceLROnPlateau>(optimizer, options);
    }
    REQUIRE(known == given.size());
    return schedule;
}

/// An optimiser with two groups at the rates that PyTorch's had, or multiples of them, and schedules on it.
struct Scheduled {
    std::unique_ptr<OptimizerBase> optimizer;
    std::vector<std::unique_ptr<Schedule>> schedules;

    Scheduled(const std::string& name, const Json& given, double scale = 1) {
        const bool has_momentum = name == "SGD" || name == "RMSprop";
        optimizer = any_optimizer::make<double>(name, {{parameter(0.0)}, {parameter(0.0)}},
                                                has_momentum ? Json{{"momentum", file().at("momentum")}}
                                                             : Json(Json::object()));
        optimizer->lr(0) = scale * file().at("rates")[0].get<double>();
        optimizer->lr(1) = scale * file().at("rates")[1].get<double>();
        for (const Json& schedule : given) {
            schedules.push_back(make(*optimizer, schedule.at("name"), schedule.at("options")));
        }
    }

    void step(int number_of_step) {
        for (const auto& schedule : schedules) {
            if (auto* const stepwise = dynamic_cast<StepwiseSchedule*>(schedule.get())) {
                stepwise->step();
            } else {
                dynamic_cast<ReduceLROnPlateau&>(*schedule).step(
                    number(file().at("metric")[static_cast<std::size_t>(number_of_step - 1)]));
            }
        }
    }
};

/// What differs between PyTorch's run and one of ours with these schedules, step by recorded step. At `resumed_at` the
/// states are saved and loaded into an optimiser and schedules that are made anew, from other rates.
std::vector<std::string> differences(const Json& run, const Json& given, int resumed_at = -1) {
    const auto name = run.at("optimiser").get<std::string>();
    Scheduled scheduled(name, given);
    std::vector<std::string> found;
    const auto compare = [&](const char* what, int step, double mine, double theirs) {
        if (!reference::agrees(mine, theirs, 1e-10 * std::abs(theirs) + 1e-18)) {
            found.push_back(fmt::format("{} {} step {}: {} {:.17g}, reference {:.17g}", name, given.dump(), step, what,
                                        mine, theirs));
        }
    };
    auto kept = run.at("kept").begin();
    const int steps = run.at("kept").back().at("step").get<int>();
    for (int step = 0; step <= steps; ++step) {
        if (step > 0) {
            scheduled.step(step);
        }
        if (kept->at("step") == step) {
            for (std::size_t group = 0; group < 2; ++group) {
                const ScheduledOptions options = scheduled.optimizer->scheduled(group);
                compare("lr", step, options.lr, kept->at("lr")[group].get<double>());
                compare("last_lr", step, scheduled.schedules.back()->last_lr()[group], options.lr);
                if (kept->contains("momentum")) {
                    compare("momentum", step, *options.momentum, kept->at("momentum")[group].get<double>());
                }
            }
            ++kept;
        }
        if (step == resumed_at) {
            Scheduled resumed(name, given, 3);
            for (std::size_t i = 0; i < resumed.schedules.size(); ++i) {
                resumed.schedules[i]->load_state_dict(scheduled.schedules[i]->state_dict());
            }
            resumed.optimizer->load_state_dict(scheduled.optimizer->state_dict());
            scheduled = std::move(resumed);
        }
    }
    REQUIRE(kept == run.at("kept").end());
    return found;
}

}  // namespace

TEST_CASE(
    "every schedule follows PyTorch's for 200 steps, in every mode, on two groups and one after another, and goes on "
    "where a saved one stopped") {
    CHECK(file().at("runs").size() == 31);
    for (const Json& run : file().at("runs")) {
        for (const int resumed_at : {-1, 0, 1, 76, 120}) {
            for (const auto& message : differences(run, run.at("schedules"), resumed_at)) {
                FAIL_CHECK(message);
            }
        }
    }
}

TEST_CASE("the runs tell every option of every schedule apart") {
    std::set<std::string> told;
    std::set<std::string> untold;
    for (const Json& run : file().at("runs")) {
        const Json& given = run.at("schedules");
        for (std::size_t i = 0; i < given.size(); ++i) {
            const Json& options = given[i].at("options");
            const Json flat = options.empty() ? options : options.flatten();  // "/milestones/0"
            for (const auto& [option, value] : flat.items()) {
                Json changed = flat;
                if (value.is_string()) {
                    changed.erase(option);  // the other choice is the default
                } else if (value.is_boolean()) {
                    changed[option] = !value.get<bool>();
                } else if (value.is_number_integer()) {
                    changed[option] = value.get<int>() + 1;
                } else {
                    changed[option] = value.get<double>() * 0.9;
                }
                Json schedules = given;
                schedules[i]["options"] = changed.empty() ? Json(Json::object()) : changed.unflatten();
                const auto name = given[i].at("name").get<std::string>() + option.substr(0, option.find('/', 1));
                (differences(run, schedules).empty() ? untold : told).insert(name);
            }
        }
    }
    CHECK(told.size() == 2 + 2 + 1 + 2 + 3 + 10 + 8);
    for (const auto& option : untold) {
        CHECK_MESSAGE(told.contains(option), option);
    }
}
