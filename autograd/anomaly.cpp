#include <xtape/autograd/anomaly.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>

namespace xtape {
namespace {

// An array of numbers, of a tensor or saved.
struct Numbers {
    DType dtype;
    const Shape& shape;
    const void* data;

    Numbers(DType type, const Shape& array_shape, const void* numbers)
        : dtype(type), shape(array_shape), data(numbers) {}
    explicit Numbers(const Body& body) : Numbers(body.dtype, body.shape, body.storage->data()) {}
};

struct Summary {
    double min = std::numeric_limits<double>::infinity();  // of the finite ones
    double max = -std::numeric_limits<double>::infinity();
    std::size_t nans = 0;
    std::size_t infinities = 0;
    std::size_t first = 0;  // that is not finite

    [[nodiscard]] bool is_finite() const noexcept { return nans + infinities == 0; }
};

template <class F>
decltype(auto) with_elements(const Numbers& x, F&& f) {
    const std::size_t count = element_count(x.shape);
    return x.dtype == DType::f32 ? f(std::span(static_cast<const float*>(x.data), count))
                                 : f(std::span(static_cast<const double*>(x.data), count));
}

bool is_finite(const Numbers& x) {
    return with_elements(x, []<class T>(std::span<const T> elements) {
        std::size_t anomalies = 0;  // counted rather than stopped at: a loop without a branch
        for (const T element : elements) {
            anomalies += std::abs(element) <= std::numeric_limits<T>::max() ? 0 : 1;
        }
        return anomalies == 0;
    });
}

Summary summarize(const Numbers& x) {
    return with_elements(x, []<class T>(std::span<const T> elements) {
        Summary summary;
        for (std::size_t i = 0; i < elements.size(); ++i) {
            const double element = elements[i];
            if (std::isfinite(element)) {
                summary.min = std::min(summary.min, element);
                summary.max = std::max(summary.max, element);
                continue;
            }
            summary.first = summary.is_finite() ? i : summary.first;
            (std::isnan(element) ? summary.nans : summary.infinities) += 1;
        }
        return summary;
    });
}

// "2 NaN, 1 infinity of 6, the first at (0, 1)"
std::string anomalies(const Shape& shape, const Summary& summary) {
    return fmt::format("{} NaN, {} {} of {}, the first at {}", summary.nans, summary.infinities,
                       summary.infinities == 1 ? "infinity" : "infinities", element_count(shape),
                       to_string(place_of(summary.first, shape)));
}

// A line of the message.
std::string line(std::string_view what, const Shape& shape, const Summary& summary) {
    std::string range = "no finite element";
    if (element_count(shape) == 0) {
        range = "empty";
    } else if (summary.min <= summary.max) {
        range = fmt::format("min {:.6g}, max {:.6g}", summary.min, summary.max);
    }
    return fmt::format("  {} of shape {}: {}; {}\n", what, to_string(shape), range,
                       summary.is_finite() ? "all finite" : anomalies(shape, summary));
}
std::string line(std::string_view what, const Numbers& x) { return line(what, x.shape, summarize(x)); }

// What a node's rule could read: its saved inputs and output, and of the others what is known.
std::string saved_lines(Node& node) {
    std::string text;
    const auto of_saved = [&](std::int32_t index, std::string_view what, DType dtype) {
        const auto saved = std::ranges::find(node.saved(), index, &Saved::input);
        if (saved == node.saved().end() || node.state == Node::State::released) {
            return false;
        }
        const Shape& shape = index < 0 ? node.shape : node.input_shape(static_cast<std::size_t>(index));
        text += line(what, Numbers(dtype, shape, saved->data()));
        return true;
    };
    for (std::size_t i = 0; i < node.input_count; ++i) {
        const Node* input = node.inputs()[i].get();
        const std::string what = fmt::format("input {}", i);
        if (!of_saved(static_cast<std::int32_t>(i), what, input != nullptr ? input->dtype : node.dtype)) {
            text += input != nullptr
                        ? fmt::format("  {} of shape {}: its value is not kept\n", what, to_string(input->shape))
                        : fmt::format("  {}: a constant, not kept\n", what);
        }
    }
    of_saved(-1, "its output", node.dtype);
    return text;
}

std::string recorded_at(const backtrace::Frames& frames) {
    return fmt::format("  recorded in:\n{}", backtrace::describe(frames));
}

}  // namespace

void AnomalyGuard::recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs) {
    backtrace::Frames frames = backtrace::capture();
    if (const Numbers made(output); !is_finite(made)) {
        std::string text = fmt::format(
            "AnomalyGuard: '{}' made a value that is not finite: {}\n  {}\n", node.op->name,
            anomalies(made.shape, summarize(made)),
            replaying_ == nullptr ? "forward" : fmt::format("forward, recorded by the replay of '{}'", replaying_));
        text += line("output", made);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            text += line(fmt::format("input {}", i), Numbers(**inputs[i].body));
        }
        throw AnomalyError(text + recorded_at(frames));
    }
    origins_.insert_or_assign(&node, std::move(frames));
    Observer::recorded(node, output, inputs);
}

void AnomalyGuard::replay(const RuleRun& run) {
    Node& node = run.node;
    const Summary arrived = summarize(Numbers(*run.gradient()));  // now: a rule may write over it
    const char* outer = std::exchange(replaying_, node.op->name);
    try {
        Observer::replay(run);
    } catch (...) {
        replaying_ = outer;
        throw;
    }
    replaying_ = outer;
    for (std::size_t i = 0; i < node.input_count; ++i) {
        const Body* given = run.gathered(i);
        if (given == nullptr || is_finite(Numbers(*given))) {
            continue;
        }
        const Numbers gradient(*given);
        throw AnomalyError(fmt::format(
            "AnomalyGuard: the rule of '{}' gave a gradient that is not finite: {}\n  replay, output of shape "
            "{}\n{}{}{}{}{}",
            node.op->name, anomalies(gradient.shape, summarize(gradient)), to_string(node.shape),
            line(fmt::format("gradient of input {}", i), gradient), line("gradient of its output", node.shape, arrived),
            arrived.is_finite() ? "" : "    not from a rule under this guard: from the seed or a hook\n",
            saved_lines(node), where(node)));
    }
}

std::string AnomalyGuard::where(const Node& node) const {
    const auto origin = origins_.find(&node);
    if (node.tape != &tape() || origin == origins_.end()) {
        return "  recorded where this guard did not see it: let it live while the value is made";
    }
    return recorded_at(origin->second);
}

}  // namespace xtape
