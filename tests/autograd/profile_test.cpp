// ProfileGuard: what it counts, its table, and its trace as chrome://tracing reads it.

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd.hpp>
#include <xtape/autograd/anomaly.hpp>
#include <xtape/autograd/inner_recording.hpp>
#include <xtape/autograd/profile.hpp>

#include "expect.hpp"

using namespace xtape;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

OpProfile of(const ProfileGuard& profile, const std::string& name) {
    for (OpProfile& op : profile.ops()) {
        if (op.op == name) {
            return op;
        }
    }
    return {};
}

using Clock = std::chrono::steady_clock;

std::chrono::nanoseconds sum_of_times(const ProfileGuard& profile) {
    std::chrono::nanoseconds sum{0};
    for (const OpProfile& op : profile.ops()) {
        sum += op.forward.time + op.replay.time;
    }
    return sum;
}

// A loss of x, of shape (4, 3), by tanh twice, multiply and sum once.
Tensor<double> loss(const Tensor<double>& x) { return sum(tanh(tanh(x)) * x); }

// An op that takes a while in each direction.
Tensor<double> slow(const Tensor<double>& x, std::chrono::milliseconds forward, std::chrono::milliseconds replay) {
    std::this_thread::sleep_for(forward);
    return custom("slow", x, {x}, [replay](const Tensor<double>& g) {
        std::this_thread::sleep_for(replay);
        return std::vector{g * 2.0};
    });
}

}  // namespace

TEST_CASE("calls and bytes are counted by op, forward and in the replay") {
    const auto x = parameter(ones<double>({4, 3}));
    const ProfileGuard profile;
    for (int i = 0; i < 2; ++i) {
        loss(x).backward();
    }
    CHECK(profile.ops().size() == 3);
    CHECK(of(profile, "tanh").forward.calls == 4);
    CHECK(of(profile, "tanh").forward.bytes == 4 * 12 * sizeof(double));
    CHECK(of(profile, "tanh").replay.calls == 4);
    CHECK(of(profile, "tanh").replay.bytes == 4 * 12 * sizeof(double));
    CHECK(of(profile, "multiply").forward.bytes == 2 * 12 * sizeof(double));
    CHECK(of(profile, "multiply").replay.bytes == 2 * 2 * 12 * sizeof(double));  // both inputs want a gradient
    CHECK(of(profile, "sum").forward.calls == 2);
    CHECK(of(profile, "sum").forward.bytes == 2 * sizeof(double));
    CHECK(of(profile, "sum").replay.bytes == 2 * 12 * sizeof(double));
}

TEST_CASE("gradients that nobody wants are no bytes of a replay") {
    const auto x = parameter(ones<float>({4, 3}));
    const ProfileGuard profile;
    sum(x * full<float>({4, 3}, 2.0)).backward();
    CHECK(of(profile, "multiply").replay.bytes == 12 * sizeof(float));
}

// How long something takes at most is the machine's matter; that nothing is counted twice is not.
TEST_CASE("the time of a rule is its own, that of an op goes back to what was seen last") {
    const auto x = parameter(1.0);
    const auto begin = Clock::now();
    const ProfileGuard profile;
    sum(tanh(slow(x, 20ms, 30ms))).backward();
    const auto whole = Clock::now() - begin;
    CHECK(of(profile, "slow").forward.time >= 20ms);
    CHECK(of(profile, "slow").replay.time >= 30ms);
    CHECK(sum_of_times(profile) <= whole);
}

TEST_CASE("what lies before a mark is nobody's time") {
    const auto x = parameter(1.0);
    const auto begin = Clock::now();
    ProfileGuard profile;
    for (int step = 0; step < 2; ++step) {
        std::this_thread::sleep_for(20ms);
        profile.mark();
        tanh(x).backward();
    }
    CHECK(sum_of_times(profile) <= Clock::now() - begin - 40ms);
}

TEST_CASE("what a rule records and replays meanwhile is not counted as the rule's too") {
    const auto x = parameter(ones<double>({3}));
    ProfileGuard profile;
    const auto y = sum(checkpoint([](const Tensor<double>& v) { return slow(tanh(v), 20ms, 20ms); }, x));
    const auto before = sum_of_times(profile);
    profile.mark();
    const auto begin = Clock::now();
    y.backward();
    CHECK(sum_of_times(profile) - before <= Clock::now() - begin);
    CHECK(of(profile, "checkpoint").replay.calls == 1);
    CHECK(of(profile, "slow").forward.time >= 40ms);  // run again by the replay
    CHECK(of(profile, "slow").replay.time >= 20ms);
}

TEST_CASE("the ops come by their time, and the table has a line for each and one of sums") {
    const auto x = parameter(ones<double>({4, 3}));
    ProfileGuard profile;
    sum(tanh(slow(x, 5ms, 5ms))).backward();
    const auto ops = profile.ops();
    CHECK(std::ranges::is_sorted(ops, std::greater(),
                                 [](const OpProfile& op) { return op.forward.time + op.replay.time; }));
    std::istringstream lines(fmt::format("{}", profile));
    std::vector<std::string> table;
    for (std::string line; std::getline(lines, line);) {
        table.push_back(line);
        CHECK(line.size() == table.front().size());
    }
    REQUIRE(table.size() == ops.size() + 2);
    CHECK(table[0].starts_with("op "));
    for (std::size_t i = 0; i < ops.size(); ++i) {
        CHECK(table[i + 1].starts_with(ops[i].op + " "));
    }
    std::istringstream sums(table.back());
    std::string name;
    std::size_t forward_calls = 0;
    std::size_t forward_bytes = 0;
    std::size_t replay_calls = 0;
    std::size_t replay_bytes = 0;
    double forward_ms = 0.0;
    double replay_ms = 0.0;
    sums >> name >> forward_calls >> forward_ms >> forward_bytes >> replay_calls >> replay_ms >> replay_bytes;
    CHECK(name == "total");
    CHECK(forward_calls == 3);
    CHECK(forward_bytes == (12 + 12 + 1) * sizeof(double));
    CHECK(forward_ms >= 5.0);
    CHECK(replay_calls == 3);
    CHECK(replay_bytes == 3 * 12 * sizeof(double));
    CHECK(replay_ms >= 5.0);
}

TEST_CASE("the trace is JSON of complete events, one a call, which nest or follow each other") {
    const auto x = parameter(ones<double>({4, 3}));
    ProfileGuard profile;
    const auto y = sum(checkpoint([](const Tensor<double>& v) { return tanh(tanh(v)); }, x));
    y.backward();
    const json trace = json::parse(profile.chrome_trace());
    CHECK(trace["otherData"]["dropped_events"] == 0);
    std::size_t calls = 0;
    for (const OpProfile& op : profile.ops()) {
        calls += op.forward.calls + op.replay.calls;
    }
    const json& events = trace["traceEvents"];
    REQUIRE(events.is_array());
    CHECK(events.size() == calls);
    for (const json& event : events) {
        CHECK(event["ph"] == "X");
        CHECK(event["name"].is_string());
        CHECK((event["cat"] == "forward" || event["cat"] == "replay"));
        CHECK(event["ts"].is_number());
        CHECK(event["ts"].get<double>() >= 0.0);
        CHECK(event["dur"].get<double>() >= 0.0);
        CHECK(event["pid"].is_number_integer());
        CHECK(event["tid"] == events[0]["tid"]);
        CHECK(event["args"]["bytes"].is_number_unsigned());
    }
    const auto span_of = [](const json& event) {
        const double begin = event["ts"].get<double>();
        return std::pair(begin, begin + event["dur"].get<double>());
    };
    constexpr double rounding = 0.002;
    for (std::size_t i = 0; i < events.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const auto [a, a_end] = span_of(events[i]);
            const auto [b, b_end] = span_of(events[j]);
            const bool apart = a_end <= b + rounding || b_end <= a + rounding;
            const bool nested =
                (a <= b + rounding && b_end <= a_end + rounding) || (b <= a + rounding && a_end <= b_end + rounding);
            CHECK((apart || nested));
        }
    }
}

TEST_CASE("names of the user's come out of the trace as they went in") {
    const std::string name = "a \"quoted\"\\ name\n\twith\x01 \xC3\xA9";
    const auto x = parameter(1.0);
    ProfileGuard profile;
    custom(name, x, {x}, [](const Tensor<double>& g) { return std::vector{g}; }).backward();
    const json trace = json::parse(profile.chrome_trace());
    CHECK(trace["traceEvents"].back()["name"] == name);
}

TEST_CASE("beyond max_events the table goes on and the trace says how many it lacks") {
    const auto x = parameter(1.0);
    const ProfileGuard profile({.max_events = 3});
    for (int i = 0; i < 4; ++i) {
        tanh(x).backward();
    }
    const json trace = json::parse(profile.chrome_trace());
    CHECK(trace["traceEvents"].size() == 3);
    CHECK(trace["otherData"]["dropped_events"] == 5);
    CHECK(of(profile, "tanh").forward.calls == 4);
}

TEST_CASE("a profile of nothing is a table and a trace of nothing") {
    const ProfileGuard profile;
    CHECK(profile.ops().empty());
    CHECK(json::parse(profile.chrome_trace())["traceEvents"] == json::array());
    CHECK(std::ranges::count(profile.table(), '\n') == 2);
}

TEST_CASE("a transform's mark on the tape is no op") {
    const ProfileGuard profile;
    { const InnerRecording mark; }
    CHECK(profile.ops().empty());
}

TEST_CASE("guards nest: each counts what happened while it lived, whichever ends first") {
    const auto x = parameter(ones<double>({4, 3}));
    auto outer = std::make_unique<ProfileGuard>();
    loss(x).backward();
    const AnomalyGuard anomaly;
    auto inner = std::make_unique<ProfileGuard>();
    loss(x).backward();
    CHECK(of(*outer, "tanh").forward.calls == 4);
    CHECK(of(*outer, "tanh").replay.calls == 4);
    CHECK(of(*inner, "tanh").forward.calls == 2);
    CHECK(of(*inner, "tanh").replay.calls == 2);
    outer.reset();
    loss(x).backward();
    CHECK(of(*inner, "tanh").replay.calls == 4);
}

TEST_CASE("a profile of a thread knows nothing of others") {
    const ProfileGuard profile;
    std::thread([] { tanh(parameter(1.0)).backward(); }).join();
    CHECK(profile.ops().empty());
}

TEST_CASE("under a profile, gradients are the same numbers") {
    const auto run = [] {
        const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
        loss(x).backward();
        return expect::elements(x.grad());
    };
    const auto expected = run();
    const ProfileGuard profile;
    CHECK(run() == expected);
}

TEST_CASE("a rule that throws goes through a profile, which counts on") {
    const auto x = parameter(1.0);
    const ProfileGuard profile;
    const auto y =
        custom("thrower", x, {x}, [](const Tensor<double>&) -> std::vector<Tensor<double>> { throw ValueError("no"); });
    CHECK_THROWS_WITH_AS(y.backward(), "no", ValueError);
    CHECK_FALSE(x.has_grad());
    CHECK(of(profile, "thrower").replay.calls == 0);
    tanh(x).backward();
    CHECK(of(profile, "tanh").replay.calls == 1);
}
