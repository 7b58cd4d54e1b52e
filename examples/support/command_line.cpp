#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "training.hpp"
#include "validator.hpp"

namespace support {
namespace {

/// "3", "0-9", "0,4,7-9".
std::vector<std::uint64_t> parse_seeds(const std::string& text) {
    const auto parse = [&](std::string_view digits) {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc{} || end != digits.data() + digits.size()) {
            throw CLI::ValidationError("--seed", fmt::format("\"{}\" is no seed; write 3, or 0-9, or 0,4,7", text));
        }
        return value;
    };
    std::vector<std::uint64_t> seeds;
    for (const std::string& part : CLI::detail::split(text, ',')) {
        const std::size_t dash = part.find('-');
        const std::uint64_t first = parse(std::string_view(part).substr(0, dash));
        const std::uint64_t last = dash == std::string::npos ? first : parse(std::string_view(part).substr(dash + 1));
        if (last < first || last - first >= 1000) {
            throw CLI::ValidationError("--seed", fmt::format("\"{}\" is no range of at most 1000 seeds", part));
        }
        for (std::uint64_t seed = first; seed <= last; ++seed) {
            seeds.push_back(seed);
        }
    }
    return seeds;
}

}  // namespace

Settings parse_command_line(int argc, char** argv, Settings settings) {
    const auto count =
        number<std::size_t>("a positive whole number", [](std::size_t n) { return n > 0 && n <= 1U << 30; });
    const auto positive = number<double>("a positive number", [](double x) { return x > 0; });
    const auto not_negative = number<double>("0 or a positive number", [](double x) { return x >= 0; });
    const auto momentum = number<double>("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; });
    const auto percent = number<double>("a percentage", [](double x) { return x >= 0 && x <= 100; });
    std::string seeds = fmt::format("{}", fmt::join(settings.seeds, ","));

    CLI::App app{
        fmt::format("Trains a multilayer perceptron on {} and tests it. Ctrl-C ends the training early and in good "
                    "order.\n",
                    settings.name)};
    const auto option = [&](const char* names, auto& variable, const char* type, const char* description) {
        return app.add_option(names, variable, description)->type_name(type)->capture_default_str();
    };
    option("--epochs", settings.epochs, "N", "times every training image is seen")->check(count);
    option("--batch-size", settings.batch_size, "N", "images a step")->check(count);
    option("--lr", settings.lr, "X", "learning rate at the start; it falls to 0 along half a cosine")->check(positive);
    option("--momentum", settings.momentum, "X", "what a step keeps of the last one, 0 for nothing")->check(momentum);
    option("--weight-decay", settings.weight_decay, "X", "pull of the weights towards 0")->check(not_negative);
    option("--layers", settings.layers, "N,...", "widths of the hidden layers, as 64 or 128,64")
        ->default_str(fmt::format("{}", fmt::join(settings.layers, ",")))
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(count);
    option("--seed,--seeds", seeds, "N", "seed of all randomness; several, as 0-9 or 1,5, give a run each and a mean");
    option("--output", settings.output, "FOLDER", "where the picture and the weights go");
    option("--data", settings.data, "FOLDER", "where the data is");
    option("--require", settings.require, "PERCENT", "fail below this test accuracy")->check(percent);
    app.add_flag("--quiet", settings.quiet, "print the test accuracy only");
    app.get_formatter()->column_width(28);

    try {
        app.parse(argc, argv);
        settings.seeds = parse_seeds(seeds);
    } catch (const CLI::ParseError& result) {
        std::exit(app.exit(result));
    }
    return settings;
}

}  // namespace support
