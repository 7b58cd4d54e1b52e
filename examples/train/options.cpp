#include "options.hpp"

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/parallel.hpp>

namespace train {
namespace {

template <class V>
struct IsOptional : std::false_type {};
template <class V>
struct IsOptional<std::optional<V>> : std::true_type {};

/// An option that means something only beside certain values of another one.
struct Dependent {
    const char* name;
    const char* other;
    std::vector<std::string_view> values;
};

const std::vector<Dependent>& dependents() {
    static const std::vector<Dependent> table{
        {"momentum", "optimizer", {"sgd", "rmsprop"}},
        {"nesterov", "optimizer", {"sgd"}},
        {"betas", "optimizer", {"adam", "adamw"}},
        {"amsgrad", "optimizer", {"adam", "adamw"}},
        {"alpha", "optimizer", {"rmsprop"}},
        {"centered", "optimizer", {"rmsprop"}},
        {"lr-decay", "optimizer", {"adagrad"}},
        {"eps", "optimizer", {"adam", "adamw", "rmsprop", "adagrad"}},
        {"step-size", "schedule", {"step"}},
        {"milestones", "schedule", {"multistep"}},
        {"gamma", "schedule", {"step", "multistep", "exponential"}},
        {"eta-min", "schedule", {"cosine"}},
        {"warmup-epochs", "schedule", {"warmup"}},
        {"warmup-start", "schedule", {"warmup"}},
        {"pct-start", "schedule", {"onecycle"}},
        {"div-factor", "schedule", {"onecycle"}},
        {"final-div-factor", "schedule", {"onecycle"}},
        {"anneal", "schedule", {"onecycle"}},
        {"base-momentum", "schedule", {"onecycle"}},
        {"max-momentum", "schedule", {"onecycle"}},
        {"plateau-factor", "schedule", {"plateau"}},
        {"plateau-patience", "schedule", {"plateau"}},
        {"plateau-threshold", "schedule", {"plateau"}},
        {"min-lr", "schedule", {"plateau"}},
    };
    return table;
}

bool has_use(const Dependent& option, const std::vector<std::string>& chosen) {
    return std::ranges::any_of(chosen,
                               [&](const std::string& name) { return std::ranges::count(option.values, name) > 0; });
}

std::vector<std::string> chosen_for(const Dependent& option, const Options& options) {
    return std::string_view(option.other) == "optimizer" ? std::vector{options.optimizer} : options.schedule;
}

void check_dependents(const Options& options, const Given& given) {
    for (const Dependent& option : dependents()) {
        const std::vector<std::string> chosen = chosen_for(option, options);
        if (given.contains(option.name) && !has_use(option, chosen)) {
            throw UsageError(fmt::format("--{} has no use with --{} {}: it is for {}", option.name, option.other,
                                         fmt::join(chosen, ","), fmt::join(option.values, ", ")));
        }
    }
}

bool has_schedule(const Options& options, std::string_view name) {
    return std::ranges::count(options.schedule, name) > 0;
}

double default_lr(std::string_view optimizer) {
    if (optimizer == "sgd") {
        return 0.05;
    }
    return optimizer == "adagrad" ? 0.01 : 0.001;
}

template <class V>
void set_default(std::optional<V>& option, std::type_identity_t<V> value) {
    option = option.value_or(std::move(value));
}

}  // namespace

Json course_of(const Options& options) {
    Json course = Json::object();
    for_each_course_option(options, [&](const char* name, const auto& value) {
        if constexpr (IsOptional<std::remove_cvref_t<decltype(value)>>::value) {
            if (value) {
                course[name] = *value;
            }
        } else {
            course[name] = value;
        }
    });
    return course;
}

Json options_in_use(const Options& options) {
    Json course = course_of(options);
    for (const Dependent& option : dependents()) {
        if (!has_use(option, chosen_for(option, options))) {
            course.erase(option.name);
        }
    }
    return course;
}

Options resumed(Options options, const Given& given, const Json& course) {
    const Json asked = course_of(options);
    // Whether the files are the same is told by their contents, and more epochs may be added where no schedule is
    // stretched by them.
    Given free{"test-file", "labels", "test-labels"};
    const auto schedule = course.at("schedule").get<std::vector<std::string>>();
    if (std::ranges::none_of(schedule, [](const auto& name) { return name == "cosine" || name == "onecycle"; })) {
        free.insert("epochs");
    }
    std::string differences;
    for_each_course_option(options, [&](const char* name, auto& value) {
        const bool there = course.contains(name);
        if (given.contains(name)) {
            const Json now = asked.contains(name) ? asked.at(name) : Json();
            if (!free.contains(name) && (!there || course.at(name) != now)) {
                differences += fmt::format("\n  --{} is {} now and was {}", name, now.dump(),
                                           there ? course.at(name).dump() : "not set");
            }
            return;
        }
        if constexpr (IsOptional<std::remove_cvref_t<decltype(value)>>::value) {
            value.reset();
            if (there) {
                value = course.at(name).get<typename std::remove_cvref_t<decltype(value)>::value_type>();
            }
        } else {
            value = course.at(name).get<std::remove_cvref_t<decltype(value)>>();
        }
    });
    if (!differences.empty()) {
        throw UsageError(fmt::format("--resume: these options would change the course of the run in {}:{}\n"
                                     "Leave them out to go on as it was, or give another --output to train anew.",
                                     options.output.string(), differences));
    }
    return options;
}

void complete(Options& options, const Given& given) {
    check_dependents(options, given);
    const std::string& optimizer = options.optimizer;
    set_default(options.lr, default_lr(optimizer));
    set_default(options.weight_decay, optimizer == "adamw" ? 0.01 : 0.0);
    if (optimizer == "sgd") {
        set_default(options.momentum, 0.9);
    } else if (optimizer == "rmsprop") {
        set_default(options.momentum, 0.0);
        set_default(options.alpha, 0.99);
    } else if (optimizer == "adagrad") {
        set_default(options.lr_decay, 0.0);
    } else {
        set_default(options.betas, {0.9, 0.999});
    }
    if (optimizer != "sgd") {
        set_default(options.eps, optimizer == "adagrad" ? 1e-10 : 1e-8);
    }

    if (has_schedule(options, "step")) {
        set_default(options.step_size, std::max<std::size_t>(1, options.epochs / 3));
    }
    if (has_schedule(options, "step") || has_schedule(options, "multistep")) {
        set_default(options.gamma, 0.1);
    } else if (has_schedule(options, "exponential")) {
        set_default(options.gamma, 0.95);
    }
    if (has_schedule(options, "multistep") && options.milestones.empty()) {
        throw UsageError("--schedule multistep needs --milestones, the epochs at which the rate falls, as 20,40");
    }
    if (options.schedule.size() > 1 && (has_schedule(options, "onecycle") || has_schedule(options, "none"))) {
        throw UsageError("--schedule: none and onecycle stand alone; others may be combined, as warmup,cosine");
    }
    if (options.early_stopping && options.validation == 0) {
        throw UsageError("--early-stopping watches the validation loss: it needs --validation above 0");
    }
    if (options.threads == 0) {
        options.threads = xtape::num_threads();
    }
}

}  // namespace train
