// What a node costs: one-element ops recorded, replayed and dropped, in xtape and in the bare sketch of its design
// (tape_sketch.hpp), interleaved in one run; and a chain of a million additions.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>

#include "tape_sketch.hpp"

namespace {

constexpr std::size_t chain_length = 1000;

// The two engines behind one face, for chains that start and end in one element.
struct Xtape {
    using Tensor = xtape::Tensor<float>;
    static Tensor parameter(float value) { return xtape::parameter(value); }
    static float value(const Tensor& x) { return x.item(); }
    static float gradient(const Tensor& x) { return x.grad().item(); }
    static void zero_gradient(const Tensor& x) { x.zero_grad(); }
    static std::size_t nodes() { return xtape::tape().nodes(); }
};

struct Sketch {
    using Tensor = xtape::sketch::Tensor;
    static Tensor parameter(float value) { return Tensor(std::span(&value, 1), true); }
    static float value(const Tensor& x) { return x.value()[0]; }
    static float gradient(const Tensor& x) { return x.gradient()[0]; }
    static void zero_gradient(const Tensor& x) { x.zero_gradient(); }
    static std::size_t nodes() { return xtape::sketch::tape.nodes; }
};

// One link of a chain, y = f(y, p).
struct Add {
    template <class Tensor>
    static Tensor link(const Tensor& y, const Tensor& p) {
        return y + p;
    }
    static constexpr float parameter = 0.5f;
    static float value() { return parameter * (1 + static_cast<float>(chain_length)); }
    static float gradient() { return 1 + static_cast<float>(chain_length); }
};

struct Multiply {
    template <class Tensor>
    static Tensor link(const Tensor& y, const Tensor& p) {
        return y * p;
    }
    static constexpr float parameter = 1.0f;
    static float value() { return 1.0f; }
    static float gradient() { return 1 + static_cast<float>(chain_length); }
};

struct Tanh {
    template <class Tensor>
    static Tensor link(const Tensor& y, const Tensor&) {
        return tanh(y);
    }
    static constexpr float parameter = 0.5f;
    // y(p) = tanh(tanh(... p)), y' = the product of 1 - tanh².
    static float value() { return iterate().first; }
    static float gradient() { return iterate().second; }
    static std::pair<float, float> iterate() {
        double y = parameter;
        double slope = 1.0;
        for (std::size_t i = 0; i < chain_length; ++i) {
            y = std::tanh(y);
            slope *= 1.0 - y * y;
        }
        return {static_cast<float>(y), static_cast<float>(slope)};
    }
};

enum class Phase { record, record_and_drop, replay };

template <class F>
double seconds(F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool close(float a, float b) { return std::abs(a - b) <= 1e-3f * std::abs(b); }

// Times one phase of chain_length links; the others run beside the clock.
template <class Engine, class Link>
void chain(benchmark::State& state, Phase phase) {
    using Tensor = typename Engine::Tensor;
    const Tensor p = Engine::parameter(Link::parameter);
    for (auto _ : state) {
        std::optional<Tensor> y;
        const double recording = seconds([&] {
            y = p;
            for (std::size_t i = 0; i < chain_length; ++i) {
                y = Link::link(*y, p);
            }
        });
        if (phase == Phase::replay) {
            Engine::zero_gradient(p);
            state.SetIterationTime(seconds([&] { y->backward(); }));
            if (!close(Engine::gradient(p), Link::gradient())) {
                state.SkipWithError("a wrong gradient");
                break;
            }
        } else {
            if (!close(Engine::value(*y), Link::value())) {
                state.SkipWithError("a wrong value");
                break;
            }
            const double dropping = seconds([&] { y.reset(); });
            state.SetIterationTime(phase == Phase::record ? recording : recording + dropping);
        }
    }
}

constexpr double most_ns = 100.0;  // to record an op, and to replay it

struct Row {
    std::string name;
    Phase phase;
    double most_of_sketch;  // what xtape may take, as a multiple of the sketch's time; 0 if the sketch has no such op
};

// Registers one phase of one kind of chain for both engines.
template <class Link, bool in_sketch = true>
Row row(std::string name, Phase phase, double most_of_sketch) {
    const auto add = [&](const char* engine, auto function) {
        benchmark::RegisterBenchmark((name + engine).c_str(), function)->UseManualTime()->MinTime(0.01);
    };
    add("/xtape", [phase](benchmark::State& state) { chain<Xtape, Link>(state, phase); });
    if constexpr (in_sketch) {
        add("/sketch", [phase](benchmark::State& state) { chain<Sketch, Link>(state, phase); });
    }
    return {std::move(name), phase, in_sketch ? most_of_sketch : 0.0};
}

// Keeps the best repetition of each benchmark, in nanoseconds per op.
class BestOf : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.error_occurred) {
                errors_.insert(run.run_name.function_name + ": " + run.error_message);
            } else if (run.run_type == Run::RT_Iteration) {
                const double ns = run.real_accumulated_time / static_cast<double>(run.iterations) / chain_length * 1e9;
                const auto [entry, is_first] = best_.try_emplace(run.run_name.function_name, ns);
                entry->second = std::min(entry->second, ns);
            }
        }
    }
    [[nodiscard]] std::optional<double> operator[](const std::string& name) const {
        const auto entry = best_.find(name);
        return entry == best_.end() ? std::nullopt : std::optional(entry->second);
    }
    [[nodiscard]] const std::set<std::string>& errors() const { return errors_; }

private:
    std::map<std::string, double> best_;
    std::set<std::string> errors_;
};

// Prints the rows that ran; false if one is over its limit.
bool print_rows(const std::vector<Row>& rows, const BestOf& best) {
    bool passed = true;
    fmt::print("{:<24} {:>9} {:>9} {:>7} {:>7}\n", "ns an op", "xtape", "sketch", "ratio", "limit");
    for (const Row& row : rows) {
        const std::optional<double> xtape = best[row.name + "/xtape"];
        const std::optional<double> sketch = best[row.name + "/sketch"];
        if (!xtape) {
            continue;
        }
        std::string verdict;
        if (row.phase != Phase::record_and_drop && *xtape > most_ns) {
            verdict += fmt::format("  TOO SLOW: more than {} ns", most_ns);
        }
        if (sketch && *xtape > row.most_of_sketch * *sketch) {
            verdict += fmt::format("  TOO SLOW: more than {} sketches", row.most_of_sketch);
        }
        passed = passed && verdict.empty();
        fmt::print("{:<24} {:>9.1f} {:>9} {:>7} {:>7}{}\n", row.name, *xtape,
                   sketch ? fmt::format("{:.1f}", *sketch) : "", sketch ? fmt::format("{:.2f}", *xtape / *sketch) : "",
                   sketch ? fmt::format("{:.0f}", row.most_of_sketch) : "", verdict);
    }
    return passed;
}

std::size_t resident_bytes() {
    std::size_t total = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// A chain of a million additions, twice: with fresh memory, and with the pool's.
bool print_long_chain() {
    constexpr std::size_t length = 1'000'000;
    bool right = true;
    fmt::print("\n{:<24} {:>9} {:>9} {:>9} {:>12} {:>14}\n", "1,000,000 additions", "record/s", "replay/s", "drop/s",
               "bytes/node", "resident/node");
    const Xtape::Tensor p = Xtape::parameter(1.0f);
    for (const char* run : {"fresh memory", "warm pool"}) {
        const std::size_t nodes_before = Xtape::nodes();
        const std::size_t resident_before = resident_bytes();
        std::optional<Xtape::Tensor> y(p);
        const double record = seconds([&] {
            for (std::size_t i = 0; i < length; ++i) {
                y = *y + p;
            }
        });
        const std::size_t nodes = Xtape::nodes() - nodes_before;
        const double bytes = static_cast<double>(xtape::tape().bytes()) / length;
        const double resident = (static_cast<double>(resident_bytes()) - static_cast<double>(resident_before)) / length;
        p.zero_grad();
        const double replay = seconds([&] { y->backward(); });
        const double drop = seconds([&] { y.reset(); });
        right = right && nodes == length && Xtape::nodes() == nodes_before && p.grad().item() == length + 1.0f;
        fmt::print("{:<24} {:>9.3f} {:>9.3f} {:>9.3f} {:>12.0f} {:>14.0f}\n", run, record, replay, drop, bytes,
                   std::max(resident, 0.0));
    }
    if (!right) {
        fmt::print("WRONG: the chain's nodes or its gradient are not what they must be\n");
    }
    return right;
}

}  // namespace

int main(int argc, char** argv) {
    // Repetitions of all benchmarks are mixed, so that whatever slows the machine down strikes both engines.
    std::vector<std::string> arguments = {argv[0], "--benchmark_repetitions=15",
                                          "--benchmark_enable_random_interleaving=true"};
    arguments.insert(arguments.end(), argv + 1, argv + argc);
    std::vector<char*> pointers;
    std::ranges::transform(arguments, std::back_inserter(pointers), [](std::string& s) { return s.data(); });
    int count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) {
        return EXIT_FAILURE;
    }
    const std::vector<Row> rows = {
        row<Add>("record +", Phase::record, 10.0),
        row<Add>("record and drop +", Phase::record_and_drop, 10.0),
        row<Add>("replay +", Phase::replay, 3.0),
        row<Multiply>("record *", Phase::record, 10.0),
        row<Multiply>("record and drop *", Phase::record_and_drop, 10.0),
        row<Multiply>("replay *", Phase::replay, 3.0),
        row<Tanh, false>("record tanh", Phase::record, 0.0),
        row<Tanh, false>("replay tanh", Phase::replay, 0.0),
    };
    BestOf best;
    benchmark::RunSpecifiedBenchmarks(&best);
    for (const std::string& error : best.errors()) {
        fmt::print("FAILED: {}\n", error);
    }
    const bool fast = print_rows(rows, best);
    const bool right = print_long_chain();
    return fast && right && best.errors().empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}
