// Runs one of the eval's programs on the cases of a file (tests/data/gradbench) and compares what it prints: the
// output, the timings, and what it says to bad arguments.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace {

using Json = nlohmann::json;

constexpr double tolerance = 1e-8;

struct Outcome {
    int status;
    std::vector<std::string> lines;
};

Outcome run(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) {
        return {-1, {}};
    }
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        text += static_cast<char>(c);
    }
    const int status = pclose(pipe);
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, {}};
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        outcome.lines.push_back(line);
    }
    return outcome;
}

/// The largest magnitude among the numbers of a list of lists.
double magnitude(const Json& json) {
    if (json.is_number()) {
        return std::abs(json.get<double>());
    }
    double largest = 0.0;
    for (const Json& part : json) {
        largest = std::max(largest, magnitude(part));
    }
    return largest;
}

/// What differs, empty if nothing. Numbers are compared relative to the largest in their array.
std::string difference(const Json& expected, const Json& got, double scale, const std::string& where = "output") {
    if (expected.is_number() && got.is_number()) {
        const double apart = std::abs(expected.get<double>() - got.get<double>());
        return apart <= tolerance * scale
                   ? std::string()
                   : fmt::format("{} is {}, not {}", where, got.get<double>(), expected.get<double>());
    }
    if (expected.type() != got.type() || expected.size() != got.size()) {
        return fmt::format("{} has another form", where);
    }
    for (const auto& [key, part] : expected.items()) {
        const std::string at = fmt::format("{}.{}", where, key);
        if (expected.is_object() && !got.contains(key)) {
            return at + " is missing";
        }
        const Json& other = expected.is_object() ? got[key] : got[std::stoul(key)];
        const std::string what = difference(part, other, expected.is_object() ? magnitude(part) : scale, at);
        if (!what.empty()) {
            return what;
        }
    }
    return {};
}

std::string difference(const Json& expected, const Json& got) {
    return difference(expected, got, magnitude(expected.is_object() ? Json() : expected));
}

/// The same output with its last number a little off.
Json altered(Json json) {
    const double off = 1e-6 * std::max(1.0, magnitude(json));
    Json* last = &json;
    while (!last->is_number()) {
        last = &*std::prev(last->end());
    }
    *last = last->get<double>() + off;
    return json;
}

std::string check_case(const std::string& program, const Json& each, const std::string& file) {
    std::ofstream(file) << each["input"];
    const auto [status, lines] = run(fmt::format("'{}' '{}' {}", program, file, each["function"].get<std::string>()));
    const auto runs = each["input"].is_object() ? each["input"].value("min_runs", std::size_t{1}) : std::size_t{1};
    if (status != 0 || lines.size() != 2 + runs) {
        return fmt::format("status {} and {} lines, where {} runs were asked for", status, lines.size(), runs);
    }
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const Json timing = Json::parse(lines[i]);
        if (timing["name"] != (i == 1 ? "prepare" : "evaluate") || !timing["nanoseconds"].is_number_unsigned()) {
            return fmt::format("line {} is {}", i + 1, lines[i]);
        }
    }
    const Json output = Json::parse(lines[0]);
    if (difference(altered(each["output"]), output).empty()) {
        return "the comparison can't fail";
    }
    return difference(each["output"], output);
}

std::string check_refusals(const std::string& program, const std::string& file) {
    const auto refuses = [](const std::string& command, int status) {
        // What it says goes to the standard error stream.
        const Outcome silent = run(command + " 2>/dev/null");
        return silent.status == status && silent.lines.empty() && !run(command + " 2>&1").lines.empty();
    };
    if (!refuses(fmt::format("'{}'", program), 2) || !refuses(fmt::format("'{}' a b c", program), 2)) {
        return "a wrong number of arguments is no usage error";
    }
    if (!refuses(fmt::format("'{}' '{}' no_such_function", program, file), 1)) {
        return "an unknown function is no error";
    }
    std::ofstream(file) << "{ no JSON";
    const std::string function = "$(\"" + program + "\" 2>&1 | sed -n 's/.*functions: *\\([^ ]*\\).*/\\1/p')";
    if (!refuses(fmt::format("'{}' '{}' {}", program, file, function), 1) ||
        !refuses(fmt::format("'{}' '{}.missing' {}", program, file, function), 1)) {
        return "a file that is missing or no JSON is no error";
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: {} PROGRAM CASES\n", argv[0]);
        return 2;
    }
    const std::string program = argv[1];
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / fmt::format("xtape_gradbench_{}.json", getpid());
    std::ifstream stream(argv[2]);
    const Json cases = Json::parse(stream);
    int failures = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::string what = check_case(program, cases[i], file);
        if (!what.empty()) {
            fmt::print("{}, case {}, {}: {}\n", argv[2], i, cases[i]["function"].get<std::string>(), what);
            ++failures;
        }
    }
    const std::string what = check_refusals(program, file);
    if (!what.empty()) {
        fmt::print("{}: {}\n", program, what);
        ++failures;
    }
    std::filesystem::remove(file);
    fmt::print("{} cases, {} failures\n", cases.size(), failures);
    return failures == 0 && !cases.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}
