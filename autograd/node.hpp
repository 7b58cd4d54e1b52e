#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <xtape/autograd/storage.hpp>

namespace xtape {

struct Node;
class Tape;

/// What a tensor handle points to: a value, and the node that made it if it takes part in a gradient.
struct Body {
    RefCount refs;
    DType dtype;
    bool is_parameter;  // then this is a ParameterBody
    Shape shape;
    Ref<Storage> storage;
    Ref<Node> node;

    friend void destroy(Body* body) noexcept;
};

/// A leaf whose gradient is wanted. The gradient belongs to the body, not to the node, so that a gradient with a graph
/// of its own (`create_graph`), which refers to the leaf's node, is no cycle.
struct ParameterBody : Body {
    Ref<Body> gradient;
};

class RuleContext;

/// What nodes of one kind share: a name, the derivative rule, and how to destroy the rule's parameters.
struct Op {
    const char* name;
    void (*rule)(RuleContext&);
    void (*destroy_rule)(void*) noexcept;
};

/// A value that a node keeps for its rule: the buffer, never the handle.
struct Saved {
    Ref<Storage> storage;
    Shape shape;
    std::uint32_t version;  // of the leaf it came from, when it was saved
    std::int32_t input;     // which input it is; -1: the node's own output
};

using HookFunction = std::function<Ref<Body>(const Ref<Body>&)>;
using Hooks = std::vector<std::shared_ptr<HookFunction>>;

/// One recorded operation. The node itself is followed in memory by its inputs' nodes (null for constants), its saved
/// values, and its rule's parameters, all in one block of the pool.
struct Node {
    RefCount refs;
    std::uint16_t input_count;
    std::uint16_t saved_count;
    bool released = false;  // replayed, and what it saved is gone
    DType dtype;            // of its output
    std::uint32_t block_bytes;
    union {
        std::uint64_t sequence;  // later than its inputs'
        Node* next_pending;      // while it waits for destruction
    };
    const Op* op;
    Tape* tape;
    std::unique_ptr<Hooks> hooks;
    Shape shape;  // of its output

    [[nodiscard]] bool is_leaf() const noexcept { return op->rule == nullptr; }
    [[nodiscard]] std::span<Ref<Node>> inputs() noexcept {
        return {reinterpret_cast<Ref<Node>*>(this + 1), input_count};
    }
    [[nodiscard]] std::span<Saved> saved() noexcept {
        return {reinterpret_cast<Saved*>(inputs().data() + input_count), saved_count};
    }
    [[nodiscard]] void* rule() noexcept { return saved().data() + saved_count; }

    /// Lets go of the saved values.
    void release_saved() noexcept;

    friend void destroy(Node* node) noexcept;
};
static_assert(sizeof(Node) % alignof(Saved) == 0);

/// The node of a leaf: where gradients arrive.
struct LeafNode : Node {
    ParameterBody* body = nullptr;  // null once the last handle is gone
    std::atomic<std::uint32_t> version{0};
};

}  // namespace xtape
