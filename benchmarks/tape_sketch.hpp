#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

/// The yardstick for the cost of a node: xtape's design with all left out that could be. One type, no broadcasting, no
/// second order, no hooks, no promise on exceptions, one tape. What remains is what such a tape cannot do without:
/// handles, with the count in the node and safe across threads (that is most of what a node costs here); tensors of any
/// size, one element stored inline; pooled memory; ops behind function pointers; pure rules; a replay from the newest
/// node to the oldest that keeps its state outside the nodes; teardown without recursion.
namespace xtape::sketch {
class Tensor;
struct Node;

struct Op {
    const char* name;
    std::array<Tensor, 2> (*rule)(const Node&, Tensor gradient);  // the inputs' gradients
};

struct Node {
    std::atomic<std::uint32_t> references = 1;
    std::uint32_t size = 0;
    std::uint64_t number = 0;  // counts up as ops are recorded
    const Op* op = nullptr;    // none: a parameter or a constant
    std::array<Node*, 2> inputs{};
    Node* gradient = nullptr;  // a parameter's
    Node* next = nullptr;      // among the dead
    float* value = nullptr;
    float inline_value = 0;
    bool wanted = false;  // a parameter can be reached from here
};

/// Blocks of one size, carved from chunks that are given back when the program ends.
struct FreeList {
    void* take(std::size_t block) {
        if (head == nullptr) {
            const std::size_t count = block < 65536 ? 65536 / block : 1;
            chunks.emplace_back(new std::byte[count * block]);
            for (std::size_t i = count; i-- > 0;) {
                give(chunks.back().get() + i * block);
            }
        }
        return std::exchange(head, *static_cast<void**>(head));
    }
    void give(void* memory) { *static_cast<void**>(memory) = std::exchange(head, memory); }
    void* head = nullptr;
    std::vector<std::unique_ptr<std::byte[]>> chunks;
};

struct Tape {
    std::size_t nodes = 0;  // alive, constants included
    std::uint64_t recorded = 0;
    FreeList node_memory;
    std::array<FreeList, 33> buffers;  // by the power of two that holds the size
    static std::size_t power(std::uint32_t size) { return static_cast<std::size_t>(std::bit_width(size | 1)); }
    float* take_buffer(std::uint32_t n) { return static_cast<float*>(buffers[power(n)].take(4UL << power(n))); }
};

inline constinit Tape tape;

/// Drops one reference. The dead are strung together, so that a chain of any length needs no stack.
inline void release(Node* node) {
    Node* dead = nullptr;
    const auto drop = [&dead](Node* n) {
        if (n != nullptr && (n->references.load() == 1 || n->references.fetch_sub(1) == 1)) {
            n->next = std::exchange(dead, n);
        }
    };
    for (drop(node); dead != nullptr; --tape.nodes) {
        Node* n = std::exchange(dead, dead->next);
        drop(n->inputs[0]);
        drop(n->inputs[1]);
        drop(n->gradient);
        if (n->size != 1) {
            tape.buffers[tape.power(n->size)].give(n->value);
        }
        tape.node_memory.give(n);
    }
}

/// A handle. A copy of it is the same tensor.
class Tensor {
public:
    Tensor() = default;
    explicit Tensor(std::size_t size) : node_(new (tape.node_memory.take(sizeof(Node))) Node) {
        node_->size = static_cast<std::uint32_t>(size);
        node_->value = size == 1 ? &node_->inline_value : tape.take_buffer(node_->size);
        ++tape.nodes;
    }
    explicit Tensor(std::span<const float> values, bool wanted = false) : Tensor(values.size()) {
        std::copy(values.begin(), values.end(), node_->value);
        node_->wanted = wanted;
    }
    Tensor(const Tensor& other) : node_(other.node_) { node_ ? ++node_->references : 0; }
    Tensor(Tensor&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Tensor& operator=(Tensor other) noexcept { return std::swap(node_, other.node_), *this; }
    ~Tensor() { release(node_); }
    Node& node() const { return *node_; }
    std::span<const float> value() const { return {node_->value, node_->size}; }
    std::span<const float> gradient() const { return {node_->gradient->value, node_->size}; }
    void zero_gradient() const { release(std::exchange(node_->gradient, nullptr)); }

    /// Writes f(x, y), element by element.
    template <class F>
    Tensor filled(const Node& x, const Node& y, F f) && {
        if (x.size != y.size) {
            throw std::invalid_argument("the sketch does not broadcast");
        }
        for (std::uint32_t i = 0; i < x.size; ++i) {
            node_->value[i] = f(x.value[i], y.value[i]);
        }
        return std::move(*this);
    }

    /// Records that the op made this from x and y, if one of them leads to a parameter.
    Tensor recorded(const Op& op, const Tensor& x, const Tensor& y) && {
        node_->wanted = x.node_->wanted || y.node_->wanted;
        if (node_->wanted) {
            node_->op = &op;
            node_->number = ++tape.recorded;
            node_->inputs = {Tensor(x).leak(), Tensor(y).leak()};
        }
        return std::move(*this);
    }

    /// Adds the gradients of this tensor's sum to those of the parameters it came from.
    void backward() const {
        struct Arrival {
            Node* node;
            Tensor gradient;
            bool operator<(const Arrival& other) const { return node->number < other.node->number; }
        };
        std::vector<Arrival> waiting;  // a heap, the newest node on top
        const auto send = [&waiting](Node* to, Tensor gradient) {
            if (to->op != nullptr) {
                waiting.push_back({to, std::move(gradient)});
                std::push_heap(waiting.begin(), waiting.end());
            } else {
                to->gradient = add(Tensor(std::exchange(to->gradient, nullptr)), std::move(gradient)).leak();
            }
        };
        send(node_, Tensor(node_->size).filled(*node_, *node_, [](float, float) { return 1.0f; }));
        while (!waiting.empty()) {
            Node* node = waiting.front().node;
            Tensor gradient;
            for (; !waiting.empty() && waiting.front().node == node; waiting.pop_back()) {
                std::pop_heap(waiting.begin(), waiting.end());
                gradient = add(std::move(gradient), std::move(waiting.back().gradient));
            }
            std::array<Tensor, 2> parts = node->op->rule(*node, std::move(gradient));
            for (std::size_t i = 0; i < 2; ++i) {
                if (node->inputs[i]->wanted) {
                    send(node->inputs[i], std::move(parts[i]));
                }
            }
        }
    }

private:
    explicit Tensor(Node* node) : node_(node) {}
    Node* leak() { return std::exchange(node_, nullptr); }

    /// The sum, in the memory of the first if nobody else holds it.
    static Tensor add(Tensor a, Tensor b) {
        if (a.node_ == nullptr) {
            return b;
        }
        Node& first = *a.node_;
        return (first.references == 1 ? std::move(a) : Tensor(first.size)).filled(first, *b.node_, std::plus());
    }

    Node* node_ = nullptr;
};

inline Tensor operator+(const Tensor& x, const Tensor& y) {
    static constexpr Op op{"+", [](const Node&, Tensor g) { return std::array{g, std::move(g)}; }};
    return Tensor(x.node().size).filled(x.node(), y.node(), std::plus()).recorded(op, x, y);
}

inline Tensor operator*(const Tensor& x, const Tensor& y) {
    static constexpr auto times = [](auto& a, auto& b) { return Tensor(a.size).filled(a, b, std::multiplies()); };
    static constexpr Op op{
        "*", [](const Node& n, Tensor g) {  // NOLINT(performance-unnecessary-value-param): the table's type
            const auto [a, b] = n.inputs;
            return std::array{a->wanted ? times(g.node(), *b) : Tensor(), b->wanted ? times(g.node(), *a) : Tensor()};
        }};
    return times(x.node(), y.node()).recorded(op, x, y);
}

}  // namespace xtape::sketch
