#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace xtape::bench {

/// What the benchmarks that judge a table can be asked.
struct Options {
    double budget;  // seconds a row
    std::string only = {};
    bool check_only = false;
};

/// Reads --seconds, --only and, where the benchmark has it, --check over the defaults; at anything else prints the
/// usage and exits.
inline Options parse_options(int argc, char** argv, const char* usage, Options options, bool has_check = true) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--seconds" && i + 1 < argc) {
            options.budget = std::atof(argv[++i]);
        } else if (option == "--only" && i + 1 < argc) {
            options.only = argv[++i];
        } else if (option == "--check" && has_check) {
            options.check_only = true;
        } else {
            fmt::print("{}", usage);
            std::exit(option == "--help" ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    return options;
}

}  // namespace xtape::bench
