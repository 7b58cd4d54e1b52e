#include "training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <stdexcept>
#include <utility>
#include <xtape/xtape.hpp>

#include "interrupt.hpp"
#include "picture.hpp"
#include "terminal.hpp"

namespace support {

namespace data = xtape::data;
namespace nn = xtape::nn;
namespace optim = xtape::optim;

namespace {

constexpr std::size_t classes = 10;
constexpr std::size_t most_mistakes_drawn = 40;

/// Means over images that come in batches.
class Running {
public:
    void add(double loss, double accuracy, std::size_t images) {
        const auto n = static_cast<double>(images);
        loss_ += loss * n;
        accuracy_ += accuracy * n;
        images_ += n;
    }
    double loss() const { return loss_ / images_; }
    double accuracy() const { return accuracy_ / images_; }

private:
    double loss_ = 0;
    double accuracy_ = 0;
    double images_ = 0;
};

/// What a network makes of images.
struct Verdict {
    Running mean;
    ConfusionMatrix confusion{classes};
    std::vector<Mistake> mistakes;  ///< the surest first
};

/// A run's course and its end.
struct Result {
    double epochs = 0;  ///< not whole if it was interrupted
    std::vector<Curve> loss{{"training", {}, {}}, {"test", {}, {}}};
    std::vector<Curve> accuracy{{"training", {}, {}}, {"test", {}, {}}};
    Verdict test;

    void add(double epoch, const Running& training, Verdict verdict) {
        epochs = epoch;
        for (auto* curves : {&loss, &accuracy}) {
            for (Curve& curve : *curves) {
                curve.x.push_back(epoch);
            }
        }
        loss[0].y.push_back(training.loss());
        loss[1].y.push_back(verdict.mean.loss());
        accuracy[0].y.push_back(training.accuracy());
        accuracy[1].y.push_back(verdict.mean.accuracy());
        test = std::move(verdict);
    }
};

Verdict examine(nn::MLP<float>& net, const Images& images) {
    const xtape::NoGradGuard no_grad;
    Verdict verdict;
    std::vector<std::pair<float, Mistake>> mistakes;
    data::DataLoader loader(images, {.batch_size = 1000, .shuffle = false});
    for (auto& [x, y] : loader) {
        const auto logits = net(x);
        verdict.mean.add(nn::cross_entropy(logits, y).item(), nn::accuracy(logits, y), y.size());
        const auto chances = softmax(logits, 1);
        const std::size_t pixels = x.size() / y.size();
        for (std::size_t i = 0; i < y.size(); ++i) {
            const auto truth = static_cast<std::size_t>(y(i));
            const float* row = chances.data() + i * classes;
            const auto guess = static_cast<std::size_t>(std::max_element(row, row + classes) - row);
            verdict.confusion.add(truth, guess);
            if (truth == guess) {
                continue;
            }
            const float* image = x.data() + i * pixels;
            mistakes.emplace_back(row[guess], Mistake{{image, image + pixels}, truth, guess});
        }
    }
    std::stable_sort(mistakes.begin(), mistakes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (auto& [chance, mistake] : mistakes) {
        verdict.mistakes.push_back(std::move(mistake));
    }
    return verdict;
}

/// The training itself. The test images are looked at after each epoch, for the curves only: they choose nothing.
Result train(nn::MLP<float>& net, const Task& task, const Settings& settings, std::uint64_t seed) {
    optim::SGD<float> optimizer(
        net.parameters(), {.lr = settings.lr, .momentum = settings.momentum, .weight_decay = settings.weight_decay});
    data::DataLoader loader(task.train, {.batch_size = settings.batch_size, .seed = seed});
    const std::size_t batches = loader.size();

    Result result;
    Running mean;
    const auto figures = [&] {
        const std::string text =
            fmt::format("loss {}  accuracy {:5.1f}%", short_number(mean.loss()), 100 * mean.accuracy());
        return result.epochs == 0 ? text : text + fmt::format("  test {:5.1f}%", 100 * result.test.mean.accuracy());
    };
    // A run for each of many seeds would fill a log with epochs.
    const bool quiet = settings.quiet || (settings.seeds.size() > 1 && !is_terminal());
    Progress progress(settings.epochs, batches, quiet, figures, {});
    Progress::State state;
    do {
        const double share = static_cast<double>(state.epoch) / static_cast<double>(settings.epochs);
        optimizer.groups()[0].options.lr = settings.lr * (1 + std::cos(std::numbers::pi * share)) / 2;

        mean = {};
        for (auto& [x, y] : loader) {
            const auto logits = net(x);
            const auto loss = nn::cross_entropy(logits, y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();

            mean.add(loss.item(), nn::accuracy(logits, y), y.size());
            if (!std::isfinite(mean.loss())) {
                throw std::runtime_error("the loss is no longer finite: try a smaller --lr");
            }
            ++state.batch;
            progress.batch_done(state);
            if (Interrupt::requested()) {
                break;
            }
        }
        if (state.batch == batches) {
            ++state.epoch;
            state.batch = 0;
        }
        const double epoch =
            static_cast<double>(state.epoch) + static_cast<double>(state.batch) / static_cast<double>(batches);
        result.add(epoch, mean, examine(net, task.test));
        progress.epoch_done(state);
    } while (state.epoch < settings.epochs && !Interrupt::requested());
    return result;
}

std::string draw(const std::filesystem::path& stem, const Result& result, const Task& task, const Settings& settings) {
    const ConfusionMatrix& confusion = result.test.confusion;
    Report report{.title = fmt::format("{}: test accuracy {:.1f}%", settings.name, 100 * confusion.accuracy()),
                  .loss = result.loss,
                  .accuracy = result.accuracy,
                  .mistakes_title = {},
                  .mistakes = result.test.mistakes,
                  .height = task.height,
                  .width = task.width};
    const std::size_t count = report.mistakes.size();
    report.mistakes.resize(std::min(count, most_mistakes_drawn));
    report.mistakes_title =
        fmt::format("{}{} mistake{} in {} test images{}",
                    count > most_mistakes_drawn ? fmt::format("the {} surest of ", most_mistakes_drawn) : "", count,
                    count == 1 ? "" : "s", confusion.total(), count > 0 ? " (what it is → what it was taken for)" : "");
    return draw_report(stem, report);
}

/// One run. Returns the test accuracy.
double run(const Task& task, const Settings& settings, std::uint64_t seed) {
    const bool alone = settings.seeds.size() == 1;
    const std::string stem = (settings.output / settings.name).string() + (alone ? "" : fmt::format("-seed{}", seed));

    std::vector<std::size_t> widths{task.height * task.width};
    widths.insert(widths.end(), settings.layers.begin(), settings.layers.end());
    widths.push_back(classes);
    xtape::random::seed(seed);
    nn::MLP<float> net(widths, nn::Activation::relu);

    if (!settings.quiet && seed == settings.seeds.front()) {
        fmt::print("{}: an MLP {} learns from {} images; {} others are held out for the test\n", settings.name,
                   fmt::join(widths, "-"), task.train.size(), task.test.size());
        std::fflush(stdout);
    }
    const Result result = train(net, task, settings, seed);
    const ConfusionMatrix& confusion = result.test.confusion;
    const bool verbose = alone && !settings.quiet;
    if (Interrupt::requested()) {
        fmt::print("stopped by Ctrl-C after {:.2f} of {} epochs\n", result.epochs, settings.epochs);
    }
    fmt::print("{}test accuracy: {:.1f}%\n",
               verbose ? "\n"
               : alone ? ""
                       : fmt::format("seed {}: ", seed),
               100 * confusion.accuracy());
    if (verbose) {
        fmt::print("{} of {} test images recognised\n\n{}\n", confusion.correct(), confusion.total(),
                   confusion.to_string());
    }
    std::fflush(stdout);

    data::write_npz(stem + "-weights.npz", net.state_dict());
    const std::string picture = draw(stem + "-report", result, task, settings);
    if (verbose) {
        fmt::print("{}\nweights: {}\n", picture, stem + "-weights.npz");
    }
    return confusion.accuracy();
}

}  // namespace

int train_and_report(int argc, char** argv, const Settings& defaults, const LoadTask& load) try {
    const Settings settings = parse_command_line(argc, argv, defaults);
    std::error_code problem;
    std::filesystem::create_directories(settings.output, problem);
    if (!std::filesystem::is_directory(settings.output)) {
        throw std::runtime_error(fmt::format("--output {}: no such folder, and it can't be made ({})",
                                             settings.output.string(), problem.message()));
    }

    const Interrupt interrupt;
    std::vector<double> percents;
    for (const std::uint64_t seed : settings.seeds) {
        if (Interrupt::requested()) {
            break;
        }
        percents.push_back(100 * run(load(settings, seed), settings, seed));
    }
    double mean = 0;
    for (const double percent : percents) {
        mean += percent / static_cast<double>(percents.size());
    }
    if (settings.seeds.size() > 1) {
        const auto [lowest, highest] = std::minmax_element(percents.begin(), percents.end());
        fmt::print("mean test accuracy: {:.2f}% over {} seeds, from {:.1f}% to {:.1f}%\n", mean, percents.size(),
                   *lowest, *highest);
    }
    if (mean < settings.require) {
        fmt::print(stderr, "error: the test accuracy is below the required {}%\n", settings.require);
        return 1;
    }
    return 0;
} catch (const xtape::data::MissingFile& missing) {
    fmt::print(stderr, "{}\n", missing.what());
    return 77;
} catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
}

}  // namespace support
