#include <xtape/autograd/profile.hpp>

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>

namespace xtape {
namespace {

double microseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::micro>(time).count(); }

// A name within a JSON string; bytes beyond ASCII are taken for UTF-8.
std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (c == '"' || c == '\\') {
            text += {'\\', c};
        } else if (static_cast<unsigned char>(c) < 0x20) {
            text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            text += c;
        }
    }
    return text;
}

std::size_t bytes_of(DType dtype, const Shape& shape) { return element_count(shape) * bodies::size_of(dtype); }

PassProfile& operator+=(PassProfile& sum, const PassProfile& term) {
    sum.calls += term.calls;
    sum.time += term.time;
    sum.bytes += term.bytes;
    return sum;
}

std::string row(std::string_view name, const PassProfile& forward, const PassProfile& replay, std::size_t width) {
    const auto side = [](const PassProfile& pass) {
        return fmt::format("{:>9} {:>12.3f} {:>14}", pass.calls, microseconds(pass.time) / 1e3, pass.bytes);
    };
    return fmt::format("{:<{}} {} {}\n", name, width, side(forward), side(replay));
}

}  // namespace

ProfileGuard::ProfileGuard(ProfileOptions options) : options_(options), thread_(::gettid()) {}

void ProfileGuard::recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs) {
    add(costs_of(node), false, last_, bytes_of(output.dtype, output.shape));
    Observer::recorded(node, output, inputs);
    mark();
}

void ProfileGuard::replay(const RuleRun& run) {
    Node& node = run.node;
    ByOp::value_type& op = costs_of(node);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < node.input_count; ++i) {
        bytes += run.wants(i) ? bytes_of(node.inputs()[i]->dtype, node.inputs()[i]->shape) : 0;
    }
    const Clock::duration outer = std::exchange(within_, Clock::duration(0));
    mark();
    const Clock::time_point begin = last_;
    try {
        Observer::replay(run);
    } catch (...) {
        within_ = outer;
        mark();
        throw;
    }
    add(op, true, begin, bytes);
    within_ += outer;
    mark();
}

ProfileGuard::ByOp::value_type& ProfileGuard::costs_of(const Node& node) {
    const std::string_view name = node.op->name;
    const auto known = by_op_.find(name);
    return known != by_op_.end() ? *known : *by_op_.try_emplace(std::string(name)).first;
}

// Counts a call that ends now.
void ProfileGuard::add(ByOp::value_type& op, bool is_replay, Clock::time_point begin, std::size_t bytes) {
    const Clock::time_point end = Clock::now();
    const Clock::duration counted = is_replay ? within_ : Clock::duration(0);
    (is_replay ? op.second.replay : op.second.forward) += {.calls = 1, .time = end - begin - counted, .bytes = bytes};
    within_ += end - begin - counted;
    if (events_.size() < options_.max_events) {
        events_.push_back({&op, begin, end, bytes, is_replay});
    } else {
        ++dropped_events_;
    }
}

std::vector<OpProfile> ProfileGuard::ops() const {
    std::vector<OpProfile> list;
    for (const auto& [name, costs] : by_op_) {
        list.push_back({.op = name, .forward = costs.forward, .replay = costs.replay});
    }
    std::ranges::stable_sort(list, std::greater(),
                             [](const OpProfile& op) { return op.forward.time + op.replay.time; });
    return list;
}

std::string ProfileGuard::table() const {
    const std::vector<OpProfile> list = ops();
    std::size_t width = 5;
    PassProfile forward;
    PassProfile replay;
    for (const OpProfile& op : list) {
        width = std::max(width, op.op.size());
        forward += op.forward;
        replay += op.replay;
    }
    std::string text = fmt::format("{:<{}} {:>9} {:>12} {:>14} {:>9} {:>12} {:>14}\n", "op", width, "forward", "ms",
                                   "bytes", "replay", "ms", "bytes");
    for (const OpProfile& op : list) {
        text += row(op.op, op.forward, op.replay, width);
    }
    return text + row("total", forward, replay, width);
}

std::string ProfileGuard::chrome_trace() const {
    std::string text = "{\"displayTimeUnit\": \"ns\", \"otherData\": ";
    auto out = std::back_inserter(text);
    fmt::format_to(out, "{{\"dropped_events\": {}}}, \"traceEvents\": [", dropped_events_);
    const char* separator = "\n";
    for (const Event& event : events_) {
        fmt::format_to(out,
                       "{}{{\"name\": \"{}\", \"cat\": \"{}\", \"ph\": \"X\", \"ts\": {:.3f}, \"dur\": {:.3f}, "
                       "\"pid\": {}, \"tid\": {}, \"args\": {{\"bytes\": {}}}}}",
                       separator, escaped(event.op->first), event.is_replay ? "replay" : "forward",
                       microseconds(event.begin - begin_), microseconds(event.end - event.begin), ::getpid(), thread_,
                       event.bytes);
        separator = ",\n";
    }
    return text + "\n]}\n";
}

}  // namespace xtape
