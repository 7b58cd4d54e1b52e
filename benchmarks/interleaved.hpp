#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace xtape::bench {

/// Seconds that `f` takes, called `calls` times.
template <class F>
double seconds(F&& f, std::size_t calls = 1) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < calls; ++i) {
        f();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How long to time programs in turn.
struct Effort {
    double budget;  // seconds, for all of the programs together; the rounds below take place whatever it is
    std::size_t fewest_rounds = 7;
    double round_seconds = 5e-3;  // of one program: short ones are called several times a round
};

/// Times programs in turn, round after round, so that whatever slows the machine down strikes all of them, and returns
/// for each the seconds a call took in its best round.
inline std::vector<double> best_in_turn(std::span<const std::function<void()>> programs, const Effort& effort) {
    constexpr std::size_t most_calls = 1 << 20;

    std::vector<std::size_t> calls;
    for (const auto& program : programs) {
        program();
        std::size_t n = 1;
        while (seconds(program, n) < effort.round_seconds / 2 && n < most_calls) {
            n *= 2;
        }
        calls.push_back(n);
    }
    std::vector<double> best(programs.size(), std::numeric_limits<double>::infinity());
    double spent = 0.0;
    for (std::size_t round = 0; round < effort.fewest_rounds || spent < effort.budget; ++round) {
        for (std::size_t i = 0; i < programs.size(); ++i) {
            const double taken = seconds(programs[i], calls[i]);
            best[i] = std::min(best[i], taken / static_cast<double>(calls[i]));
            spent += taken;
        }
    }
    return best;
}

}  // namespace xtape::bench
