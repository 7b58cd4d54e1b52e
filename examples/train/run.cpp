#include "run.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include <xtape/autograd/dot.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/autograd/random.hpp>

#include "export.hpp"
#include "model_file.hpp"
#include "report.hpp"
#include "support/interrupt.hpp"
#include "trainer.hpp"
#include "versions.hpp"

namespace train {
namespace {

/// The files in the output folder.
struct Paths {
    explicit Paths(const Options& options)
        : checkpoint((options.output / "checkpoint.safetensors").string()),
          model((options.output / "model.safetensors").string()), report((options.output / "report.html").string()),
          metrics(options.metrics.empty() ? (options.output / "metrics.jsonl").string() : options.metrics.string()) {}

    std::string checkpoint;
    std::string model;
    std::string report;
    std::string metrics;
};

void make_folder(const std::filesystem::path& folder) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (!std::filesystem::is_directory(folder)) {
        throw xtape::IoError(fmt::format("--output {}: there is no such folder, and it can't be made ({})",
                                         folder.string(), problem ? problem.message() : "it is a file"));
    }
}

/// The checkpoint that this run goes on from; the options then are its own. None for a run that begins.
std::optional<xtape::io::Checkpoint> find_checkpoint(Options& options, const Given& given, const Paths& paths) {
    if (options.overwrite && options.resume) {
        throw UsageError("--resume goes on with a run, --overwrite throws it away: only one of them can be meant");
    }
    if (!std::filesystem::exists(paths.checkpoint)) {
        if (options.resume && !options.quiet) {
            fmt::print("no checkpoint in {} yet: this run begins\n", options.output.string());
        }
        return std::nullopt;
    }
    if (options.overwrite) {
        return std::nullopt;
    }
    auto checkpoint = xtape::io::read_checkpoint(paths.checkpoint);
    if (options.resume) {
        options = resumed(options, given, configuration_of(checkpoint));
        return checkpoint;
    }
    if (!was_finished(checkpoint)) {
        throw xtape::IoError(fmt::format("{} holds a run that has not ended: --resume goes on with it, --overwrite "
                                         "throws it away",
                                         options.output.string()));
    }
    return std::nullopt;
}

/// The metrics file: what the history holds already, then a line for each epoch.
class Metrics {
public:
    Metrics(const std::string& path, const Course& course, Task task) : path_(path), task_(task), file_(path) {
        for (const Epoch& epoch : course.history) {
            add(epoch);
        }
        flush();
    }

    void add(const Epoch& epoch) { file_ << to_json(epoch, task_).dump() << '\n'; }
    void flush() {
        if (!file_.flush()) {
            throw xtape::IoError(fmt::format("{}: it can't be written", path_));
        }
    }

private:
    std::string path_;
    Task task_;
    std::ofstream file_;
};

std::string describe(const Scores& scores, Task task, const char* prefix) {
    return task == Task::classification ? fmt::format("{}{:5.1f}%", prefix, 100 * scores.measure)
                                        : fmt::format("{}{:.4g}", prefix, scores.measure);
}

/// What the progress line says of the epoch under way, or of the one that ended.
template <class Label>
std::string progress_text(const Trainer<Label>& trainer, const Course& course, Task task) {
    const bool between = course.batch == 0 && !course.history.empty();
    const Scores now = between ? course.history.back().training : trainer.scores();
    std::string text = fmt::format("loss {}{}", support::short_number(now.loss),
                                   describe(now, task, task == Task::classification ? "  accuracy " : "  RMSE "));
    if (!course.history.empty() && course.history.back().validation) {
        text += describe(*course.history.back().validation, task, "  validation ");
    }
    return text;
}

/// The graph of the loss of a few samples, as text for Graphviz.
template <class Label>
std::string draw_graph(Network& network, const Samples<Label>& samples, const Objective& objective) {
    std::vector<std::size_t> few(std::min<std::size_t>(samples.train.size(), 8));
    std::iota(few.begin(), few.end(), std::size_t{0});
    const auto batch = samples.train.subset(few);
    const auto loss = objective(network(xtape::Tensor<float>(batch.inputs())), batch.labels());
    return to_dot(loss, network.named_parameters());
}

Facts data_facts(const Options& options, const Data& data) {
    const bool classes = data.preprocessing.task() == Task::classification;
    const auto test_size = data.test_table ? data.test_table->size : data.division.test.size();
    return {{"data", options.data},
            {"task", classes ? fmt::format("classification, {} classes", data.preprocessing.outputs())
                             : fmt::format("regression, {} value{} a sample", data.preprocessing.outputs(),
                                           data.preprocessing.outputs() == 1 ? "" : "s")},
            {"samples", fmt::format("{} to learn from, {} to validate, {} to test", data.division.train.size(),
                                    data.division.validation.size(), test_size)},
            {"network", describe_network(data.preprocessing.inputs(), data.preprocessing.outputs(), options)}};
}

/// One run, with classes or with values.
template <class Label>
class Run {
public:
    Run(const Options& options, const Data& data, const std::optional<xtape::io::Checkpoint>& checkpoint)
        : options_(options), data_(data), paths_(options), facts_(facts_of(options, data)),
          samples_(data.samples<Label>()), task_(data.preprocessing.task()),
          moving_(make_moving(options, data, samples_)), trainer_(options, data, samples_, moving_, watch()) {
        if (checkpoint) {
            restore(*checkpoint, facts_, moving_);
        }
    }

    int go() {
        const Course& course = moving_.course;
        if (options_.require > 0 && samples_.test.size() == 0) {
            throw UsageError("--require: nothing is held out to be tested; see --test");
        }
        metrics_.emplace(paths_.metrics, course, task_);
        if (!options_.quiet) {
            for (const auto& [name, value] : data_facts(options_, data_)) {
                fmt::print("{:8} {}\n", name, value);
            }
            if (course.epoch > 0 || course.batch > 0) {
                fmt::print("going on after {}\n", how_far());
            }
            std::fflush(stdout);
        }
        progress_.emplace(
            options_.epochs, trainer_.batches(), options_.quiet,
            [this] { return progress_text(trainer_, moving_.course, task_); }, position());
        const bool finished = trainer_.run();
        progress_->finish();
        return conclude(finished);
    }

private:
    static Moving make_moving(const Options& options, const Data& data, const Samples<Label>& samples) {
        xtape::random::seed(options.seed);
        Network network = make_network(data.preprocessing.inputs(), data.preprocessing.outputs(), options);
        auto optimizer = make_optimizer(network, options);
        const std::size_t batches = (samples.train.size() + options.batch_size - 1) / options.batch_size;
        Schedules schedules(*optimizer, options, batches);
        return {std::move(network), std::move(optimizer), std::move(schedules), {}};
    }

    typename Trainer<Label>::Watch watch() {
        return {
            .batch_done = [this] { progress_->batch_done(position()); },
            .epoch_done =
                [this](const Epoch& epoch) {
                    metrics_->add(epoch);
                    metrics_->flush();
                    progress_->epoch_done(position());
                },
            .save =
                [this] { save_checkpoint(paths_.checkpoint, facts_, moving_, moving_.course.is_finished(options_)); },
            .interrupted = [] { return support::Interrupt::requested(); }};
    }

    support::Progress::State position() const { return {moving_.course.epoch, moving_.course.batch}; }

    std::string how_far() const {
        const Course& course = moving_.course;
        if (course.batch == 0) {
            return fmt::format("{} of {} epochs", course.epoch, options_.epochs);
        }
        const double epochs = static_cast<double>(course.epoch) +
                              static_cast<double>(course.batch) / static_cast<double>(trainer_.batches());
        return fmt::format("{:.2f} of {} epochs", epochs, options_.epochs);
    }

    /// Tests, writes model and report, says so.
    int conclude(bool finished) {
        const Course& course = moving_.course;
        std::string remark;
        if (!finished) {
            remark = fmt::format("stopped by Ctrl-C after {}; --resume goes on", how_far());
        } else if (course.epoch < options_.epochs) {
            remark = fmt::format("stopped early after {} of {} epochs, since the validation loss no longer fell",
                                 course.epoch, options_.epochs);
        }
        if (course.best_epoch > 0) {
            moving_.network.load_state_dict(course.best_weights);
            remark += fmt::format("{}weights of epoch {}, whose validation loss was the lowest",
                                  remark.empty() ? "" : "; ", course.best_epoch);
        }
        std::optional<Verdict> test;
        if (samples_.test.size() > 0) {
            test = examine(moving_.network, samples_.test, data_.preprocessing);
        }
        write_model(paths_.model, moving_.network, facts_, test ? figures(*test, task_) : Json());
        write_report(paths_.report, report(remark, test));
        if (!options_.export_onnx.empty()) {
            export_network(moving_.network, data_.preprocessing.inputs(), options_.export_onnx.string());
        }
        print(remark, test);
        return meets_requirement(test) ? 0 : 1;
    }

    Report report(const std::string& remark, const std::optional<Verdict>& test) {
        const Course& course = moving_.course;
        Facts facts = data_facts(options_, data_);
        facts.emplace_back("training",
                           fmt::format("{}, {:.1f} s, --threads {}", how_far(), course.seconds, options_.threads));
        if (test && task_ == Task::regression) {
            facts.emplace_back("mean absolute error", fmt::format("{:.4g}", test->mae));
        }
        return {.title = std::filesystem::path(options_.data).filename().string(),
                .headline = test ? headline(*test, task_, "test ") : "",
                .remark = remark,
                .task = task_,
                .classes = task_ == Task::classification ? data_.preprocessing.classes() : std::vector<std::string>{},
                .facts = std::move(facts),
                .versions = versions(),
                .history = course.history,
                .best_epoch = course.best_epoch,
                .test = test,
                .configuration = options_in_use(options_),
                .graph = draw_graph(moving_.network, samples_, objective_of(options_, data_, samples_))};
    }

    void print(const std::string& remark, const std::optional<Verdict>& test) const {
        constexpr std::size_t most_classes = 20;
        if (!remark.empty() && !options_.quiet) {
            fmt::print("{}\n", remark);
        }
        if (test && !options_.quiet && task_ == Task::classification && data_.preprocessing.outputs() <= most_classes) {
            fmt::print("\n{}\n", test->confusion.to_string(data_.preprocessing.classes()));
        }
        if (!options_.quiet) {
            fmt::print("model:  {}\nreport: {}\n", paths_.model, paths_.report);
        }
        if (test) {
            fmt::print("{}\n", headline(*test, task_, "test "));
        }
        std::fflush(stdout);
    }

    bool meets_requirement(const std::optional<Verdict>& test) const {
        if (options_.require == 0) {
            return true;
        }
        const double measure = test->scores.measure;
        const bool good =
            task_ == Task::classification ? 100 * measure >= options_.require : measure <= options_.require;
        if (!good) {
            fmt::print(stderr, "xtape-train: the test's result misses --require {}\n", options_.require);
        }
        return good;
    }

    const Options& options_;
    const Data& data_;
    Paths paths_;
    RunFacts facts_;
    Samples<Label> samples_;
    Task task_;
    Moving moving_;
    Trainer<Label> trainer_;
    std::optional<Metrics> metrics_;
    std::optional<support::Progress> progress_;
};

}  // namespace

int run(TrainCommand command) {
    Options& options = command.options;
    if (!options.export_onnx.empty()) {
        check_export(options.export_onnx.string());
    }
    make_folder(options.output);
    const auto checkpoint = find_checkpoint(options, command.given, Paths(options));
    complete(options, command.given);
    xtape::set_num_threads(options.threads);
    const Data data = read_data(options);
    const support::Interrupt interrupt;
    if (data.preprocessing.task() == Task::classification) {
        return Run<int>(options, data, checkpoint).go();
    }
    return Run<float>(options, data, checkpoint).go();
}

}  // namespace train
