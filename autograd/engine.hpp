#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// Where a fused rule writes a gradient itself: overwrite what is there, or add to it.
template <class T>
struct Accumulator {
    T* data;
    bool add;
};

/// What a replay knows of one node.
struct ReplayEntry {
    explicit ReplayEntry(Node* n) noexcept : node(n) {}

    Node* node;
    Ref<Body> gradient;        // the sum of what has arrived
    std::uint32_t inputs = 0;  // where the entries of its inputs are listed
    bool wanted = true;        // its gradient is wanted, for itself or for what it leads to
    bool replayed = true;      // it leads to something wanted
    bool captured = false;     // it is wanted for itself

    static constexpr std::uint32_t none = ~std::uint32_t{0};
};

/// What a derivative rule sees: the output's gradient, the saved values, and which inputs are wanted; and where it
/// hands over the inputs' gradients. Rules are pure: they keep nothing and add nothing up. Under `create_graph` the
/// values that a rule gets are connected to the graph and everything it computes is recorded.
class RuleContext {
public:
    /// `inputs` tells for each input in which of the replay's entries its gradient gathers.
    RuleContext(Node& node, Ref<Body> gradient, ReplayEntry* entries, const std::uint32_t* inputs,
                bool creates_graph) noexcept
        : node_(node), gradient_(std::move(gradient)), entries_(entries), inputs_(inputs),
          creates_graph_(creates_graph) {}

    template <class T>
    [[nodiscard]] Tensor<T> gradient() const {
        return Tensor<T>(gradient_);
    }
    template <class T>
    [[nodiscard]] const T* gradient_data() const noexcept {
        return static_cast<const T*>(gradient_->storage->data());
    }

    /// Where a rule may write something of the gradient's shape: over the gradient itself if nobody else holds it.
    template <class T>
    [[nodiscard]] Tensor<T> scratch() const {
        return bodies::is_sole_owner(gradient_) ? Tensor<T>(gradient_) : Tensor<T>::uninitialized(node_.shape);
    }

    [[nodiscard]] std::size_t input_count() const noexcept { return node_.input_count; }
    [[nodiscard]] bool wants(std::size_t input) const noexcept {
        return inputs_[input] != ReplayEntry::none && entries_[inputs_[input]].wanted;
    }
    /// True if a gradient of this wanted input has arrived already: another will be added to it.
    [[nodiscard]] bool has_gradient(std::size_t input) const noexcept { return static_cast<bool>(slot(input)); }
    [[nodiscard]] const Shape& output_shape() const noexcept { return node_.shape; }
    /// The shape of an input that is wanted or was saved.
    [[nodiscard]] const Shape& input_shape(std::size_t input) const noexcept { return node_.input_shape(input); }

    /// The value of an input that was saved.
    template <class T>
    [[nodiscard]] Tensor<T> input(std::size_t index) const {
        return Tensor<T>(saved_value(static_cast<int>(index)));
    }
    /// The value of the output, if it was saved.
    template <class T>
    [[nodiscard]] Tensor<T> output() const {
        return Tensor<T>(saved_value(-1));
    }
    /// Where a saved value lies; -1 for the output. Null if it was not saved.
    template <class T>
    [[nodiscard]] const T* saved_data(int input) const {
        const Saved* saved = find_saved(input);
        return saved == nullptr ? nullptr : static_cast<const T*>(saved->data());
    }

    /// True under `create_graph`: the rule must then be written in tensor ops.
    [[nodiscard]] bool creates_graph() const noexcept { return creates_graph_; }

    /// Hands over the gradient of an input; where the input was broadcast, the engine sums it back to the input's
    /// shape.
    template <class T>
    void give(std::size_t input, Tensor<T> gradient) {
        Ref<Body> body = std::move(gradient).take();
        give_body(input, body, true);
    }
    /// Hands over the incoming gradient as that of an input. The last use of it may move it on.
    void pass_on(std::size_t input, bool is_last) { give_body(input, gradient_, is_last); }
    /// For fused first-order rules: where to write the gradient of an input, of the input's own shape.
    template <class T>
    [[nodiscard]] Accumulator<T> accumulator(std::size_t input) {
        return accumulate<T>(input, false);
    }
    /// The same for the last input that an elementwise rule differentiates by: it may get the incoming gradient's own
    /// buffer.
    template <class T>
    [[nodiscard]] Accumulator<T> accumulator_in_place(std::size_t input) {
        return accumulate<T>(input, true);
    }

    [[nodiscard]] const void* rule() const noexcept { return node_.rule(); }

private:
    [[nodiscard]] const Saved* find_saved(int input) const noexcept {
        for (const Saved& saved : node_.saved()) {
            if (saved.input() == input) {
                return &saved;
            }
        }
        return nullptr;
    }
    [[nodiscard]] Ref<Body>& slot(std::size_t input) const noexcept { return entries_[inputs_[input]].gradient; }
    [[nodiscard]] Ref<Body> saved_value(int input) const;
    void give_body(std::size_t input, Ref<Body>& gradient, bool may_move);
    void add_up(Ref<Body>& sum, Ref<Body>& term, bool may_move) const;
    template <class T>
    [[nodiscard]] Accumulator<T> accumulate(std::size_t input, bool in_place) {
        Ref<Body>& arrived = slot(input);
        const bool add = static_cast<bool>(arrived);
        if (mutation::enabled || !add || !bodies::is_sole_owner(arrived)) {
            if (add || !in_place || mutation::enabled || !bodies::is_sole_owner(gradient_)) {
                return own_slot<T>(input);
            }
            arrived = std::move(gradient_);
        }
        return {static_cast<T*>(arrived->storage->data()), add};
    }
    /// Makes the buffer in an input's slot one that nobody else holds.
    template <class T>
    [[nodiscard]] Accumulator<T> own_slot(std::size_t input);

    Node& node_;
    Ref<Body> gradient_;
    ReplayEntry* entries_;
    const std::uint32_t* inputs_;
    bool creates_graph_;
};

/// Replays the tape behind `output` from `seed` and adds what arrives into the leaves' gradients.
void replay_into_leaves(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options);

/// Replays the tape behind `output` from `seed` and returns the gradients by `wanted`, null where `output` does not
/// depend on one.
[[nodiscard]] std::vector<Ref<Body>> replay_for(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options,
                                                std::span<const Ref<Body>> wanted);

}  // namespace xtape
