#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "interleaved.hpp"

namespace xtape::bench {

/// What every benchmark can be asked.
struct Options {
    double budget;  // seconds a row
    std::string only = {};
    std::string json = {};  // the file that figures are added to; empty for none
    bool check_only = false;
    bool quick = false;

    /// How long to time a row.
    [[nodiscard]] Effort effort() const {
        return quick ? Effort{.budget = 0.0, .fewest_rounds = 1, .round_seconds = 0.0} : Effort{.budget = budget};
    }
    /// Whether a row within its limit or not lets the benchmark pass: a quick run's figures mean nothing.
    [[nodiscard]] bool accept(bool within_limit) const { return within_limit || quick; }
};

/// What every benchmark's usage ends with.
inline constexpr std::string_view common_usage = R"(

As every benchmark, it also takes:
  --json FILE       also add the figures to FILE, each as a line of JSON (benchmarks/report.py makes a table of them)
  --quick           time everything once: shows that it works; figures mean nothing then, and no limit is judged
)";

/// Reads the options over the defaults; at anything unknown prints the usage and exits. --check only where the
/// benchmark has it.
inline Options parse_options(int argc, char** argv, std::string_view usage, Options options, bool has_check = true) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const bool has_value = i + 1 < argc;
        if (option == "--seconds" && has_value) {
            options.budget = std::atof(argv[++i]);
        } else if (option == "--only" && has_value) {
            options.only = argv[++i];
        } else if (option == "--json" && has_value) {
            options.json = argv[++i];
        } else if (option == "--quick") {
            options.quick = true;
        } else if (option == "--check" && has_check) {
            options.check_only = true;
        } else {
            fmt::print("{}{}", usage, common_usage);
            std::exit(option == "--help" ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    return options;
}

}  // namespace xtape::bench
