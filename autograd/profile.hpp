#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <xtape/autograd/observer.hpp>

namespace xtape {

/// What the calls of one op cost, forward or in the replay.
struct PassProfile {
    std::size_t calls = 0;
    std::chrono::nanoseconds time{0};  ///< without what was recorded or replayed meanwhile, which is counted itself
    std::size_t bytes = 0;  ///< of the values made; in the replay of the gradients that the rule was asked for
};

/// What one op cost, by its name.
struct OpProfile {
    std::string op;
    PassProfile forward;
    PassProfile replay;
};

/// What a ProfileGuard may be asked for.
struct ProfileOptions {
    std::size_t max_events = 1'000'000;  ///< of the trace, 40 bytes each; the table counts what comes later too
};

/// While one lives, it counts the ops that this thread records and the rules that it replays: their calls, time, and
/// bytes.
///
///     ProfileGuard profile;
///     for (auto& [x, y] : loader) {
///         profile.mark();  // loading is not the first op's
///         loss(model(x), y).backward();
///     }
///     fmt::print("{}", profile);
///     std::ofstream("trace.json") << profile.chrome_trace();  // for chrome://tracing or ui.perfetto.dev
///
/// The time of a rule is taken around it. An op's time forward is that from the last thing seen on this thread (an op
/// recorded, a rule replayed, `mark()`) to its being recorded: it includes what the program did in between and ops that
/// nothing records, such as those of constants. With an AnomalyGuard about, its checks are counted in part. A guard
/// must end on the thread that it began on.
class ProfileGuard final : public Observer {
public:
    explicit ProfileGuard(ProfileOptions options = {});

    /// The next op's time begins now.
    void mark() noexcept { last_ = Clock::now(); }

    /// All ops, the costliest first.
    [[nodiscard]] std::vector<OpProfile> ops() const;
    /// They as a table, with a line of sums.
    [[nodiscard]] std::string table() const;
    /// Every call as a "complete" event of the Trace Event Format, a JSON object; times in microseconds since the
    /// guard's beginning. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
    [[nodiscard]] std::string chrome_trace() const;

    void recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs) override;
    void replay(const RuleRun& run) override;

private:
    using Clock = std::chrono::steady_clock;
    struct Costs {
        PassProfile forward;
        PassProfile replay;
    };
    using ByOp = std::map<std::string, Costs, std::less<>>;
    struct Event {
        const ByOp::value_type* op;
        Clock::time_point begin;
        Clock::time_point end;
        std::size_t bytes;
        bool is_replay;
    };
    [[nodiscard]] ByOp::value_type& costs_of(const Node& node);
    void add(ByOp::value_type& op, bool is_replay, Clock::time_point begin, std::size_t bytes);

    ProfileOptions options_;
    int thread_;  // the system's number of it
    ByOp by_op_;
    std::vector<Event> events_;
    std::size_t dropped_events_ = 0;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point last_ = begin_;
    Clock::duration within_{0};  // the running rule: what was counted otherwise
};

}  // namespace xtape

/// `fmt::print("{}", profile)` prints the table.
template <>
struct fmt::formatter<xtape::ProfileGuard> : fmt::formatter<std::string> {
    template <class Context>
    auto format(const xtape::ProfileGuard& profile, Context& context) const {
        return fmt::formatter<std::string>::format(profile.table(), context);
    }
};
