#include "command_line.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/validator.hpp"

namespace train {
namespace {

using support::number;

constexpr const char* about = R"(Trains a multilayer perceptron on a data file, tests it, and writes a report.

  xtape-train DATA [options]                  learn from DATA
  xtape-train predict MODEL DATA [options]    what a trained model makes of DATA (see: xtape-train predict --help)

DATA is one of
  FILE.csv                numbers and texts, the target in the last column or in the one that --target names
  images-idx3-ubyte       an IDX file and, beside it or named by --labels, that of its labels
  FILE.npz                NumPy arrays, the inputs called x and the target y unless told otherwise
  mnist                   the MNIST files that scripts/fetch-mnist.sh gets
)";

constexpr const char* notes = R"(The output folder gets
  model.safetensors       what `predict` needs: weights by PyTorch's names, preprocessing, class names
  report.html             curves, mistakes, gradient norms, the graph, configuration and versions
  metrics.jsonl           a line an epoch
  checkpoint.safetensors  what --resume needs
Ctrl-C ends training after the current batch, in good order: all of these are written, and --resume goes on.

Examples
  xtape-train examples/data/digits.csv --epochs 30 --output digits
  xtape-train houses.csv --target price --optimizer adamw --schedule cosine --early-stopping 10
  xtape-train mnist --layers 512,256 --schedule onecycle --lr 0.003 --epochs 10 --batch-size 128 --validation 0
  xtape-train --resume --output digits examples/data/digits.csv
  xtape-train predict digits/model.safetensors new.csv --output predictions.csv
Exit codes: 0 done, 1 an error, 2 a command line that was not understood.)";

CLI::Validator one_of(std::span<const char* const> names) {
    return CLI::Validator(
        [names](std::string& text) {
            for (const char* name : names) {
                if (text == name) {
                    return std::string();
                }
            }
            return fmt::format("{} is not one of {}", text, fmt::join(names, ", "));
        },
        "");
}

const auto count = number<std::size_t>("a positive whole number", [](std::size_t n) { return n > 0 && n <= 1U << 30; });
const auto count_or_0 = number<std::size_t>("a whole number, 0 or more", [](std::size_t n) { return n <= 1U << 30; });
const auto seed_number = number<std::uint64_t>("a whole number, 0 or more", [](std::uint64_t) { return true; });
const auto positive = number<double>("a positive number", [](double x) { return x > 0 && std::isfinite(x); });
const auto not_negative = number<double>("0 or a positive number", [](double x) { return x >= 0 && std::isfinite(x); });
const auto fraction = number<double>("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; });
const auto closed_fraction = number<double>("a number from 0 to 1", [](double x) { return x >= 0 && x <= 1; });

/// --help in lines that fit a terminal: CLI11 itself does not break them.
class ManualFormatter : public CLI::Formatter {
public:
    ManualFormatter() {
        column_width(name_width);
        label("REQUIRED", "");
    }

    std::string make_option_opts(const CLI::Option* option) const override {
        std::string text = option->get_type_size() == 0 ? "" : " " + option->get_type_name();
        if (!option->get_default_str().empty()) {
            text += "=" + option->get_default_str();
        }
        return text;
    }

    std::string make_option_desc(const CLI::Option* option) const override {
        constexpr std::size_t width = 116 - name_width;
        std::string text;
        std::size_t used = 0;
        for (const std::string& word : CLI::detail::split(option->get_description(), ' ')) {
            if (used > 0 && used + 1 + word.size() > width) {
                text += '\n';
                used = 0;
            } else if (used > 0) {
                text += ' ';
                ++used;
            }
            text += word;
            used += word.size();
        }
        return text;
    }

private:
    static constexpr std::size_t name_width = 34;
};

/// Adds options to a CLI::App, a group after the other.
class Adder {
public:
    explicit Adder(CLI::App& app) : app_(app) {}

    void group(std::string name) { group_ = std::move(name); }

    template <class V>
    CLI::Option* option(const char* name, V& variable, const char* type, const std::string& description) {
        CLI::Option* option = app_.add_option(name, variable, description)->type_name(type)->group(group_);
        return option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }

    /// With its default in --help.
    template <class V>
    CLI::Option* shown(const char* name, V& variable, const char* type, const std::string& description) {
        return option(name, variable, type, description)->capture_default_str();
    }

    /// A list in one argument: 64,32.
    template <class V>
    CLI::Option* list(const char* name, std::vector<V>& variable, const char* type, const std::string& description) {
        CLI::Option* added = app_.add_option(name, variable, description)->type_name(type)->group(group_);
        added->delimiter(',')->allow_extra_args(false);
        return added->default_str(fmt::format("{}", fmt::join(variable, ",")));
    }

    CLI::Option* choice(const char* name, std::string& variable, std::span<const char* const> names,
                        const std::string& description) {
        return shown(name, variable, "NAME", fmt::format("{} ({})", description, fmt::join(names, ", ")))
            ->check(one_of(names));
    }

    void flag(const char* name, bool& variable, const char* description) {
        app_.add_flag(name, variable, description)->group(group_);
    }

private:
    CLI::App& app_;
    std::string group_;
};

void add_data_options(Adder& add, Options& o) {
    add.group("Data");
    add.option("--target", o.target, "COLUMN",
               "what is to be learned: a column's name or number, from 1 (default: the last); in npz files an array's "
               "name (default: y)");
    add.choice("--task", o.task, task_names,
               "what kind of target it is; auto: classes if it is text, labels of an IDX file, or up to 20 different "
               "whole numbers");
    add.choice("--header", o.header, header_names,
               "CSV: whether the first row holds names; auto: unless a number is among them");
    add.shown("--delimiter", o.delimiter, "CHAR", "CSV: what separates fields; \"tab\" is a tab");
    add.list("--ignore", o.ignore, "COLUMN,...", "CSV: columns to leave out, by name or number");
    add.list("--text-columns", o.text_columns, "NAME,...",
             "CSV: columns that are categories although they hold numbers, such as postcodes");
    add.list("--missing", o.missing, "TEXT,...", "CSV: fields that mean \"no value\"");
    add.shown("--inputs", o.inputs, "ARRAY", "npz: the array of the inputs, one sample a row");
    add.option("--labels", o.labels, "FILE", "IDX: the labels (default: labels-idx1 in place of images-idx3)");
    add.shown("--test", o.test, "FRACTION", "part held out for the test, of each class alike")->check(fraction);
    add.option("--test-file", o.test_file, "FILE", "the test samples, in a file like DATA, instead of a part of it");
    add.option("--test-labels", o.test_labels, "FILE", "IDX: their labels (default: as those of --labels)");
    add.shown("--validation", o.validation, "FRACTION",
              "part of the rest that watches over training; 0: none, and all is learned from")
        ->check(fraction);
    add.shown("--split-seed", o.split_seed, "N", "seed of both divisions; it stays the same for other --seed")
        ->check(seed_number);
    add.choice("--standardize", o.standardize, standardize_names,
               "shift and scale inputs to mean 0 and deviation 1, a missing value becoming the mean; auto: on, but "
               "bytes are divided by 255");
    add.choice("--class-weights", o.class_weights, class_weight_names,
               "balanced: all classes count alike in the loss, however many samples they have");
}

void add_network_options(Adder& add, Options& o) {
    add.group("Network");
    add.list("--layers", o.layers, "N,...", "widths of the hidden layers; 0: none")->check(count_or_0);
    add.choice("--activation", o.activation, activation_names, "after each hidden layer");
    add.shown("--dropout", o.dropout, "P", "part of each hidden layer that is dropped in training")->check(fraction);
}

void add_optimizer_options(Adder& add, Options& o) {
    add.group("Optimizer");
    add.choice("--optimizer", o.optimizer, optimizer_names, "by PyTorch's rules");
    add.option("--lr", o.lr, "X", "learning rate (default: sgd 0.05, adagrad 0.01, others 0.001)")->check(positive);
    add.option("--weight-decay", o.weight_decay, "X", "pull of the weights to 0 (default: 0, adamw 0.01)")
        ->check(not_negative);
    add.option("--momentum", o.momentum, "X", "sgd (default: 0.9) and rmsprop (0)")->check(fraction);
    add.flag("--nesterov", o.nesterov, "sgd: look ahead");
    add.option("--betas", o.betas, "X,X", "adam, adamw: how slowly averages forget (default: 0.9,0.999)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(fraction);
    add.flag("--amsgrad", o.amsgrad, "adam, adamw: divide by the largest average so far");
    add.option("--alpha", o.alpha, "X", "rmsprop: how slowly the average forgets (default: 0.99)")->check(fraction);
    add.flag("--centered", o.centered, "rmsprop: divide by the standard deviation");
    add.option("--lr-decay", o.lr_decay, "X", "adagrad: how the rate falls with the steps (default: 0)")
        ->check(not_negative);
    add.option("--eps", o.eps, "X", "all but sgd: added to the denominator (default: 1e-8, adagrad 1e-10)")
        ->check(not_negative);
    add.shown("--clip-norm", o.clip_norm, "X", "largest norm of all gradients together; 0: any")->check(not_negative);
    add.shown("--label-smoothing", o.label_smoothing, "P", "part of each target class that is spread over all")
        ->check(closed_fraction);
}

void add_schedule_options(Adder& add, Options& o) {
    constexpr static std::array anneal_names{"cos", "linear"};
    add.group("Learning rate's course");
    add.list("--schedule", o.schedule, "NAME,...",
             fmt::format("one, or several that multiply, as warmup,cosine ({})", fmt::join(schedule_names, ", ")))
        ->check(one_of(schedule_names));
    add.option("--step-size", o.step_size, "N", "step: epochs between two changes (default: a third of all)")
        ->check(count);
    add.list("--milestones", o.milestones, "N,...", "multistep: the epochs of the changes")->check(count);
    add.option("--gamma", o.gamma, "X", "factor of step and multistep (default: 0.1) and of exponential (0.95)")
        ->check(positive);
    add.shown("--eta-min", o.eta_min, "X", "cosine: the last rate")->check(not_negative);
    add.shown("--warmup-epochs", o.warmup_epochs, "N", "warmup: how long it takes")->check(count);
    add.shown("--warmup-start", o.warmup_start, "X", "warmup: first rate over --lr")
        ->check(number<double>("a number above 0, at most 1", [](double x) { return x > 0 && x <= 1; }));
    add.shown("--pct-start", o.pct_start, "P", "onecycle: part of all steps in which the rate rises to --lr")
        ->check(closed_fraction);
    add.shown("--div-factor", o.div_factor, "X", "onecycle: --lr over the first rate")->check(positive);
    add.shown("--final-div-factor", o.final_div_factor, "X", "onecycle: first rate over the last")->check(positive);
    add.choice("--anneal", o.anneal, anneal_names, "onecycle: the way from rate to rate");
    add.shown("--base-momentum", o.base_momentum, "X", "onecycle: momentum, or the first of --betas, at the peak")
        ->check(fraction);
    add.shown("--max-momentum", o.max_momentum, "X", "onecycle: the same at both ends")->check(fraction);
    add.shown("--plateau-factor", o.plateau_factor, "X",
              "plateau: factor when the validation loss (without one, the training loss) stops falling")
        ->check(fraction);
    add.shown("--plateau-patience", o.plateau_patience, "N", "plateau: epochs without progress that are let pass")
        ->check(count_or_0);
    add.shown("--plateau-threshold", o.plateau_threshold, "X", "plateau: by a smaller part it is no progress")
        ->check(not_negative);
    add.shown("--min-lr", o.min_lr, "X", "plateau: the lowest rate")->check(not_negative);
}

void add_run_options(Adder& add, Options& o) {
    add.group("Run");
    add.shown("--epochs", o.epochs, "N", "times each training sample is seen")->check(count);
    add.shown("--batch-size", o.batch_size, "N", "samples a step")->check(count);
    add.shown("--seed", o.seed, "N", "seed of the first weights, of shuffling and of dropout")->check(seed_number);
    add.option("--early-stopping", o.early_stopping, "N",
               "stop after N epochs without a lower validation loss, and keep the weights that had the lowest")
        ->check(count);
    add.option("--threads", o.threads, "N", "threads of matrix products (default: the processors)")
        ->check(number<int>("a positive whole number", [](int n) { return n > 0 && n <= 1024; }));
    add.shown("--prefetch", o.prefetch, "N", "batches that a thread of its own makes ahead; they are the same")
        ->check(count_or_0);

    add.group("Output");
    add.shown("--output", o.output, "FOLDER", "where everything goes");
    add.option("--metrics", o.metrics, "FILE", "a line of JSON an epoch (default: metrics.jsonl in the folder)");
    add.option("--export", o.export_onnx, "FILE", "the network in ONNX's format");
    add.shown("--checkpoint-every", o.checkpoint_every, "SECONDS",
              "a checkpoint at least so often, at the end of the run, and at the end of an epoch if a tenth of this "
              "has passed")
        ->check(positive);
    add.flag("--resume", o.resume,
             "go on from the folder's checkpoint, if there is one, with its options: the weights become the same, bit "
             "for bit, as without the break");
    add.flag("--overwrite", o.overwrite, "train anew where a run has stopped");
    add.flag("--quiet", o.quiet, "print the test's result only");
    add.shown("--require", o.require, "X", "fail if the test accuracy, in percent, is less, or the RMSE more; 0: never")
        ->check(not_negative);
}

/// The names of the course's options that the command line gave.
Given given_options(const CLI::App& app, const Options& options) {
    Given given;
    for_each_course_option(options, [&](const char* name, const auto&) {
        if (app.count(fmt::format("--{}", name)) > 0) {
            given.insert(name);
        }
    });
    return given;
}

/// Parses, or gives the text that is to be printed instead.
std::optional<TextCommand> parse(CLI::App& app, int argc, char** argv) {
    app.formatter(std::make_shared<ManualFormatter>());
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return TextCommand{app.help()};
    } catch (const CLI::ParseError& error) {
        throw UsageError(error.what());
    }
    return std::nullopt;
}

Command parse_predict(int argc, char** argv) {
    CLI::App app("What a trained model makes of DATA. Where DATA holds the target too, how good that is.\n",
                 "xtape-train predict");
    PredictCommand command;
    Adder add(app);
    add.group("Files");
    add.option("MODEL", command.model, "", "the model.safetensors of a training run")->required();
    add.option("DATA", command.data, "", "a file like that of the training, with or without the target")->required();
    add.option("--labels", command.labels, "FILE", "IDX: the labels (default: beside the images, if they are there)");
    add.option("--output", command.output, "FILE",
               "predictions, a row a sample: .csv (classes and their probabilities, or values in the target's units) "
               "or .npz");
    add.group("Options");
    add.flag("--test", command.test, "only the samples of DATA that training held out; prints what training reported");
    add.option("--threads", command.threads, "N", "threads of matrix products (default: as in training)")->check(count);
    app.footer("Example\n  xtape-train predict run/model.safetensors new.csv --output predictions.csv");
    if (const auto text = parse(app, argc, argv)) {
        return *text;
    }
    const std::string ending = command.output.extension().string();
    if (!command.output.empty() && ending != ".csv" && ending != ".npz") {
        throw UsageError(fmt::format("--output: {} ends neither in .csv nor in .npz", command.output.string()));
    }
    return command;
}

Command parse_train(int argc, char** argv) {
    CLI::App app(about, "xtape-train");
    TrainCommand command;
    Options& options = command.options;
    Adder add(app);
    add.group("Files");
    add.option("DATA", options.data, "", "see above")->required();
    add_data_options(add, options);
    add_network_options(add, options);
    add_optimizer_options(add, options);
    add_schedule_options(add, options);
    add_run_options(add, options);
    app.footer(notes);
    if (const auto text = parse(app, argc, argv)) {
        return *text;
    }
    command.given = given_options(app, options);
    if (options.layers == std::vector<std::size_t>{0}) {
        options.layers.clear();
    }
    if (std::ranges::count(options.layers, 0) > 0) {
        throw UsageError("--layers: 0 is not a positive whole number (alone it means: no hidden layer)");
    }
    if (options.betas && options.betas->size() != 2) {
        throw UsageError(fmt::format("--betas: {} is not two numbers, as 0.9,0.999", fmt::join(*options.betas, ",")));
    }
    if (options.delimiter == "tab") {
        options.delimiter = "\t";
    }
    if (options.delimiter.size() != 1) {
        throw UsageError(fmt::format("--delimiter: \"{}\" is not one character, nor tab", options.delimiter));
    }
    if (command.given.contains("test") && command.given.contains("test-file")) {
        throw UsageError("--test and --test-file are given: the test is a part of DATA or a file of its own");
    }
    return command;
}

}  // namespace

Command parse_command_line(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "predict") {
        return parse_predict(argc - 1, argv + 1);
    }
    return parse_train(argc, argv);
}

}  // namespace train
