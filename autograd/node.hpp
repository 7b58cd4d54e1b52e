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
    void (*destroy_rule)(void*) noexcept;  // null where there is nothing to do
};

/// A value that a node keeps for its rule: the buffer, never the handle; of a few bytes a copy, which costs less than
/// to count one more owner.
class Saved {
public:
    /// `input` tells which input it is, -1 for the node's own output.
    Saved(const Body& body, std::int32_t input) noexcept;
    Saved(const Saved&) = delete;
    Saved& operator=(const Saved&) = delete;
    ~Saved() {
        if (!is_copy()) {
            storage_.~Ref();
        }
    }

    [[nodiscard]] std::int32_t input() const noexcept { return input_and_flags_ >> flag_bits; }
    /// True if it is a leaf's value; and the version of the leaf whose value it is.
    [[nodiscard]] bool is_of_leaf() const noexcept { return (input_and_flags_ & of_leaf) != 0; }
    [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
    [[nodiscard]] const void* data() const noexcept { return is_copy() ? copy_ : storage_->data(); }
    /// The buffer; null where the value was copied, or is released.
    [[nodiscard]] Storage* buffer() const noexcept { return is_copy() ? nullptr : storage_.get(); }
    /// The buffer for another owner; a fresh one where the value was copied.
    [[nodiscard]] Ref<Storage> share() const;
    void release() noexcept {
        if (!is_copy()) {
            storage_.reset();
        }
    }

private:
    union {
        Ref<Storage> storage_;
        std::byte copy_[8];
    };
    std::uint32_t version_ = 0;
    std::int32_t input_and_flags_;

    static constexpr int flag_bits = 2;
    static constexpr std::int32_t copied = 1;
    static constexpr std::int32_t of_leaf = 2;
    [[nodiscard]] bool is_copy() const noexcept { return (input_and_flags_ & copied) != 0; }
};

using HookFunction = std::function<Ref<Body>(const Ref<Body>&)>;
using Hooks = std::vector<std::shared_ptr<HookFunction>>;

/// One recorded operation. The node itself is followed in memory by its inputs' nodes (null for constants), its saved
/// values, the shapes of those among them that are constants, and its rule's parameters, all in one block of the pool.
struct Node {
    RefCount refs;
    std::uint16_t input_count;
    std::uint16_t saved_count;
    std::uint16_t constant_count;
    enum class State : std::uint8_t {
        leaf,  // no op made it
        recorded,
        released,  // replayed, and what it saved is gone
    } state = State::recorded;
    DType dtype;  // of its output
    std::uint32_t block_bytes;
    union {
        std::uint64_t sequence;  // later than its inputs'
        Node* next_pending;      // while it waits for destruction
    };
    const Op* op;
    Tape* tape;
    std::unique_ptr<Hooks> hooks;
    Shape shape;  // of its output

    [[nodiscard]] bool is_leaf() const noexcept { return state == State::leaf; }
    [[nodiscard]] std::span<Ref<Node>> inputs() noexcept {
        return {reinterpret_cast<Ref<Node>*>(this + 1), input_count};
    }
    [[nodiscard]] std::span<Saved> saved() noexcept {
        return {reinterpret_cast<Saved*>(inputs().data() + input_count), saved_count};
    }
    [[nodiscard]] std::span<Shape> constant_shapes() noexcept {
        return {reinterpret_cast<Shape*>(saved().data() + saved_count), constant_count};
    }
    [[nodiscard]] void* rule() noexcept { return constant_shapes().data() + constant_count; }
    /// The shape of an input that has a node or was saved.
    [[nodiscard]] const Shape& input_shape(std::size_t input) noexcept {
        const Node* node = inputs()[input].get();
        return node != nullptr ? node->shape : constant_shape(input);
    }

    /// Lets go of the saved values.
    void release_saved() noexcept;

    friend void destroy(Node* node) noexcept;

private:
    [[nodiscard]] const Shape& constant_shape(std::size_t input) noexcept;
};
static_assert(sizeof(Node) % alignof(Saved) == 0 && sizeof(Saved) % alignof(Shape) == 0);

/// The node of a leaf: where gradients arrive.
struct LeafNode : Node {
    ParameterBody* body = nullptr;  // null once the last handle is gone
    std::atomic<std::uint32_t> version{0};
};

}  // namespace xtape
