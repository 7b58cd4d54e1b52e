#include <xtape/autograd/engine.hpp>

#include <algorithm>
#include <bit>
#include <mutex>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/observer.hpp>

namespace xtape {
namespace {

constexpr std::uint32_t none = ReplayEntry::none;

// From nodes to their entries: open addressing. Ops recorded one after the other lie side by side, so that whole runs
// of slots are taken; whoever meets one leaps out of it, and does not walk along.
class NodeTable {
public:
    explicit NodeTable(std::size_t expected) : slots_(std::bit_ceil(2 * expected)), mask_(slots_.size() - 1) {}

    [[nodiscard]] std::uint32_t find(const Node* node) const noexcept {
        std::size_t i = place_of(node);
        while (slots_[i].node != node && slots_[i].node != nullptr) {
            i = (i + leap_of(node)) & mask_;
        }
        return slots_[i].index;
    }

    void insert(const Node* node, std::uint32_t index) {
        if (2 * (index + std::size_t{1}) > slots_.size()) {
            PoolVector<Slot> smaller(4 * slots_.size());
            smaller.swap(slots_);
            mask_ = slots_.size() - 1;
            for (const Slot& slot : smaller) {
                if (slot.node != nullptr) {
                    place(slot);
                }
            }
        }
        place({node, index});
    }

private:
    struct Slot {
        const Node* node = nullptr;
        std::uint32_t index = none;
    };

    [[nodiscard]] std::size_t place_of(const Node* node) const noexcept {
        return (node->is_leaf() ? reinterpret_cast<std::uintptr_t>(node) / sizeof(LeafNode) : node->sequence) & mask_;
    }
    // Odd, so that it comes by every slot.
    [[nodiscard]] static std::size_t leap_of(const Node* node) noexcept {
        constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;
        return (reinterpret_cast<std::uintptr_t>(node) * golden_ratio >> 32) | 1;
    }
    void place(Slot slot) noexcept {
        std::size_t i = place_of(slot.node);
        while (slots_[i].node != nullptr) {
            i = (i + leap_of(slot.node)) & mask_;
        }
        slots_[i] = slot;
    }

    PoolVector<Slot> slots_;
    std::size_t mask_;
};

[[noreturn]] void throw_released(const Node& node) {
    throw GraphError(
        fmt::format("backward: the graph behind this tensor was replayed before, and what '{}' of shape {} saved is "
                    "gone; to replay a graph twice, ask for it the first time: backward({{.retain_graph = true}})",
                    node.op->name, to_string(node.shape)));
}

void check_version(Node& node, const Saved& saved) {
    Node& input = *node.inputs()[static_cast<std::size_t>(saved.input())];
    if (!input.is_leaf()) {
        return;  // a checkpoint has put the leaf behind a stand-in, and checks the leaf itself
    }
    const auto& leaf = static_cast<LeafNode&>(input);
    const std::uint32_t now = leaf.version.load(std::memory_order_relaxed);
    if (now != saved.version()) {
        throw GraphError(fmt::format(
            "backward: '{}' of shape {} saved a leaf of shape {} at version {}, and the leaf has been overwritten "
            "since (version {}); replay before assigning or stepping, or run the forward pass again",
            node.op->name, to_string(node.shape), to_string(leaf.shape), saved.version(), now));
    }
}

// While a replay runs, this thread records only if the replay is to create a graph.
class RecordingIs {
public:
    explicit RecordingIs(bool recording) : before_(set_recording(recording)) {}
    RecordingIs(const RecordingIs&) = delete;
    RecordingIs& operator=(const RecordingIs&) = delete;
    ~RecordingIs() { set_recording(before_); }

private:
    bool before_;
};

}  // namespace

// One pass backward over the part of the tape that an output reaches: every node there once, newest first. All marks
// and gradients belong to the replay, so that replays nest, and separate ones run at the same time.
class Replay {
public:
    // A replay for all leaves.
    Replay(Node* root, BackwardOptions options) : options_(options) {
        discover(root, [](Node& node) { check_replayable(node); });
    }
    // A replay of what leads to the wanted nodes; it keeps their gradients. What is older than all of them doesn't.
    Replay(Node* root, BackwardOptions options, std::span<const Ref<Body>> wanted) : options_(options) {
        oldest_ = root->sequence;
        for (const Ref<Body>& body : wanted) {
            oldest_ = std::min(oldest_, body->node->sequence);
        }
        discover(root, [](Node&) {});
        restrict_to(wanted);
    }

    void run(Ref<Body> seed);
    void commit_to_leaves();
    [[nodiscard]] Ref<Body> captured(const Node* node) const {
        const std::uint32_t index = table_.find(node);
        return index == none ? Ref<Body>() : entries_[index].gradient;
    }

private:
    struct Pending {
        std::uint64_t sequence;
        std::uint32_t index;
        friend bool operator<(Pending a, Pending b) noexcept { return a.sequence < b.sequence; }
    };

    template <class Visit>
    void discover(Node* root, Visit visit_operation);
    void restrict_to(std::span<const Ref<Body>> wanted);
    std::uint32_t add_entry(Node* node);
    static void check_replayable(Node& node);
    static void release(Node& node) noexcept {
        node.state = Node::State::released;
        node.release_saved();
    }
    [[nodiscard]] bool keeps_graph() const noexcept { return options_.retain_graph || options_.create_graph; }
    void replay_all();
    void call_hooks(ReplayEntry& entry) const;
    void replay_node(ReplayEntry& entry);
    [[gnu::noinline]] static void replay_observed(const RuleRun& run);

    BackwardOptions options_;
    std::uint64_t oldest_ = 0;  // by sequence number; what is older is not visited
    PoolVector<ReplayEntry> entries_;
    PoolVector<std::uint32_t> inputs_;  // the entries of each operation's inputs, `none` for those not visited
    PoolVector<std::uint32_t> order_;   // recorded operations, newest first
    PoolVector<std::uint32_t> leaves_;
    std::size_t expected_ = std::clamp<std::size_t>(tape().nodes(), 16, 256);  // nodes, to begin with
    NodeTable table_{expected_};
    bool is_observed_ = current_observer() != nullptr;
};

inline void Replay::check_replayable(Node& node) {
    if (node.state == Node::State::released) {
        throw_released(node);
    }
    for (const Saved& saved : node.saved()) {
        if (saved.is_of_leaf()) {
            check_version(node, saved);
        }
    }
}

inline std::uint32_t Replay::add_entry(Node* node) {
    const auto index = static_cast<std::uint32_t>(entries_.size());
    table_.insert(node, index);
    entries_.emplace_back(node);
    return index;
}

template <class Visit>
void Replay::discover(Node* root, Visit visit_operation) {
    PoolVector<Pending> pending;  // a heap: the newest node on top
    entries_.reserve(expected_);
    order_.reserve(expected_);
    inputs_.reserve(2 * expected_);
    const auto add = [&](Node* node) {
        const std::uint32_t index = add_entry(node);
        if (node->is_leaf()) {
            leaves_.push_back(index);
        } else {
            pending.push_back({node->sequence, index});
            if (pending.size() > 1) {
                std::push_heap(pending.begin(), pending.end());
            }
        }
        return index;
    };
    add(root);
    while (!pending.empty()) {
        if (pending.size() > 1) {
            std::pop_heap(pending.begin(), pending.end());
        }
        const std::uint32_t index = pending.back().index;
        pending.pop_back();
        order_.push_back(index);
        Node& node = *entries_[index].node;
        visit_operation(node);
        entries_[index].inputs = static_cast<std::uint32_t>(inputs_.size());
        for (const Ref<Node>& input : node.inputs()) {
            const bool matters = input && input->sequence >= oldest_;
            const std::uint32_t known = matters ? table_.find(input.get()) : none;
            inputs_.push_back(matters && known == none ? add(input.get()) : known);
        }
    }
}

void Replay::restrict_to(std::span<const Ref<Body>> wanted) {
    for (ReplayEntry& entry : entries_) {
        entry.wanted = entry.replayed = false;
    }
    for (const Ref<Body>& body : wanted) {
        const std::uint32_t index = table_.find(body->node.get());
        if (index != none) {
            entries_[index].wanted = entries_[index].captured = true;
        }
    }
    // Oldest first, inputs come before what was made from them.
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
        ReplayEntry& entry = entries_[*it];
        for (std::size_t i = 0; i < entry.node->input_count; ++i) {
            const std::uint32_t input = inputs_[entry.inputs + i];
            entry.replayed = entry.replayed || (input != none && entries_[input].wanted);
        }
        entry.wanted = entry.wanted || entry.replayed;
    }
    for (const std::uint32_t index : order_) {
        if (entries_[index].replayed) {
            check_replayable(*entries_[index].node);
        }
    }
}

void Replay::call_hooks(ReplayEntry& entry) const {
    const Hooks hooks = *entry.node->hooks;  // hooks may add hooks
    for (const auto& hook : hooks) {
        if (!*hook) {
            continue;  // removed
        }
        Ref<Body> replaced = HookFunction(*hook)(entry.gradient);  // a copy, for it may remove itself
        if (!replaced || replaced->dtype != entry.node->dtype || replaced->shape != entry.node->shape) {
            throw ShapeError(fmt::format("hook on '{}': it must return a gradient of shape {}, but returned {}",
                                         entry.node->op->name, to_string(entry.node->shape),
                                         replaced ? to_string(replaced->shape) : "an empty tensor"));
        }
        entry.gradient = replaced->node ? bodies::alias(replaced, options_.create_graph) : std::move(replaced);
    }
}

void Replay::replay_observed(const RuleRun& run) {
    // A hook may have ended what was there when the replay began.
    Observer* observer = current_observer();
    observer != nullptr ? observer->replay(run) : run();
}

void Replay::replay_node(ReplayEntry& entry) {
    Node& node = *entry.node;
    if (entry.gradient && node.hooks) {
        call_hooks(entry);
    }
    if (!entry.replayed) {
        return;
    }
    if (node.state == Node::State::released) {
        throw_released(node);  // a hook replayed it meanwhile
    }
    if (entry.gradient) {
        RuleContext context(node, entry.captured ? entry.gradient : std::move(entry.gradient), entries_.data(),
                            inputs_.data() + entry.inputs, options_.create_graph);
        [[maybe_unused]] const mutation::Rule rule(node.op->name, options_.create_graph);
        if (is_observed_) [[unlikely]] {
            replay_observed({node, context, entries_.data(), inputs_.data() + entry.inputs});
        } else {
            node.op->rule(context);
        }
        mutation::give_aside(context);
    }
    if (!keeps_graph()) {
        release(node);
    }
}

void Replay::run(Ref<Body> seed) {
    entries_.front().gradient = std::move(seed);
    const RecordingIs recording(options_.create_graph);
    try {
        replay_all();
    } catch (...) {
        // What a half-run replay has not released would be replayed as if it were whole: all of it counts as spent.
        for (const std::uint32_t index : order_) {
            if (entries_[index].replayed && !keeps_graph()) {
                release(*entries_[index].node);
            }
        }
        throw;
    }
}

void Replay::replay_all() {
    for (const std::uint32_t index : order_) {
        if (entries_[index].wanted) {
            replay_node(entries_[index]);
        }
    }
    for (const std::uint32_t index : leaves_) {
        if (entries_[index].wanted && entries_[index].gradient && entries_[index].node->hooks) {
            call_hooks(entries_[index]);
        }
    }
}

void Replay::commit_to_leaves() {
    const RecordingIs recording(options_.create_graph);
    const std::scoped_lock lock(leaf_mutex());
    const auto leaf_body = [&](std::uint32_t index) { return static_cast<LeafNode*>(entries_[index].node)->body; };
    // All that can throw comes first; then nothing but swaps. What the leaves held dies with the entries, after the
    // lock.
    for (const std::uint32_t index : leaves_) {
        Ref<Body>& arrived = entries_[index].gradient;
        if (ParameterBody* leaf = leaf_body(index); leaf != nullptr && arrived && leaf->gradient) {
            bodies::add_to(arrived, leaf->gradient, options_.create_graph);
        }
    }
    for (const std::uint32_t index : leaves_) {
        if (ParameterBody* leaf = leaf_body(index); leaf != nullptr && entries_[index].gradient) {
            leaf->gradient.swap(entries_[index].gradient);
        }
    }
}

Ref<Body> RuleContext::saved_value(int input) const {
    const Saved& saved = *find_saved(input);
    Ref<Node> origin;
    if (creates_graph_) {
        origin = input < 0 ? Ref<Node>::share(&node_) : node_.inputs()[static_cast<std::size_t>(input)];
    }
    const DType dtype = input < 0 || !node_.inputs()[static_cast<std::size_t>(input)]
                            ? node_.dtype
                            : node_.inputs()[static_cast<std::size_t>(input)]->dtype;
    return bodies::make(dtype, input < 0 ? node_.shape : input_shape(static_cast<std::size_t>(input)), saved.share(),
                        std::move(origin));
}

void RuleContext::give_body(std::size_t input, Ref<Body>& gradient, bool may_move) {
    if (!wants(input)) {
        return;
    }
    ReplayEntry& entry = entries_[inputs_[input]];
    const Shape& shape = entry.node->shape;
    if (mutation::enabled || gradient->shape != shape) [[unlikely]] {
        Ref<Body> changed = may_move ? std::move(gradient) : gradient;
        mutation::break_gradient(input, changed);
        [[maybe_unused]] const mutation::Pause pause;
        if (changed->shape != shape) {
            changed = bodies::reduce_to(std::move(changed), shape);
        }
        add_up(entry.gradient, changed, true);
    } else {
        add_up(entry.gradient, gradient, may_move);
    }
}

void RuleContext::add_up(Ref<Body>& sum, Ref<Body>& term, bool may_move) const {
    if (sum) {
        bodies::add_to(sum, term, creates_graph_);
    } else {
        sum = may_move ? std::move(term) : term;
    }
}

template <class T>
Accumulator<T> RuleContext::own_slot(std::size_t input) {
    const Node* node = node_.inputs()[input].get();
    if (void* elsewhere = mutation::aside(*node, input)) {
        return {static_cast<T*>(elsewhere), false};
    }
    Ref<Body>& arrived = slot(input);
    const bool add = static_cast<bool>(arrived);
    if (!add) {
        arrived = bodies::allocate(node->dtype, node->shape);
    } else if (!bodies::is_sole_owner(arrived)) {
        arrived = bodies::copy(*arrived);
    }
    return {static_cast<T*>(arrived->storage->data()), add};
}
template Accumulator<float> RuleContext::own_slot<float>(std::size_t);
template Accumulator<double> RuleContext::own_slot<double>(std::size_t);

void replay_into_leaves(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options) {
    Replay replay(output->node.get(), options);
    replay.run(bodies::alias(seed, options.create_graph));
    replay.commit_to_leaves();
}

std::vector<Ref<Body>> replay_for(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options,
                                  std::span<const Ref<Body>> wanted) {
    Replay replay(output->node.get(), options, wanted);
    replay.run(bodies::alias(seed, options.create_graph));
    std::vector<Ref<Body>> gradients;
    gradients.reserve(wanted.size());
    for (const Ref<Body>& body : wanted) {
        gradients.push_back(replay.captured(body->node.get()));
    }
    return gradients;
}

}  // namespace xtape
