#include "predict.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/io/atomic_file.hpp>
#include <xtape/io/npz.hpp>

#include "model_file.hpp"

namespace train {
namespace {

/// The rows that training held out for the test, and no others.
std::vector<std::size_t> test_rows(const PredictCommand& command, const Model& model, const Files& files,
                                   const Table& table) {
    const std::string here = fingerprint(files);
    if (model.test.is_null()) {
        throw xtape::ValueError(fmt::format("--test: {} was trained without a test", command.model.string()));
    }
    if (!table.target) {
        throw xtape::ValueError(fmt::format("--test: {} has no target to compare with", command.data));
    }
    if (!model.test_fingerprint.empty() && here == model.test_fingerprint) {
        return all_rows(table);
    }
    if (model.test_fingerprint.empty() && here == model.fingerprint) {
        return divide(table, model.preprocessing.task(), model.options, false).test;
    }
    throw xtape::ValueError(fmt::format("--test: {} is not what {} was tested on: its checksum is {} and was {}",
                                        command.data, command.model.string(), here,
                                        model.test_fingerprint.empty() ? model.fingerprint : model.test_fingerprint));
}

/// A field of a CSV file.
std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n ") == std::string::npos) {
        return text;
    }
    std::string result = "\"";
    for (const char c : text) {
        result += c == '"' ? "\"\"" : std::string(1, c);
    }
    return result + "\"";
}

xt::xarray<double> values_of(const xtape::Tensor<float>& predicted, const Preprocessing& preprocessing) {
    return preprocessing.target().inverse_transform(xt::xarray<double>(xt::cast<double>(predicted.value())));
}

void write_csv(const std::string& path, const xtape::Tensor<float>& predicted, const Preprocessing& preprocessing) {
    const std::size_t samples = predicted.shape()[0];
    const std::size_t outputs = predicted.shape()[1];
    std::string text;
    if (preprocessing.task() == Task::classification) {
        const auto& classes = preprocessing.classes();
        const auto probabilities = softmax(predicted, 1);
        text = "class";
        for (const std::string& name : classes) {
            text += fmt::format(",{}", quoted("probability of " + name));
        }
        for (std::size_t i = 0; i < samples; ++i) {
            const float* row = probabilities.data() + i * outputs;
            text += fmt::format("\n{}",
                                quoted(classes[static_cast<std::size_t>(std::max_element(row, row + outputs) - row)]));
            for (std::size_t j = 0; j < outputs; ++j) {
                text += fmt::format(",{}", row[j]);
            }
        }
    } else {
        const std::string& target = preprocessing.schema().target;
        const std::string name = target.empty() ? "prediction" : target;
        for (std::size_t j = 0; j < outputs; ++j) {
            text +=
                fmt::format("{}{}", j == 0 ? "" : ",", quoted(outputs == 1 ? name : fmt::format("{} {}", name, j + 1)));
        }
        const xt::xarray<double> values = values_of(predicted, preprocessing);
        for (std::size_t i = 0; i < samples; ++i) {
            for (std::size_t j = 0; j < outputs; ++j) {
                text += fmt::format("{}{:.9g}", j == 0 ? "\n" : ",", values(i, j));
            }
        }
    }
    text += "\n";
    xtape::io::write_file(path, std::as_bytes(std::span(text)));
}

void write_npz(const std::string& path, const xtape::Tensor<float>& predicted, const Preprocessing& preprocessing) {
    if (preprocessing.task() == Task::regression) {
        return xtape::io::write_npz(path, {{"prediction", values_of(predicted, preprocessing)}});
    }
    const auto probabilities = softmax(predicted, 1);
    const std::size_t outputs = predicted.shape()[1];
    auto classes = xt::xarray<std::int64_t>::from_shape({predicted.shape()[0]});
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const float* row = probabilities.data() + i * outputs;
        classes(i) = std::max_element(row, row + outputs) - row;
    }
    xtape::io::write_npz(path, {{"class", classes}, {"probabilities", probabilities.value()}});
}

/// Prints how good the predictions are.
template <class Label>
void judge(Model& model, const Table& table, const std::vector<std::size_t>& rows, bool test) {
    const Task task = model.preprocessing.task();
    const auto samples = dataset_of<Label>(model.preprocessing, table, rows);
    const Verdict verdict = examine(model.network, samples, model.preprocessing);
    if (test) {
        const Json now = Json::parse(figures(verdict, task).dump());
        fmt::print("{} test samples: {}\n", rows.size(),
                   now == model.test ? "every figure is what training reported, bit for bit"
                                     : fmt::format("{} now; training reported {}", now.dump(), model.test.dump()));
    }
    fmt::print("{}\n", headline(verdict, task, test ? "test " : ""));
}

}  // namespace

void predict(const PredictCommand& command) {
    Model model = read_model(command.model.string());
    // Products may differ in their last bits with other numbers of threads.
    xtape::set_num_threads(command.threads ? static_cast<int>(*command.threads) : model.options.threads);
    // Of MNIST, which has a part for it, the test's part.
    const Files files = files_of(command.data, command.labels, true);
    Table table = read_table(files, model.preprocessing.schema());
    if (table.target && !rows_without_value(*table.target).empty()) {
        fmt::print("the target is missing in some samples: nothing is compared with it\n");
        table.target.reset();
    }
    const std::vector<std::size_t> rows = command.test ? test_rows(command, model, files, table) : all_rows(table);
    if (rows.empty()) {
        throw xtape::IoError(fmt::format("{}: there are no samples in it", files.data));
    }
    if (!command.output.empty()) {
        const auto predicted = answers(model.network, model.preprocessing.transform(table, rows));
        if (command.output.extension() == ".npz") {
            write_npz(command.output.string(), predicted, model.preprocessing);
        } else {
            write_csv(command.output.string(), predicted, model.preprocessing);
        }
        fmt::print("{} predictions: {}\n", rows.size(), command.output.string());
    }
    if (!table.target) {
        if (command.output.empty()) {
            fmt::print("{} samples, but nothing to compare with; --output FILE writes what the model predicts\n",
                       rows.size());
        }
        return;
    }
    if (model.preprocessing.task() == Task::classification) {
        judge<int>(model, table, rows, command.test);
    } else {
        judge<float>(model, table, rows, command.test);
    }
}

}  // namespace train
