#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace xtape::bench {

/// One figure of a benchmark and what is asked of it.
struct Figure {
    enum class Wanted { nothing, at_most, at_least };

    std::string name;
    double measured;
    std::string unit = {};  // empty for a ratio
    Wanted wanted = Wanted::nothing;
    double target = 0.0;
};

/// Where a benchmark's figures go, a line of JSON each, for benchmarks/report.py.
class Figures {
public:
    /// Adds to the file at `path`; with an empty one figures go nowhere. Ends the program if it can't be written.
    Figures(std::string benchmark, const std::string& path) : benchmark_(std::move(benchmark)), path_(path) {
        if (!path.empty()) {
            file_.open(path, std::ios::app);
            check();
        }
    }
    void add(const Figure& figure) {
        if (!file_.is_open()) {
            return;
        }
        nlohmann::json line{
            {"benchmark", benchmark_}, {"name", figure.name}, {"measured", figure.measured}, {"unit", figure.unit}};
        if (figure.wanted != Figure::Wanted::nothing) {
            line["wanted"] = figure.wanted == Figure::Wanted::at_most ? "at most" : "at least";
            line["target"] = figure.target;
        }
        file_ << line.dump() << std::endl;  // at once: the next figures may never come
        check();
    }
    void at_most(double target, std::string name, double measured, std::string unit = {}) {
        add({std::move(name), measured, std::move(unit), Figure::Wanted::at_most, target});
    }
    void at_least(double target, std::string name, double measured, std::string unit = {}) {
        add({std::move(name), measured, std::move(unit), Figure::Wanted::at_least, target});
    }
    void note(std::string name, double measured, std::string unit = {}) {
        add({std::move(name), measured, std::move(unit)});
    }

private:
    void check() const {
        if (!file_) {
            fmt::print(stderr, "{}: can't be written\n", path_);
            std::exit(EXIT_FAILURE);
        }
    }

    std::string benchmark_;
    std::string path_;
    std::ofstream file_;
};

}  // namespace xtape::bench
