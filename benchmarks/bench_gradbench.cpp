// Gradients of GradBench's evals on one thread: xtape, as benchmarks/gradbench writes them, against programs written by
// hand (handwritten_gradbench.hpp) and, where they are installed, ADOL-C and Sacado (peer_gradbench.hpp). First all
// must agree; then they are timed in turn.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "figures.hpp"
#include "gradbench/gmm.hpp"
#include "gradbench/kmeans.hpp"
#include "gradbench/llsq.hpp"
#include "gradbench/lse.hpp"
#include "gradbench/lstm.hpp"
#include "handwritten_gradbench.hpp"
#include "options.hpp"
#include "peer_gradbench.hpp"

// OpenBLAS has it; with another BLAS the figures are for as many threads as that takes.
namespace {

using namespace xtape;
using bench::GradbenchProgram;
using gradbench::Json;
using Gradients = std::vector<Tensor<double>>;

struct Contest {
    std::string name;
    double target;  // xtape's time over the hand-written program's
    std::function<Gradients()> differentiate;
    std::function<void(const GradbenchProgram&, double*)> differentiate_by;  // the same, one after the other
    bool too_large_for_scalars = false;  // where a tape of scalar operations would take more memory than many have
};

/// Random inputs such as the evals make for themselves.
class Inputs {
public:
    Json normal(std::size_t count) { return numbers(count, std::normal_distribution<double>()); }
    Json uniform(std::size_t count) { return numbers(count, std::uniform_real_distribution<double>()); }
    Json bits(std::size_t count) { return numbers(count, std::bernoulli_distribution()); }
    static Json rows(std::size_t count, const std::function<Json()>& row) {
        Json all = Json::array();
        for (std::size_t i = 0; i < count; ++i) {
            all.push_back(row());
        }
        return all;
    }

private:
    template <class Distribution>
    Json numbers(std::size_t count, Distribution distribution) {
        return rows(count, [&] { return Json(static_cast<double>(distribution(generator_))); });
    }

    std::mt19937_64 generator_{31337};
};

Contest gmm_contest(std::size_t d, std::size_t k, double target) {
    constexpr std::size_t n = 1000;
    Inputs in;
    const gradbench::gmm::Input input(Json{{"x", in.rows(n, [&] { return in.normal(d); })},
                                           {"alpha", in.normal(k)},
                                           {"mu", in.rows(k, [&] { return in.uniform(d); })},
                                           {"q", in.rows(k, [&] { return in.normal(d); })},
                                           {"l", in.rows(k, [&] { return in.normal(d * (d - 1) / 2); })},
                                           {"m", 0},
                                           {"gamma", 1.0}});
    const auto by_program = [=](const GradbenchProgram& program, double* out) {
        const auto& [alpha, mu, q, l] = input.parameters;
        program.gmm({n, d, k, input.m, input.gamma, alpha.data(), mu.data(), q.data(), l.data(), input.x.data()}, out,
                    out + k, out + k + k * d, out + k + 2 * k * d);
    };
    const auto by_xtape = [=] {
        const auto g = gradbench::gmm::jacobian(input);
        return Gradients{g.alpha, g.mu, g.q, g.l};
    };
    return {fmt::format("gmm d={} k={} n={}", d, k, n), target, by_xtape, by_program, n * k * d * d > 30'000'000};
}

Contest lse_contest(std::size_t n, double target) {
    const gradbench::lse::Input input(Json{{"x", Inputs().uniform(n)}});
    return {fmt::format("lse n={}", n), target, [=] { return Gradients{gradbench::lse::gradient(input)}; },
            [=](const GradbenchProgram& program, double* out) { program.lse(input.x.data(), n, out); }};
}

Contest kmeans_contest(std::size_t n, std::size_t k, std::size_t d, double target) {
    Inputs in;
    const Json points = in.rows(n, [&] { return in.uniform(d); });
    // The last points, so that no centroid is without one.
    const Json centroids(std::vector<Json>(points.end() - static_cast<std::ptrdiff_t>(k), points.end()));
    const gradbench::kmeans::Input input(Json{{"points", points}, {"centroids", centroids}});
    return {fmt::format("kmeans n={} k={} d={}", n, k, d), target,
            [=] { return Gradients{gradbench::kmeans::direction(input)}; },
            [=](const GradbenchProgram& program, double* out) {
                program.kmeans(input.points.data(), input.centroids.data(), n, k, d, out);
            }};
}

Contest llsq_contest(std::size_t n, std::size_t m, double target) {
    const gradbench::llsq::Input input(Json{{"x", Inputs().uniform(m)}, {"n", n}});
    return {fmt::format("llsq n={} m={}", n, m), target, [=] { return Gradients{gradbench::llsq::gradient(input)}; },
            [=](const GradbenchProgram& program, double* out) { program.llsq(input.x.data(), m, n, out); }};
}

Contest lstm_contest(std::size_t layers, std::size_t characters, std::size_t bits, double target) {
    Inputs in;
    const gradbench::lstm::Input input(Json{{"main_params", in.rows(2 * layers, [&] { return in.uniform(4 * bits); })},
                                            {"extra_params", in.rows(3, [&] { return in.uniform(bits); })},
                                            {"state", in.rows(2 * layers, [&] { return in.uniform(bits); })},
                                            {"sequence", in.rows(characters, [&] { return in.bits(bits); })}});
    return {fmt::format("lstm l={} c={} b={}", layers, characters, bits), target,
            [=] { return Gradients{gradbench::lstm::jacobian(input)}; },
            [=](const GradbenchProgram& program, double* out) {
                program.lstm({layers, characters, bits, input.main.data(), input.extra.data(), input.state.data(),
                              input.sequence.data()},
                             out);
            }};
}

std::vector<std::pair<std::string, std::function<Contest()>>> all_contests() {
    return {{"gmm d=10 k=10", [] { return gmm_contest(10, 10, 1.0); }},
            {"gmm d=32 k=25", [] { return gmm_contest(32, 25, 0.5); }},
            {"gmm d=64 k=50", [] { return gmm_contest(64, 50, 0.3); }},
            {"lse", [] { return lse_contest(1'000'000, 0.5); }},
            {"kmeans", [] { return kmeans_contest(10'000, 100, 16, 1.0); }},
            {"llsq", [] { return llsq_contest(16'392, 128, 1.0); }},
            {"lstm", [] { return lstm_contest(2, 1024, 14, 0.4); }}};
}

/// What the programs disagree on, empty if nothing: differences are relative to the largest element of a gradient.
std::string disagreement(const Contest& contest, const GradbenchProgram& program) {
    constexpr double tolerance = 1e-8;
    const Gradients gradients = contest.differentiate();
    std::size_t size = 0;
    for (const Tensor<double>& gradient : gradients) {
        size += gradient.size();
    }
    std::vector<double> by_hand(size, std::numeric_limits<double>::quiet_NaN());
    contest.differentiate_by(program, by_hand.data());
    const double* expected = by_hand.data();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        double largest = 0.0;
        double difference = 0.0;
        for (std::size_t j = 0; j < gradients[i].size(); ++j, ++expected) {
            const double apart = std::abs(gradients[i].data()[j] - *expected);
            if (!std::isfinite(apart)) {
                return fmt::format("element {} of gradient {} is {} and there {}", j, i, gradients[i].data()[j],
                                   *expected);
            }
            difference = std::max(difference, apart);
            largest = std::max(largest, std::abs(*expected));
        }
        if (difference > tolerance * largest) {
            return fmt::format("gradient {}: relative difference {:.2g}", i, difference / largest);
        }
    }
    return {};
}

/// A library of automatic differentiation by scalars; the program is null where it is not installed.
struct Peer {
    const char* name;
    const GradbenchProgram* program;
    [[nodiscard]] bool takes_part_in(const Contest& contest) const {
        return program != nullptr && !contest.too_large_for_scalars;
    }
};

const std::vector<Peer>& peers() {
    static const std::vector<Peer> all = {{"ADOL-C", bench::adolc_gradbench()}, {"Sacado", bench::sacado_gradbench()}};
    return all;
}

bool agree(const Contest& contest) {
    std::vector<Peer> others = {{"by hand", &bench::handwritten_gradbench},
                                {"by hand with -ffast-math", &bench::handwritten_gradbench_fast}};
    std::ranges::copy_if(peers(), std::back_inserter(others),
                         [&](const Peer& peer) { return peer.takes_part_in(contest); });
    for (const Peer& other : others) {
        const std::string what = disagreement(contest, *other.program);
        if (!what.empty()) {
            fmt::print("{:<26} DIFFERENT RESULTS from {}: {}\n", contest.name, other.name, what);
            return false;
        }
    }
    return true;
}

/// Milliseconds that a peer takes, in its best of a few runs: none takes less than xtape, most many times as much.
double milliseconds(const Peer& peer, const Contest& contest, double* out, const bench::Options& options) {
    bench::Effort effort = options.effort();
    effort.fewest_rounds = std::min<std::size_t>(effort.fewest_rounds, 3);
    effort.budget /= 3;
    const std::vector<std::function<void()>> program = {[&] { contest.differentiate_by(*peer.program, out); }};
    return bench::best_in_turn(program, effort)[0] * 1e3;
}

/// Prints one row; false if the programs differ or the target is missed.
bool run(const Contest& contest, const bench::Options& options, bench::Figures& figures) {
    if (!agree(contest)) {
        return false;
    }
    std::size_t size = 0;
    for (const Tensor<double>& gradient : contest.differentiate()) {
        size += gradient.size();
    }
    std::vector<double> out(size);
    const std::vector<std::function<void()>> programs = {
        [&] { contest.differentiate_by(bench::handwritten_gradbench, out.data()); }, [&] { contest.differentiate(); },
        [&] { contest.differentiate_by(bench::handwritten_gradbench_fast, out.data()); }};
    const std::vector<double> taken = bench::best_in_turn(programs, options.effort());
    const double ratio = taken[1] / taken[0];
    const bool met = ratio <= contest.target;
    fmt::print("{:<26} {:>10.3f} {:>10.3f} {:>7.3f} {:>7.2f} {:<7} {:>11.3f}", contest.name, taken[0] * 1e3,
               taken[1] * 1e3, ratio, contest.target, met ? "met" : "MISSED", taken[2] * 1e3);
    std::fflush(stdout);
    figures.at_most(contest.target, contest.name + ": over by hand", ratio);
    figures.note(contest.name + ", by hand", taken[0] * 1e3, "ms");
    figures.note(contest.name + ", by hand with -ffast-math", taken[2] * 1e3, "ms");
    figures.note(contest.name + ", xtape", taken[1] * 1e3, "ms");
    for (const Peer& peer : peers()) {
        std::string column;
        if (peer.takes_part_in(contest)) {
            const double ms = milliseconds(peer, contest, out.data(), options);
            figures.note(fmt::format("{}, {}", contest.name, peer.name), ms, "ms");
            column = fmt::format("{:.3f}", ms);
        }
        fmt::print(" {:>10}", column);
        std::fflush(stdout);
    }
    fmt::print("\n");
    return options.accept(met);
}

constexpr const char* usage = R"(usage: bench_gradbench [OPTION...]

Times gradients of GradBench's evals on one thread, xtape against programs written by hand, in turn in one run, after
checking that all give the same to 1e-8 of the largest element; and ADOL-C and Sacado, where they are installed, recording
anew at each call as xtape does (not gmm d=64: their tapes would take many gigabytes).

  --check           only check that all give the same
  --seconds S       how long to time an eval (3)
  --only SUBSTRING  only evals whose name contains it, such as gmm

"-ffast-math" is the hand-written program compiled with that beside GradBench's own flags; the targets are set for those.
Fails if results differ or a target is missed.)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 3.0});
    xtape::set_num_threads(1);
    auto contests = all_contests();
    std::erase_if(contests, [&](const auto& contest) { return contest.first.find(options.only) == std::string::npos; });
    if (contests.empty()) {
        fmt::print("no eval's name contains \"{}\"\n", options.only);
        return EXIT_FAILURE;
    }
    if (!options.check_only) {
        fmt::print("{:<26} {:>10} {:>10} {:>7} {:>7} {:<7} {:>11}", "gradient", "by hand/ms", "xtape/ms", "ratio",
                   "target", "", "-ffast-math");
        for (const Peer& peer : peers()) {
            fmt::print(" {:>10}", peer.program != nullptr ? peer.name : "");
        }
        fmt::print("\n");
    }
    bench::Figures figures("gradbench", options.json);
    bool passed = true;
    for (const auto& [name, make] : contests) {
        const Contest contest = make();
        passed = (options.check_only ? agree(contest) : run(contest, options, figures)) && passed;
    }
    if (options.check_only) {
        fmt::print("{} evals checked\n", contests.size());
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
