#include "course.hpp"

#include <limits>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/random.hpp>

namespace train {
namespace {

/// JSON has no infinities and no NaN: they are null there.
double number_or_nan(const Json& json) {
    return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

const char* measure_name(Task task) { return task == Task::classification ? "accuracy" : "rmse"; }

Json scores_json(const Scores& scores) { return {{"loss", scores.loss}, {"measure", scores.measure}}; }

Scores scores_from(const Json& json) { return {number_or_nan(json.at("loss")), number_or_nan(json.at("measure"))}; }

Json epoch_json(const Epoch& epoch) {
    return {{"number", epoch.number},
            {"training", scores_json(epoch.training)},
            {"validation", epoch.validation ? scores_json(*epoch.validation) : Json()},
            {"lr", epoch.lr},
            {"seconds", epoch.seconds},
            {"gradient_norms", epoch.gradient_norms}};
}

Epoch epoch_from(const Json& json) {
    Epoch epoch;
    json.at("number").get_to(epoch.number);
    epoch.training = scores_from(json.at("training"));
    if (!json.at("validation").is_null()) {
        epoch.validation = scores_from(json.at("validation"));
    }
    json.at("lr").get_to(epoch.lr);
    json.at("seconds").get_to(epoch.seconds);
    for (const Json& norm : json.at("gradient_norms")) {
        epoch.gradient_norms.emplace_back(norm.at(0).get<std::string>(), number_or_nan(norm.at(1)));
    }
    return epoch;
}

Json course_json(const Course& course, bool finished) {
    Json history = Json::array();
    for (const Epoch& epoch : course.history) {
        history.push_back(epoch_json(epoch));
    }
    return {{"epoch", course.epoch},
            {"batch", course.batch},
            {"sums", {course.sums.samples, course.sums.loss, course.sums.measure}},
            {"seconds", course.seconds},
            {"epoch_seconds", course.epoch_seconds},
            {"best_epoch", course.best_epoch},
            {"best_loss", course.best_loss},
            {"finished", finished},
            {"history", std::move(history)}};
}

Course course_from(const Json& json) {
    Course course;
    json.at("epoch").get_to(course.epoch);
    json.at("batch").get_to(course.batch);
    const Json& sums = json.at("sums");
    course.sums = {number_or_nan(sums.at(0)), number_or_nan(sums.at(1)), number_or_nan(sums.at(2))};
    json.at("seconds").get_to(course.seconds);
    json.at("epoch_seconds").get_to(course.epoch_seconds);
    json.at("best_epoch").get_to(course.best_epoch);
    json.at("best_loss").get_to(course.best_loss);
    for (const Json& epoch : json.at("history")) {
        course.history.push_back(epoch_from(epoch));
    }
    return course;
}

}  // namespace

Json to_json(const Epoch& epoch, Task task) {
    const std::string measure = measure_name(task);
    Json line{
        {"epoch", epoch.number}, {"train_loss", epoch.training.loss}, {"train_" + measure, epoch.training.measure}};
    if (epoch.validation) {
        line["validation_loss"] = epoch.validation->loss;
        line["validation_" + measure] = epoch.validation->measure;
    }
    line["lr"] = epoch.lr;
    line["seconds"] = epoch.seconds;
    for (const auto& [layer, norm] : epoch.gradient_norms) {
        line["gradient_norms"][layer] = norm;
    }
    return line;
}

bool Course::is_finished(const Options& options) const {
    const bool no_progress = options.early_stopping && epoch - best_epoch >= options.early_stopping.value();
    return epoch >= options.epochs || (no_progress && batch == 0);
}

RunFacts facts_of(const Options& options, const Data& data) {
    return {course_of(options), data.preprocessing.to_json(), data.fingerprint, data.test_fingerprint};
}

std::map<std::string, std::string> texts_of(const RunFacts& facts) {
    return {{"configuration", facts.configuration.dump()},
            {"preprocessing", facts.preprocessing.dump()},
            {"fingerprint", Json(facts.fingerprint).dump()},
            {"test_fingerprint", Json(facts.test_fingerprint).dump()}};
}

Json text_of(const xtape::io::Checkpoint& file, const char* name) {
    const auto found = file.text.find(name);
    if (found == file.text.end()) {
        throw xtape::ValueError(fmt::format("the checkpoint has no {}: another program has written it", name));
    }
    return Json::parse(found->second);
}

void save_checkpoint(const std::string& path, const RunFacts& facts, Moving& moving, bool finished) {
    xtape::io::Checkpoint checkpoint;
    xtape::io::insert_part(checkpoint.arrays, "network", moving.network.state_dict({.training = true}));
    xtape::io::insert_part(checkpoint.arrays, "optimizer", moving.optimizer->state_dict());
    xtape::io::insert_part(checkpoint.arrays, "schedules", moving.schedules.state_dict());
    xtape::io::insert_part(checkpoint.arrays, "best", moving.course.best_weights);
    checkpoint.arrays.emplace("random", xtape::random::state());
    checkpoint.text = texts_of(facts);
    checkpoint.text.emplace("course", course_json(moving.course, finished).dump());
    xtape::io::write_checkpoint(path, checkpoint);
}

Json configuration_of(const xtape::io::Checkpoint& checkpoint) { return text_of(checkpoint, "configuration"); }

bool was_finished(const xtape::io::Checkpoint& checkpoint) {
    return text_of(checkpoint, "course").at("finished").get<bool>();
}

void restore(const xtape::io::Checkpoint& checkpoint, const RunFacts& facts, Moving& moving) {
    const auto compare = [&](const char* name, const std::string& now, const char* what) {
        const auto then = text_of(checkpoint, name).get<std::string>();
        if (now != then) {
            throw xtape::IoError(fmt::format("--resume: {} is not what the run was trained on: its checksum is {} now "
                                             "and was {}; give another --output to train anew",
                                             what, now.empty() ? "none" : now, then.empty() ? "none" : then));
        }
    };
    compare("fingerprint", facts.fingerprint, "DATA");
    compare("test_fingerprint", facts.test_fingerprint, "the test's file");
    if (text_of(checkpoint, "preprocessing") != facts.preprocessing) {
        throw xtape::IoError("--resume: the data is the same, but this version of xtape-train reads something else in "
                             "it; give another --output to train anew");
    }
    Course course = course_from(text_of(checkpoint, "course"));
    course.best_weights = xtape::io::extract_part(checkpoint.arrays, "best");
    moving.network.load_state_dict(xtape::io::extract_part(checkpoint.arrays, "network"));
    moving.optimizer->load_state_dict(xtape::io::extract_part(checkpoint.arrays, "optimizer"));
    moving.schedules.load_state_dict(xtape::io::extract_part(checkpoint.arrays, "schedules"));
    xtape::random::set_state(checkpoint.arrays.at("random").as<std::uint64_t>());
    moving.course = std::move(course);
}

}  // namespace train
