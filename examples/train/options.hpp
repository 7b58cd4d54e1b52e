#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

/// xtape-train: a multilayer perceptron from a data file, without programming.
namespace train {

using Json = nlohmann::ordered_json;

/// Names that an option takes.
inline constexpr std::array task_names{"auto", "classification", "regression"};
inline constexpr std::array header_names{"auto", "yes", "no"};
inline constexpr std::array standardize_names{"auto", "on", "off"};
inline constexpr std::array class_weight_names{"none", "balanced"};
inline constexpr std::array activation_names{"identity", "relu",       "tanh", "sigmoid",  "gelu",
                                             "silu",     "leaky_relu", "elu",  "softplus", "log_sigmoid"};
inline constexpr std::array optimizer_names{"sgd", "adam", "adamw", "rmsprop", "adagrad"};
inline constexpr std::array schedule_names{"none",   "step",   "multistep", "exponential",
                                           "cosine", "warmup", "onecycle",  "plateau"};

/// What the command line of a training run says. An option that is empty takes a value that depends on others: see
/// `complete`.
struct Options {
    // Where the data is.
    std::string data;
    std::string labels;     ///< IDX: the labels' file; empty: beside the images
    std::string test_file;  ///< the test samples, instead of a part of `data`
    std::string test_labels;

    // How it is read and divided.
    std::string task = "auto";
    std::string target;        ///< CSV: a column's name or number; npz: an array's name
    std::string inputs = "x";  ///< npz: an array's name
    std::string header = "auto";
    std::string delimiter = ",";
    std::vector<std::string> ignore;
    std::vector<std::string> text_columns;
    std::vector<std::string> missing{"", "NA", "N/A", "NaN", "nan", "null", "?"};
    std::string standardize = "auto";
    double test = 0.2;
    double validation = 0.1;
    std::uint64_t split_seed = 0;

    // The network.
    std::vector<std::size_t> layers{128, 64};
    std::string activation = "relu";
    double dropout = 0;

    // The loss and how it is lowered.
    std::string class_weights = "none";
    double label_smoothing = 0;
    std::string optimizer = "adam";
    std::optional<double> lr;
    std::optional<double> momentum;
    bool nesterov = false;
    std::optional<std::vector<double>> betas;
    bool amsgrad = false;
    std::optional<double> alpha;
    bool centered = false;
    std::optional<double> lr_decay;
    std::optional<double> eps;
    std::optional<double> weight_decay;
    double clip_norm = 0;  ///< 0: none

    // The learning rate's course.
    std::vector<std::string> schedule{"none"};
    std::optional<std::size_t> step_size;
    std::vector<std::size_t> milestones;
    std::optional<double> gamma;
    double eta_min = 0;
    std::size_t warmup_epochs = 5;
    double warmup_start = 1.0 / 3;
    double pct_start = 0.3;
    double div_factor = 25;
    double final_div_factor = 1e4;
    std::string anneal = "cos";
    double base_momentum = 0.85;
    double max_momentum = 0.95;
    double plateau_factor = 0.1;
    std::size_t plateau_patience = 10;
    double plateau_threshold = 1e-4;
    double min_lr = 0;

    // The run.
    std::size_t epochs = 50;
    std::size_t batch_size = 64;
    std::uint64_t seed = 0;
    std::optional<std::size_t> early_stopping;  ///< patience, in epochs
    int threads = 0;                            ///< 0: as many as there are processors

    // What does not change the course of training.
    std::filesystem::path output = "run";
    std::filesystem::path metrics;      ///< empty: metrics.jsonl in the output folder
    std::filesystem::path export_onnx;  ///< empty: none
    double checkpoint_every = 30;       ///< seconds
    std::size_t prefetch = 0;
    bool resume = false;
    bool overwrite = false;
    bool quiet = false;
    double require = 0;  ///< 0: nothing
};

/// Calls visit(name, member) for every option that a run's course depends on. `O` is Options, const or not.
template <class O, class F>
void for_each_course_option(O& o, F visit) {
    visit("test-file", o.test_file);
    visit("labels", o.labels);
    visit("test-labels", o.test_labels);
    visit("task", o.task);
    visit("target", o.target);
    visit("inputs", o.inputs);
    visit("header", o.header);
    visit("delimiter", o.delimiter);
    visit("ignore", o.ignore);
    visit("text-columns", o.text_columns);
    visit("missing", o.missing);
    visit("standardize", o.standardize);
    visit("test", o.test);
    visit("validation", o.validation);
    visit("split-seed", o.split_seed);
    visit("layers", o.layers);
    visit("activation", o.activation);
    visit("dropout", o.dropout);
    visit("class-weights", o.class_weights);
    visit("label-smoothing", o.label_smoothing);
    visit("optimizer", o.optimizer);
    visit("lr", o.lr);
    visit("momentum", o.momentum);
    visit("nesterov", o.nesterov);
    visit("betas", o.betas);
    visit("amsgrad", o.amsgrad);
    visit("alpha", o.alpha);
    visit("centered", o.centered);
    visit("lr-decay", o.lr_decay);
    visit("eps", o.eps);
    visit("weight-decay", o.weight_decay);
    visit("clip-norm", o.clip_norm);
    visit("schedule", o.schedule);
    visit("step-size", o.step_size);
    visit("milestones", o.milestones);
    visit("gamma", o.gamma);
    visit("eta-min", o.eta_min);
    visit("warmup-epochs", o.warmup_epochs);
    visit("warmup-start", o.warmup_start);
    visit("pct-start", o.pct_start);
    visit("div-factor", o.div_factor);
    visit("final-div-factor", o.final_div_factor);
    visit("anneal", o.anneal);
    visit("base-momentum", o.base_momentum);
    visit("max-momentum", o.max_momentum);
    visit("plateau-factor", o.plateau_factor);
    visit("plateau-patience", o.plateau_patience);
    visit("plateau-threshold", o.plateau_threshold);
    visit("min-lr", o.min_lr);
    visit("epochs", o.epochs);
    visit("batch-size", o.batch_size);
    visit("seed", o.seed);
    visit("early-stopping", o.early_stopping);
    visit("threads", o.threads);
}

/// The names of options that the command line gave, without dashes.
using Given = std::set<std::string, std::less<>>;

/// A command line that can't be meant. Ends the program with exit code 2.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The options that a run's course depends on, as JSON; those without a value are left out.
Json course_of(const Options& options);

/// Those of them that the chosen optimiser and schedules have a use for, for people to read.
Json options_in_use(const Options& options);

/// The options of a run that is to go on: as `course` has them, but for what does not change the course.
/// Throws UsageError that lists each given option which says something else than `course`.
Options resumed(Options options, const Given& given, const Json& course);

/// Gives a value to each option that still has none and that the chosen optimiser and schedules ask for.
/// Throws UsageError for a given option that nothing chosen has a use for, naming what has.
void complete(Options& options, const Given& given);

}  // namespace train
