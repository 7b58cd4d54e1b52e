#include <xtape/autograd/engine.hpp>

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/mutation.hpp>

namespace xtape {
namespace {

template <class U>
using PoolVector = std::vector<U, memory::Allocator<U>>;

constexpr std::uint32_t none = ~std::uint32_t{0};

// From nodes to their entries: open addressing by sequence number. Nodes recorded one after the other lie side by side.
class NodeTable {
public:
    template <class Entries>
    [[nodiscard]] std::uint32_t find(const Node* node, const Entries& entries) const noexcept {
        for (std::size_t i = node->sequence & mask_;; i = (i + 1) & mask_) {
            if (slots_[i] == none || entries[slots_[i]].node == node) {
                return slots_[i];
            }
        }
    }

    template <class Entries>
    void insert(std::uint32_t index, const Entries& entries) {
        if (2 * entries.size() > slots_.size()) {
            slots_.assign(4 * slots_.size(), none);
            mask_ = slots_.size() - 1;
            for (std::uint32_t i = 0; i < index; ++i) {
                place(i, entries[i].node->sequence);
            }
        }
        place(index, entries[index].node->sequence);
    }

private:
    void place(std::uint32_t index, std::uint64_t sequence) noexcept {
        std::size_t i = sequence & mask_;
        while (slots_[i] != none) {
            i = (i + 1) & mask_;
        }
        slots_[i] = index;
    }

    PoolVector<std::uint32_t> slots_ = PoolVector<std::uint32_t>(64, none);
    std::size_t mask_ = 63;
};

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
    // A replay of what leads to the wanted nodes; it keeps their gradients.
    Replay(Node* root, BackwardOptions options, std::span<const Ref<Body>> wanted) : options_(options) {
        discover(root, [](Node&) {});
        restrict_to(wanted);
    }

    void run(Ref<Body> seed);
    void commit_to_leaves();
    [[nodiscard]] Ref<Body> captured(const Node* node) const {
        const std::uint32_t index = table_.find(node, entries_);
        return index == none ? Ref<Body>() : entries_[index].gradient;
    }

    [[nodiscard]] bool creates_graph() const noexcept { return options_.create_graph; }
    [[nodiscard]] bool keeps_graph() const noexcept { return options_.retain_graph || options_.create_graph; }
    [[nodiscard]] bool wants(std::uint32_t slot) const noexcept { return slot != none && entries_[slot].wanted; }
    [[nodiscard]] Ref<Body>& gradient_in(std::uint32_t slot) noexcept { return entries_[slot].gradient; }

private:
    struct Entry {
        Node* node;
        Ref<Body> gradient;        // the sum of what has arrived
        std::uint32_t inputs = 0;  // where the entries of its inputs are listed
        bool wanted = true;        // its gradient is wanted, for itself or for what it leads to
        bool replayed = true;      // it leads to something wanted
        bool captured = false;     // it is wanted for itself
    };
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
        node.released = true;
        node.release_saved();
    }
    void replay_all();
    void call_hooks(Entry& entry) const;
    void replay_node(Entry& entry);

    BackwardOptions options_;
    PoolVector<Entry> entries_;
    PoolVector<std::uint32_t> inputs_;  // the entries of each operation's inputs, `none` for constants
    PoolVector<std::uint32_t> order_;   // recorded operations, newest first
    PoolVector<std::uint32_t> leaves_;
    NodeTable table_;
};

std::uint32_t Replay::add_entry(Node* node) {
    const auto index = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({node, {}});
    table_.insert(index, entries_);
    return index;
}

template <class Visit>
void Replay::discover(Node* root, Visit visit_operation) {
    PoolVector<Pending> pending;  // a heap: the newest node on top
    const auto add = [&](Node* node) {
        const std::uint32_t index = add_entry(node);
        if (node->is_leaf()) {
            leaves_.push_back(index);
            return index;
        }
        pending.push_back({node->sequence, index});
        if (pending.size() > 1) {
            std::push_heap(pending.begin(), pending.end());
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
            const std::uint32_t known = input ? table_.find(input.get(), entries_) : none;
            inputs_.push_back(input && known == none ? add(input.get()) : known);
        }
    }
}

void Replay::restrict_to(std::span<const Ref<Body>> wanted) {
    for (Entry& entry : entries_) {
        entry.wanted = entry.replayed = false;
    }
    for (const Ref<Body>& body : wanted) {
        const std::uint32_t index = table_.find(body->node.get(), entries_);
        if (index != none) {
            entries_[index].wanted = entries_[index].captured = true;
        }
    }
    // Oldest first, inputs come before what was made from them.
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
        Entry& entry = entries_[*it];
        for (std::size_t i = 0; i < entry.node->input_count; ++i) {
            entry.replayed = entry.replayed || wants(inputs_[entry.inputs + i]);
        }
        entry.wanted = entry.wanted || entry.replayed;
    }
    for (const std::uint32_t index : order_) {
        if (entries_[index].replayed) {
            check_replayable(*entries_[index].node);
        }
    }
}

void Replay::check_replayable(Node& node) {
    if (node.released) {
        throw GraphError(fmt::format(
            "backward: the graph behind this tensor was replayed before, and what '{}' of shape {} saved is "
            "gone; to replay a graph twice, ask for it the first time: backward({{.retain_graph = true}})",
            node.op->name, to_string(node.shape)));
    }
    for (const Saved& saved : node.saved()) {
        if (saved.input < 0) {
            continue;
        }
        Node* input = node.inputs()[static_cast<std::size_t>(saved.input)].get();
        if (input == nullptr || !input->is_leaf()) {
            continue;
        }
        const std::uint32_t now = static_cast<LeafNode*>(input)->version.load(std::memory_order_relaxed);
        if (now != saved.version) {
            throw GraphError(fmt::format(
                "backward: '{}' of shape {} saved a leaf of shape {} at version {}, and the leaf has been overwritten "
                "since (version {}); replay before assigning or stepping, or run the forward pass again",
                node.op->name, to_string(node.shape), to_string(saved.shape), saved.version, now));
        }
    }
}

void Replay::call_hooks(Entry& entry) const {
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

void Replay::replay_node(Entry& entry) {
    Node& node = *entry.node;
    if (entry.gradient && node.hooks) {
        call_hooks(entry);
    }
    if (!entry.replayed) {
        return;
    }
    if (node.released) {
        check_replayable(node);  // a hook replayed it meanwhile: throws
    }
    if (entry.gradient) {
        RuleContext context(node, *this, entry.captured ? entry.gradient : std::move(entry.gradient),
                            inputs_.data() + entry.inputs);
        [[maybe_unused]] const mutation::Rule rule(node.op->name, options_.create_graph);
        node.op->rule(context);
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

Ref<Body>& RuleContext::slot(std::size_t input) const noexcept { return replay_.gradient_in(slots_[input]); }
bool RuleContext::has_gradient(std::size_t input) const { return static_cast<bool>(slot(input)); }
bool RuleContext::wants(std::size_t input) const { return replay_.wants(slots_[input]); }

const Shape& RuleContext::input_shape(std::size_t input) const {
    const Node* node = node_.inputs()[input].get();
    return node != nullptr ? node->shape : find_saved(static_cast<int>(input))->shape;
}

const Saved* RuleContext::find_saved(int input) const noexcept {
    for (const Saved& saved : node_.saved()) {
        if (saved.input == input) {
            return &saved;
        }
    }
    return nullptr;
}

Ref<Body> RuleContext::saved_value(int input) const {
    const Saved& saved = *find_saved(input);
    Ref<Node> origin;
    if (replay_.creates_graph()) {
        origin = input < 0 ? Ref<Node>::share(&node_) : node_.inputs()[static_cast<std::size_t>(input)];
    }
    const DType dtype = input < 0 || !node_.inputs()[static_cast<std::size_t>(input)]
                            ? node_.dtype
                            : node_.inputs()[static_cast<std::size_t>(input)]->dtype;
    return bodies::make(dtype, saved.shape, saved.storage, std::move(origin));
}

bool RuleContext::creates_graph() const noexcept { return replay_.creates_graph(); }

void RuleContext::give_body(std::size_t input, Ref<Body> gradient) {
    if (!wants(input)) {
        return;
    }
    const Node* node = node_.inputs()[input].get();
    mutation::break_gradient(input, gradient);
    [[maybe_unused]] const mutation::Pause pause;
    if (gradient->shape != node->shape) {
        gradient = bodies::reduce_to(std::move(gradient), node->shape);
    }
    Ref<Body>& arrived = slot(input);
    if (arrived) {
        bodies::add_to(arrived, gradient, replay_.creates_graph());
    } else {
        arrived = std::move(gradient);
    }
}

void RuleContext::pass_on(std::size_t input, bool is_last) {
    give_body(input, is_last ? std::move(gradient_) : gradient_);
}

void* RuleContext::accumulator_data(std::size_t input, bool in_place, bool& add) {
    const Node* node = node_.inputs()[input].get();
    if (void* elsewhere = mutation::aside(*node, input)) {
        return elsewhere;
    }
    Ref<Body>& arrived = slot(input);
    add = static_cast<bool>(arrived);
    if (!arrived && in_place && bodies::is_sole_owner(gradient_)) {
        arrived = std::move(gradient_);
    } else if (!arrived) {
        arrived = bodies::allocate(node->dtype, node->shape);
    } else if (!bodies::is_sole_owner(arrived)) {
        arrived = bodies::copy(*arrived);
    }
    return arrived->storage->data();
}

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
