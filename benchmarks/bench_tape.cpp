// What a node costs: one-element ops recorded, replayed and dropped, in xtape, in the bare sketch of its design
// (tape_sketch.hpp) and in libtorch where it is installed, interleaved in one run; and a chain of a million additions.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>

#include "figures.hpp"
#include "options.hpp"
#include "peer_libtorch.hpp"
#include "tape_sketch.hpp"

namespace {

using xtape::bench::seconds;

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
    static constexpr auto in_libtorch = xtape::bench::Link::add;
    static constexpr float parameter = 0.5f;
    static float value() { return parameter * (1 + static_cast<float>(chain_length)); }
    static float gradient() { return 1 + static_cast<float>(chain_length); }
};

struct Multiply {
    template <class Tensor>
    static Tensor link(const Tensor& y, const Tensor& p) {
        return y * p;
    }
    static constexpr auto in_libtorch = xtape::bench::Link::multiply;
    static constexpr float parameter = 1.0f;
    static float value() { return 1.0f; }
    static float gradient() { return 1 + static_cast<float>(chain_length); }
};

struct Tanh {
    template <class Tensor>
    static Tensor link(const Tensor& y, const Tensor&) {
        return tanh(y);
    }
    static constexpr auto in_libtorch = xtape::bench::Link::tanh;
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

// The same in libtorch.
template <class Link>
void libtorch_chain(benchmark::State& state, Phase phase) {
    const auto chain = xtape::bench::make_libtorch_chain(Link::in_libtorch, Link::parameter);
    for (auto _ : state) {
        const double recording = seconds([&] { chain->record(chain_length); });
        const bool right = close(chain->value(), Link::value());
        const double next = seconds([&] { phase == Phase::replay ? chain->replay() : chain->drop(); });
        if (!right || (phase == Phase::replay && !close(chain->gradient(), Link::gradient()))) {
            state.SkipWithError("a wrong result");
            break;
        }
        state.SetIterationTime(phase == Phase::replay ? next : phase == Phase::record ? recording : recording + next);
    }
}

constexpr double most_ns = 100.0;   // to record an op, and to replay it
constexpr double target_ns = 50.0;  // what is aimed at
constexpr double slack = 1.3;       // how far over a target a ratio may be, and is explained in docs/measured.md

struct Row {
    std::string name;
    Phase phase;
    double most_of_sketch;  // what xtape may take, as a multiple of the sketch's time; 0 if the sketch has no such op
};

// Registers one phase of one kind of chain for all engines.
template <class Link, bool in_sketch = true>
Row row(std::string name, Phase phase, double most_of_sketch, const xtape::bench::Options& options) {
    const auto add = [&](const char* engine, auto function) {
        auto* added = benchmark::RegisterBenchmark((name + engine).c_str(), function)->UseManualTime();
        options.quick ? added->Iterations(1) : added->MinTime(0.01);
    };
    add("/xtape", [phase](benchmark::State& state) { chain<Xtape, Link>(state, phase); });
    if constexpr (in_sketch) {
        add("/sketch", [phase](benchmark::State& state) { chain<Sketch, Link>(state, phase); });
    }
    if (!xtape::bench::libtorch_version().empty()) {
        add("/libtorch", [phase](benchmark::State& state) { libtorch_chain<Link>(state, phase); });
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
bool print_rows(const std::vector<Row>& rows, const BestOf& best, xtape::bench::Figures& figures) {
    bool passed = true;
    fmt::print("{:<24} {:>9} {:>9} {:>7} {:>7} {:>9}\n", "ns an op", "xtape", "sketch", "ratio", "target", "libtorch");
    for (const Row& row : rows) {
        const std::optional<double> xtape = best[row.name + "/xtape"];
        const std::optional<double> sketch = best[row.name + "/sketch"];
        const std::optional<double> libtorch = best[row.name + "/libtorch"];
        if (!xtape) {
            continue;
        }
        std::string verdict;
        if (row.phase != Phase::record_and_drop && *xtape > most_ns) {
            verdict += fmt::format("  TOO SLOW: more than {} ns", most_ns);
        }
        if (sketch && *xtape > slack * row.most_of_sketch * *sketch) {
            verdict += fmt::format("  TOO SLOW: more than {} times {} sketches", slack, row.most_of_sketch);
        }
        passed = passed && verdict.empty();
        fmt::print("{:<24} {:>9.1f} {:>9} {:>7} {:>7} {:>9}{}\n", row.name, *xtape,
                   sketch ? fmt::format("{:.1f}", *sketch) : "", sketch ? fmt::format("{:.2f}", *xtape / *sketch) : "",
                   sketch ? fmt::format("{:.1f}", row.most_of_sketch) : "",
                   libtorch ? fmt::format("{:.0f}", *libtorch) : "", verdict);
        if (row.phase == Phase::record_and_drop) {
            figures.note(row.name, *xtape, "ns");
        } else {
            figures.at_most(target_ns, row.name, *xtape, "ns");
        }
        if (sketch) {
            figures.at_most(row.most_of_sketch, row.name + ": over the sketch", *xtape / *sketch);
        }
        if (libtorch) {
            figures.note(row.name + ", libtorch", *libtorch, "ns");
        }
    }
    return passed;
}

std::size_t resident_bytes() {
    std::size_t total = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// A chain of a million additions, twice: with fresh memory, and with the pool's. False if it goes wrong.
bool print_long_chain(std::size_t length, xtape::bench::Figures& figures) {
    bool right = true;
    const std::string chain = fmt::format("chain of {} additions", length);
    const auto links = static_cast<double>(length);
    fmt::print("\n{:<24} {:>9} {:>9} {:>9} {:>12} {:>14}\n", fmt::format("{} additions", length), "record/s",
               "replay/s", "drop/s", "bytes/node", "resident/node");
    const Xtape::Tensor p = Xtape::parameter(1.0f);
    for (const bool warm : {false, true}) {
        const std::size_t nodes_before = Xtape::nodes();
        const std::size_t resident_before = resident_bytes();
        std::optional<Xtape::Tensor> y(p);
        const double record = seconds([&] {
            for (std::size_t i = 0; i < length; ++i) {
                y = *y + p;
            }
        });
        const std::size_t nodes = Xtape::nodes() - nodes_before;
        const double bytes = static_cast<double>(xtape::tape().bytes()) / links;
        const double resident = (static_cast<double>(resident_bytes()) - static_cast<double>(resident_before)) / links;
        p.zero_grad();
        const double replay = seconds([&] { y->backward(); });
        const double drop = seconds([&] { y.reset(); });
        right = right && nodes == length && Xtape::nodes() == nodes_before &&
                p.grad().item() == static_cast<float>(length) + 1.0f;
        fmt::print("{:<24} {:>9.3f} {:>9.3f} {:>9.3f} {:>12.0f} {:>14.0f}\n", warm ? "warm pool" : "fresh memory",
                   record, replay, drop, bytes, std::max(resident, 0.0));
        if (warm) {
            figures.at_most(0.15, chain + ", warm pool: record", record, "s");
            figures.at_most(0.10, chain + ", warm pool: replay", replay, "s");
            figures.at_most(256.0, chain + ": a node", bytes, "bytes");
        } else {
            figures.note(chain + ", fresh memory: record", record, "s");
            figures.note(chain + ", fresh memory: replay", replay, "s");
        }
    }
    if (!right) {
        fmt::print("WRONG: the chain's nodes or its gradient are not what they must be\n");
    }
    return right;
}

// The same in libtorch, for comparison. False if its gradient is wrong.
bool print_long_chain_by_libtorch(std::size_t length, xtape::bench::Figures& figures) {
    const auto chain = xtape::bench::make_libtorch_chain(xtape::bench::Link::add, 1.0f);
    if (!chain) {
        return true;
    }
    const double record = seconds([&] { chain->record(length); });
    const double replay = seconds([&] { chain->replay(); });
    const double drop = seconds([&] { chain->drop(); });
    fmt::print("{:<24} {:>9.3f} {:>9.3f} {:>9.3f}\n", "libtorch", record, replay, drop);
    figures.note(fmt::format("chain of {} additions, libtorch: record", length), record, "s");
    figures.note(fmt::format("chain of {} additions, libtorch: replay", length), replay, "s");
    const bool right = chain->gradient() == static_cast<float>(length) + 1.0f;
    if (!right) {
        fmt::print("WRONG: libtorch's gradient is {}\n", chain->gradient());
    }
    return right;
}

constexpr const char* usage = R"(usage: bench_tape [OPTION...]

Times recording, replaying and dropping one-element ops in chains of 1,000, in nanoseconds an op, beside the same in the
bare sketch of the design (benchmarks/tape_sketch.hpp) and in libtorch where it is installed, interleaved in one run; then
a chain of a million additions.

  --only REGEX      only chains whose name matches, such as "replay"

Recording is to take no more than 5 times as long as the sketch, replaying 1.6 times. Fails if one takes more than 1.3 times
that, or more than 100 ns, or if a result is wrong.)";

}  // namespace

int main(int argc, char** argv) {
    const xtape::bench::Options options = xtape::bench::parse_options(argc, argv, usage, {.budget = 0.0}, false);
    xtape::bench::set_libtorch_threads(1);
    // Repetitions of all benchmarks are mixed, so that whatever slows the machine down strikes all engines.
    std::vector<std::string> arguments = {argv[0],
                                          options.quick ? "--benchmark_repetitions=1" : "--benchmark_repetitions=15",
                                          "--benchmark_enable_random_interleaving=true"};
    if (!options.only.empty()) {
        arguments.push_back("--benchmark_filter=" + options.only);
    }
    std::vector<char*> pointers;
    std::ranges::transform(arguments, std::back_inserter(pointers), [](std::string& s) { return s.data(); });
    int count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    const std::vector<Row> rows = {
        row<Add>("record +", Phase::record, 5.0, options),
        row<Add>("record and drop +", Phase::record_and_drop, 5.0, options),
        row<Add>("replay +", Phase::replay, 1.6, options),
        row<Multiply>("record *", Phase::record, 5.0, options),
        row<Multiply>("record and drop *", Phase::record_and_drop, 5.0, options),
        row<Multiply>("replay *", Phase::replay, 1.6, options),
        row<Tanh, false>("record tanh", Phase::record, 0.0, options),
        row<Tanh, false>("replay tanh", Phase::replay, 0.0, options),
    };
    BestOf best;
    if (benchmark::RunSpecifiedBenchmarks(&best) == 0) {
        return EXIT_FAILURE;
    }
    for (const std::string& error : best.errors()) {
        fmt::print("FAILED: {}\n", error);
    }
    xtape::bench::Figures figures("tape", options.json);
    bool passed = options.accept(print_rows(rows, best, figures)) && best.errors().empty();
    if (options.only.empty()) {
        const std::size_t length = options.quick ? 10'000 : 1'000'000;
        passed = print_long_chain(length, figures) && passed;
        passed = print_long_chain_by_libtorch(length, figures) && passed;
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
