#include <xtape/autograd/checkpoint.hpp>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/draws.hpp>
#include <xtape/autograd/inner_recording.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/mutation.hpp>

namespace xtape {
namespace {

constinit thread_local CheckpointReport* innermost_report = nullptr;
constinit thread_local bool recomputing = false;

class Recomputing {
public:
    Recomputing() noexcept : before_(std::exchange(recomputing, true)) {}
    Recomputing(const Recomputing&) = delete;
    Recomputing& operator=(const Recomputing&) = delete;
    ~Recomputing() { recomputing = before_; }

private:
    bool before_;
};

// A node's output as an input of another node that is not to keep its value: without elements.
Ref<Body> without_value(const Ref<Node>& node) {
    return bodies::make(node->dtype, node->shape, Storage::allocate(0), node);
}

// What f recorded of its results as one tensor, for a node has one output; empty if it recorded none of them.
template <class T>
Tensor<T> joined(const std::vector<Tensor<T>>& ys, const InnerRecording& recording) {
    std::vector<Tensor<T>> parts;
    for (const Tensor<T>& y : ys) {
        if (y.requires_grad() && recording.holds(*y.body().node)) {
            parts.push_back(ys.size() == 1 ? y : reshape(y, Axes{y.size()}));
        }
    }
    if (parts.empty()) {
        return {};
    }
    return parts.size() == 1 ? parts.front() : concatenate(parts);
}

// The adjoint of `joined`: puts the parts of `y` in the place of the results that it was joined from.
template <class T>
void part(const Tensor<T>& y, std::vector<Tensor<T>>& ys, const InnerRecording& recording) {
    if (ys.size() == 1) {
        ys.front() = y;
        return;
    }
    std::size_t begin = 0;
    for (Tensor<T>& place : ys) {
        if (place.requires_grad() && recording.holds(*place.body().node)) {
            const std::size_t end = begin + place.size();
            place = reshape(view(y, xt::range(begin, end)), Axes(place.shape()));
            begin = end;
        }
    }
}

// What f's result depends on outside of f: the inputs first, null where they don't take part, then what f captured.
template <class T>
std::vector<Ref<Node>> sources_of(const Tensor<T>& y, const std::vector<Tensor<T>>& xs,
                                  const InnerRecording& recording) {
    std::vector<Ref<Node>> found;
    std::unordered_set<const Node*> known;
    for (const Ref<Node>* edge : recording.edges_out(y.ref())) {
        if (known.insert(edge->get()).second) {
            found.push_back(*edge);
        }
    }
    std::vector<Ref<Node>> sources;
    for (const Tensor<T>& x : xs) {
        sources.push_back(known.contains(x.body().node.get()) ? x.body().node : Ref<Node>());
    }
    std::ranges::copy_if(found, std::back_inserter(sources), [&, n = sources.size()](const Ref<Node>& node) {
        return std::find(sources.begin(), sources.begin() + static_cast<std::ptrdiff_t>(n), node) ==
               sources.begin() + static_cast<std::ptrdiff_t>(n);
    });
    return sources;
}

template <class T>
struct Checkpointed {
    std::unique_ptr<detail::CheckpointedFunction<T>> f;
    std::size_t argument_count;
    random::Draws draws;
    // An input's node where f itself refers to it. (The inputs of the checkpoint's node are others while an outer
    // checkpoint runs again: stand-ins.)
    std::vector<Ref<Node>> sources;
};

// Runs f again, on stand-ins for all that it depends on outside, and differentiates by these.
template <class T>
struct CheckpointRule {
    static constexpr const char* name = "checkpoint";
    std::unique_ptr<Checkpointed<T>> saved;

    void operator()(RuleContext& context) const {
        std::vector<Ref<Body>> inputs;
        std::vector<Ref<Body>> wanted;
        std::vector<std::size_t> wanted_inputs;
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            // Connected to the tape under `create_graph` and only then, and so its stand-in is.
            inputs.push_back(context.input<T>(i).ref());
            if (saved->sources[i]) {
                inputs[i] = stand_in(inputs[i], true);
            }
            if (context.wants(i)) {
                wanted.push_back(inputs[i]);
                wanted_inputs.push_back(i);
            }
        }
        const Tensor<T> y = run_again(inputs, context.output_shape());
        const std::vector<Ref<Body>> gradients =
            replay_for(y.ref(), context.gradient<T>().ref(), {.create_graph = context.creates_graph()}, wanted);
        for (std::size_t k = 0; k < wanted.size(); ++k) {
            if (gradients[k]) {
                context.give(wanted_inputs[k], Tensor<T>(gradients[k]));
            }
        }
    }

    [[nodiscard]] Tensor<T> run_again(const std::vector<Ref<Body>>& inputs, const Shape& shape) const {
        const InnerRecording recording;
        const std::vector<Tensor<T>> arguments(inputs.begin(),
                                               inputs.begin() + static_cast<std::ptrdiff_t>(saved->argument_count));
        const Tensor<T> y = [&] {
            [[maybe_unused]] const mutation::Pause pause;
            const Recomputing again;
            const random::DrawScope draws(saved->draws, random::DrawScope::Mode::repeat);
            return joined((*saved->f)(arguments), recording);
        }();
        if (!y || y.shape() != shape) {
            throw GraphError(fmt::format(
                "checkpoint: the function returns {} when it is run again, and recorded shape {} the first time; it "
                "must do the same each time",
                y ? "shape " + to_string(y.shape()) : "nothing recorded", to_string(shape)));
        }
        redirect(recording.edges_out(y.ref()), inputs);
        return y;
    }

    // What f captured is put behind its stand-in, so that the replay inside ends there.
    void redirect(const std::vector<Ref<Node>*>& edges, const std::vector<Ref<Body>>& inputs) const {
        std::unordered_map<const Node*, Ref<Node>> targets;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (saved->sources[i]) {
                targets.emplace(saved->sources[i].get(), inputs[i]->node);
                targets.emplace(inputs[i]->node.get(), inputs[i]->node);
            }
        }
        for (Ref<Node>* edge : edges) {
            const auto target = targets.find(edge->get());
            if (target == targets.end()) {
                throw GraphError(fmt::format(
                    "checkpoint: run again, the function uses a recorded tensor ('{}', shape {}) that it did not use "
                    "the first time; capture tensors by value, and make parameters outside of the function",
                    (*edge)->op->name, to_string((*edge)->shape)));
            }
            *edge = target->second;
        }
    }
};

template <class T>
Tensor<T> record_checkpoint(const Tensor<T>& value, std::unique_ptr<Checkpointed<T>> saved,
                            const std::vector<Tensor<T>>& xs) {
    std::vector<Ref<Body>> inputs;
    for (std::size_t i = 0; i < saved->sources.size(); ++i) {
        // Captured leaves are there when the replay needs them; what is saved of them is their version.
        inputs.push_back(i < xs.size() ? bodies::alias(xs[i].ref(), static_cast<bool>(saved->sources[i]))
                                       : without_value(saved->sources[i]));
    }
    std::vector<RecordedInput> recorded;
    for (const Ref<Body>& input : inputs) {
        recorded.emplace_back(input, true);
    }
    Tensor<T> y = value.detach();
    record(CheckpointRule<T>{std::move(saved)}, y.body(), recorded);
    return y;
}

}  // namespace

template <class T>
std::vector<Tensor<T>> detail::run_checkpointed(std::unique_ptr<CheckpointedFunction<T>> f,
                                                const std::vector<Tensor<T>>& xs) {
    if (!is_recording()) {
        return (*f)(xs);
    }
    const std::size_t before = tape().bytes();
    const InnerRecording recording;
    random::Draws draws;
    std::vector<Tensor<T>> ys = [&] {
        const random::DrawScope scope(draws, random::DrawScope::Mode::note);
        return (*f)(xs);
    }();
    Tensor<T> y = joined(ys, recording);
    if (!y) {
        return ys;
    }
    auto saved = std::make_unique<Checkpointed<T>>(
        Checkpointed<T>{std::move(f), xs.size(), std::move(draws), sources_of(y, xs, recording)});
    y = record_checkpoint(y, std::move(saved), xs);
    const std::size_t with_all = tape().bytes();
    part(y, ys, recording);
    const std::size_t after = tape().bytes();
    if (!recomputing) {
        CheckpointReport::add(after - std::min(after, before), with_all - std::min(with_all, after));
    }
    return ys;
}

template std::vector<Tensor<float>> detail::run_checkpointed(std::unique_ptr<CheckpointedFunction<float>>,
                                                             const std::vector<Tensor<float>>&);
template std::vector<Tensor<double>> detail::run_checkpointed(std::unique_ptr<CheckpointedFunction<double>>,
                                                              const std::vector<Tensor<double>>&);

bool is_recomputing() noexcept { return recomputing; }

CheckpointReport::CheckpointReport() noexcept : outer_(innermost_report) { innermost_report = this; }
CheckpointReport::~CheckpointReport() { innermost_report = outer_; }

void CheckpointReport::add(std::size_t saved_bytes, std::size_t spared_bytes) noexcept {
    for (CheckpointReport* report = innermost_report; report != nullptr; report = report->outer_) {
        ++report->checkpoints_;
        report->saved_bytes_ += saved_bytes;
        report->spared_bytes_ += spared_bytes;
    }
}

}  // namespace xtape
