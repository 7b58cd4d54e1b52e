#include <xtape/autograd/tape.hpp>

#include <pthread.h>

#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape {

struct TapeAccess {
    static void add(Tape::Tally& tally, std::size_t n) noexcept {
        tally.added.store(tally.added.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    static void remove(Tape& owner, Tape::Tally& tally, std::size_t n) noexcept;
    static Tape::Tally& nodes(Tape& t) noexcept { return t.nodes_; }
    static Tape::Tally& bytes(Tape& t) noexcept { return t.bytes_; }
    static std::uint64_t& sequence(Tape& t) noexcept { return t.sequence_; }
    static bool& recording(Tape& t) noexcept { return t.recording_; }
    static void destroy_later(Node* node) noexcept;
};

namespace {

// Nodes name the tape they were counted on, so tapes outlive their threads; one whose nodes are all gone serves a new
// thread.
class TapeRegistry {
public:
    static TapeRegistry& instance() {
        static TapeRegistry* registry = new TapeRegistry;
        return *registry;
    }
    Tape* acquire() {
        const std::scoped_lock lock(mutex_);
        for (Tape*& idle : idle_) {
            if (idle->nodes() == 0) {
                Tape* tape = idle;
                idle = idle_.back();
                idle_.pop_back();
                TapeAccess::recording(*tape) = true;
                return tape;
            }
        }
        return new Tape;
    }
    void give_back(Tape* tape) noexcept {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(tape);
    }

private:
    std::mutex mutex_;
    std::vector<Tape*> idle_;
};

[[gnu::tls_model("initial-exec")]] constinit thread_local Tape* this_tape = nullptr;

// A thread-specific key rather than a thread_local object gives the tape back: its destructor runs after those of all
// thread_local objects, which may hold tensors.
pthread_key_t make_key() {
    pthread_key_t key{};
    if (pthread_key_create(&key, [](void* tape) { TapeRegistry::instance().give_back(static_cast<Tape*>(tape)); }) !=
        0) {
        throw std::bad_alloc();
    }
    return key;
}

[[gnu::noinline]] Tape& make_tape() {
    static const pthread_key_t key = make_key();
    this_tape = TapeRegistry::instance().acquire();
    if (pthread_setspecific(key, this_tape) != 0) {
        throw std::bad_alloc();
    }
    return *this_tape;
}

constexpr std::size_t block_size(std::size_t inputs, std::size_t saved, std::size_t rule_bytes) noexcept {
    return sizeof(Node) + inputs * sizeof(Ref<Node>) + saved * sizeof(Saved) + rule_bytes;
}

void save(Node& node, Saved* where, const Body& body, int input) {
    std::uint32_t version = 0;
    if (input >= 0 && body.node && body.node->is_leaf()) {
        version = static_cast<LeafNode*>(body.node.get())->version.load(std::memory_order_relaxed);
    }
    new (where) Saved{body.storage, body.shape, version, input};
    // Only a large buffer is worth two atomic operations to know whether another node keeps it too.
    Storage& storage = *body.storage;
    if (storage.is_small()) {
        TapeAccess::add(TapeAccess::bytes(*node.tape), storage.block_bytes);
    } else if (storage.saved.fetch_add(1, std::memory_order_acq_rel) == 0) {
        storage.counted_on() = node.tape;
        TapeAccess::add(TapeAccess::bytes(*node.tape), storage.block_bytes);
    }
}

// Takes apart one node; nodes that lose their last reference by it are put on the tape's list, not destroyed in a
// recursion.
void take_apart(Node* node) noexcept {
    if (node->is_leaf()) {
        auto* leaf = static_cast<LeafNode*>(node);
        leaf->~LeafNode();
        memory::deallocate(leaf, sizeof(LeafNode));
        return;
    }
    node->release_saved();
    const std::span<Saved> saved = node->saved();
    node->op->destroy_rule(node->rule());
    std::destroy(saved.begin(), saved.end());
    std::destroy(node->inputs().begin(), node->inputs().end());
    const std::size_t bytes = node->block_bytes;
    TapeAccess::remove(*node->tape, TapeAccess::nodes(*node->tape), 1);
    TapeAccess::remove(*node->tape, TapeAccess::bytes(*node->tape), bytes);
    node->~Node();
    memory::deallocate(node, bytes);
}

}  // namespace

void TapeAccess::remove(Tape& owner, Tape::Tally& tally, std::size_t n) noexcept {
    if (&owner == this_tape) {
        tally.gone_here.store(tally.gone_here.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
        tally.gone_elsewhere.fetch_add(n, std::memory_order_relaxed);
    }
}

void TapeAccess::destroy_later(Node* node) noexcept {
    Tape& here = tape();
    node->next_pending = here.pending_;
    here.pending_ = node;
    if (here.destroying_) {
        return;
    }
    here.destroying_ = true;
    while (Node* next = here.pending_) {
        here.pending_ = next->next_pending;
        take_apart(next);
    }
    here.destroying_ = false;
}

Tape& tape() noexcept { return this_tape != nullptr ? *this_tape : make_tape(); }
bool is_recording() noexcept { return TapeAccess::recording(tape()); }
bool set_recording(bool recording) noexcept { return std::exchange(TapeAccess::recording(tape()), recording); }

std::mutex& leaf_mutex() noexcept {
    static std::mutex* mutex = new std::mutex;  // outlives tensors with static storage
    return *mutex;
}

void Node::release_saved() noexcept {
    for (Saved& value : saved()) {
        if (value.storage) {
            Storage& storage = *value.storage;
            Tape* counted = storage.is_small() ? tape : storage.counted_on();
            if (storage.is_small() || storage.saved.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                TapeAccess::remove(*counted, TapeAccess::bytes(*counted), storage.block_bytes);
            }
            value.storage.reset();
        }
    }
}

void destroy(Node* node) noexcept { TapeAccess::destroy_later(node); }

void destroy(Body* body) noexcept {
    if (!body->is_parameter) {
        body->~Body();
        memory::deallocate(body, sizeof(Body));
        return;
    }
    auto* parameter = static_cast<ParameterBody*>(body);
    {
        const std::scoped_lock lock(leaf_mutex());
        static_cast<LeafNode*>(body->node.get())->body = nullptr;
    }
    parameter->~ParameterBody();
    memory::deallocate(parameter, sizeof(ParameterBody));
}

Node& record_node(const Op& op, Body& output, std::span<const RecordedInput> inputs, bool save_output,
                  std::size_t rule_bytes) {
    if (inputs.size() > std::numeric_limits<decltype(Node::input_count)>::max()) {
        throw ValueError(
            fmt::format("{}: {} inputs are more than one op can record; join them in groups", op.name, inputs.size()));
    }
    std::size_t saved_count = save_output ? 1 : 0;
    for (const RecordedInput& input : inputs) {
        saved_count += input.save ? 1 : 0;
    }
    const std::size_t bytes = block_size(inputs.size(), saved_count, rule_bytes);
    Node* node = new (memory::allocate(bytes)) Node;
    Tape& here = tape();
    node->input_count = static_cast<std::uint16_t>(inputs.size());
    node->saved_count = static_cast<std::uint16_t>(saved_count);
    node->dtype = output.dtype;
    node->block_bytes = static_cast<std::uint32_t>(bytes);
    node->op = &op;
    node->tape = &here;
    node->shape = output.shape;
    std::uint64_t& sequence = TapeAccess::sequence(here);
    Ref<Node>* edge = node->inputs().data();
    Saved* saved = node->saved().data();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Body& body = **inputs[i].body;
        new (edge++) Ref<Node>(body.node);
        if (body.node && body.node->sequence > sequence) {
            sequence = body.node->sequence;
        }
        if (inputs[i].save) {
            save(*node, saved++, body, static_cast<int>(i));
        }
    }
    if (save_output) {
        save(*node, saved, output, -1);
    }
    node->sequence = ++sequence;
    TapeAccess::add(TapeAccess::nodes(here), 1);
    TapeAccess::add(TapeAccess::bytes(here), bytes);
    output.node = Ref<Node>::adopt(node);
    return *node;
}

}  // namespace xtape
