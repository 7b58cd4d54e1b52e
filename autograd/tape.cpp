#include <xtape/autograd/tape.hpp>

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/observer.hpp>
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
    static Observer*& observer(Tape& t) noexcept { return t.observer_; }
    static void destroy_later(Node* node) noexcept;
};

inline Saved::Saved(const Body& body, std::int32_t input) noexcept : input_and_flags_(input << flag_bits) {
    if (input >= 0 && body.node && body.node->is_leaf()) {
        version_ = static_cast<LeafNode*>(body.node.get())->version.load(std::memory_order_relaxed);
        input_and_flags_ |= of_leaf;
    }
    if (body.storage->is_small() && element_count(body.shape) * bodies::size_of(body.dtype) <= sizeof(copy_)) {
        input_and_flags_ |= copied;
        std::memcpy(copy_, body.storage->data(), sizeof(copy_));
    } else {
        new (&storage_) Ref<Storage>(body.storage);
    }
}

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
                TapeAccess::observer(*tape) = nullptr;
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
// The same while no observer watches, else null: an op pays nothing for the question, having to ask whether there is a
// tape.
[[gnu::tls_model("initial-exec")]] constinit thread_local Tape* unwatched_tape = nullptr;

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
    this_tape = unwatched_tape = TapeRegistry::instance().acquire();
    if (pthread_setspecific(key, this_tape) != 0) {
        throw std::bad_alloc();
    }
    return *this_tape;
}

constexpr std::size_t block_size(std::size_t inputs, std::size_t saved, std::size_t constants,
                                 std::size_t rule_bytes) noexcept {
    return sizeof(Node) + inputs * sizeof(Ref<Node>) + saved * sizeof(Saved) + constants * sizeof(Shape) + rule_bytes;
}

void save(Node& node, Saved* where, const Body& body, std::int32_t input) {
    Storage* buffer = (new (where) Saved(body, input))->buffer();
    // Only a large buffer is worth two atomic operations to know whether another node keeps it too.
    if (buffer == nullptr) {
        return;
    }
    if (buffer->is_small()) {
        TapeAccess::add(TapeAccess::bytes(*node.tape), buffer->block_bytes);
    } else if (buffer->saved.fetch_add(1, std::memory_order_acq_rel) == 0) {
        buffer->counted_on() = node.tape;
        TapeAccess::add(TapeAccess::bytes(*node.tape), buffer->block_bytes);
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
    const std::span<Ref<Node>> inputs = node->inputs();
    const std::span<Saved> saved = node->saved();
    const std::span<Shape> constant_shapes = node->constant_shapes();
    if (node->op->destroy_rule != nullptr) {
        node->op->destroy_rule(node->rule());
    }
    std::destroy(constant_shapes.begin(), constant_shapes.end());
    std::destroy(saved.begin(), saved.end());
    std::destroy(inputs.begin(), inputs.end());
    const std::size_t bytes = node->block_bytes;
    TapeAccess::remove(*node->tape, TapeAccess::nodes(*node->tape), 1);
    TapeAccess::remove(*node->tape, TapeAccess::bytes(*node->tape), bytes);
    node->~Node();
    memory::deallocate(node, bytes);
}

// After a change of who watches.
void set_watched() noexcept { unwatched_tape = current_observer() == nullptr ? &tape() : nullptr; }

// Of a node whose rule's parameters are not there yet.
constexpr Op op_without_rule = {"", nullptr, nullptr};

// Records where somebody watches, who is told then; also the first op of a thread.
[[gnu::noinline]] Node& record_observed(const Op& op, Body& output, std::span<const RecordedInput> inputs,
                                        bool save_output, std::size_t rule_bytes) {
    Observer* observer = current_observer();
    unwatched_tape = &tape();
    try {
        Node& node = record_node(op, output, inputs, save_output, rule_bytes);
        set_watched();
        if (observer != nullptr) {
            observer->recorded(node, output, inputs);
        }
        return node;
    } catch (...) {
        set_watched();
        if (output.node) {
            output.node->op = &op_without_rule;
            output.node.reset();
        }
        throw;
    }
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

std::uint64_t latest_sequence() noexcept { return TapeAccess::sequence(tape()); }

Observer* current_observer() noexcept { return TapeAccess::observer(tape()); }
Observer::Observer() : outer_(std::exchange(TapeAccess::observer(tape()), this)) { set_watched(); }
Observer::~Observer() {
    Observer** place = &TapeAccess::observer(tape());
    while (*place != this) {
        place = &(*place)->outer_;
    }
    *place = outer_;
    set_watched();
}
void Observer::recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs) {
    if (outer_ != nullptr) {
        outer_->recorded(node, output, inputs);
    }
}
void Observer::replay(const RuleRun& run) { outer_ != nullptr ? outer_->replay(run) : run(); }

std::mutex& leaf_mutex() noexcept {
    static std::mutex* mutex = new std::mutex;  // outlives tensors with static storage
    return *mutex;
}

Ref<Storage> Saved::share() const {
    if (!is_copy()) {
        return storage_;
    }
    Ref<Storage> fresh = Storage::allocate(sizeof(copy_));
    std::memcpy(fresh->data(), copy_, sizeof(copy_));
    return fresh;
}

const Shape& Node::constant_shape(std::size_t input) noexcept {
    const Shape* found = constant_shapes().data();
    for (const Saved& value : saved()) {
        if (static_cast<std::size_t>(value.input()) == input) {
            break;
        }
        found += value.input() >= 0 && !inputs()[static_cast<std::size_t>(value.input())] ? 1 : 0;
    }
    return *found;
}

void Node::release_saved() noexcept {
    for (Saved& value : saved()) {
        if (Storage* buffer = value.buffer()) {
            Tape* counted = buffer->is_small() ? tape : buffer->counted_on();
            if (buffer->is_small() || buffer->saved.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                TapeAccess::remove(*counted, TapeAccess::bytes(*counted), buffer->block_bytes);
            }
            value.release();
        }
    }
}

void destroy(Node* node) noexcept { TapeAccess::destroy_later(node); }

void destroy(Body* body) noexcept {
    if (!body->is_parameter) {
        body->~Body();
        memory::cached::deallocate(body, sizeof(Body));
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
    if (unwatched_tape == nullptr) [[unlikely]] {
        return record_observed(op, output, inputs, save_output, rule_bytes);
    }
    Tape& here = *unwatched_tape;
    if (inputs.size() > std::numeric_limits<decltype(Node::input_count)>::max()) {
        throw ValueError(
            fmt::format("{}: {} inputs are more than one op can record; join them in groups", op.name, inputs.size()));
    }
    std::size_t saved_count = save_output ? 1 : 0;
    std::size_t constant_count = 0;
    for (const RecordedInput& input : inputs) {
        saved_count += input.save ? 1 : 0;
        constant_count += input.save && !(*input.body)->node ? 1 : 0;
    }
    const std::size_t bytes = block_size(inputs.size(), saved_count, constant_count, rule_bytes);
    Node* node = new (memory::allocate(bytes)) Node;
    node->input_count = static_cast<std::uint16_t>(inputs.size());
    node->saved_count = static_cast<std::uint16_t>(saved_count);
    node->constant_count = static_cast<std::uint16_t>(constant_count);
    node->dtype = output.dtype;
    node->block_bytes = static_cast<std::uint32_t>(bytes);
    node->op = &op;
    node->tape = &here;
    node->shape = output.shape;
    std::uint64_t sequence = TapeAccess::sequence(here);
    Ref<Node>* edge = node->inputs().data();
    Saved* saved = node->saved().data();
    Shape* constant_shape = node->constant_shapes().data();
    std::int32_t index = 0;
    for (const RecordedInput& input : inputs) {
        const Body& body = **input.body;
        new (edge++) Ref<Node>(body.node);
        if (body.node) {
            sequence = std::max(sequence, body.node->sequence);
        }
        if (input.save) {
            save(*node, saved++, body, index);
            if (!body.node) {
                new (constant_shape++) Shape(body.shape);
            }
        }
        ++index;
    }
    if (save_output) {
        save(*node, saved, output, -1);
    }
    node->sequence = TapeAccess::sequence(here) = sequence + 1;
    TapeAccess::add(TapeAccess::nodes(here), 1);
    TapeAccess::add(TapeAccess::bytes(here), bytes);
    output.node = Ref<Node>::adopt(node);
    return *node;
}

}  // namespace xtape
