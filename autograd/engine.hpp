#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

class Replay;

/// Where a fused rule writes a gradient itself: overwrite what is there, or add to it.
template <class T>
struct Accumulator {
    T* data;
    bool add;
};

/// What a derivative rule sees: the output's gradient, the saved values, and which inputs are wanted; and where it
/// hands over the inputs' gradients. Rules are pure: they keep nothing and add nothing up. Under `create_graph` the
/// values that a rule gets are connected to the graph and everything it computes is recorded.
class RuleContext {
public:
    /// `slots` tells for each input in which entry of the replay its gradient gathers.
    RuleContext(Node& node, Replay& replay, Ref<Body> gradient, const std::uint32_t* slots) noexcept
        : node_(node), replay_(replay), gradient_(std::move(gradient)), slots_(slots) {}

    template <class T>
    [[nodiscard]] Tensor<T> gradient() const {
        return Tensor<T>(gradient_);
    }
    template <class T>
    [[nodiscard]] const T* gradient_data() const noexcept {
        return static_cast<const T*>(gradient_->storage->data());
    }

    [[nodiscard]] std::size_t input_count() const noexcept { return node_.input_count; }
    [[nodiscard]] bool wants(std::size_t input) const;
    /// True if a gradient of this wanted input has arrived already: another will be added to it.
    [[nodiscard]] bool has_gradient(std::size_t input) const;
    [[nodiscard]] const Shape& output_shape() const noexcept { return node_.shape; }
    /// The shape of an input that is wanted or was saved.
    [[nodiscard]] const Shape& input_shape(std::size_t input) const;

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
        return saved == nullptr ? nullptr : static_cast<const T*>(saved->storage->data());
    }

    /// True under `create_graph`: the rule must then be written in tensor ops.
    [[nodiscard]] bool creates_graph() const noexcept;

    /// Hands over the gradient of an input; where the input was broadcast, the engine sums it back to the input's
    /// shape.
    template <class T>
    void give(std::size_t input, Tensor<T> gradient) {
        give_body(input, std::move(gradient).take());
    }
    /// Hands over the incoming gradient as that of an input. The last use of it may move it on.
    void pass_on(std::size_t input, bool is_last);
    /// For fused first-order rules: where to write the gradient of an input, of the input's own shape.
    template <class T>
    [[nodiscard]] Accumulator<T> accumulator(std::size_t input) {
        bool add = false;
        void* data = accumulator_data(input, false, add);
        return {static_cast<T*>(data), add};
    }
    /// The same for the last input that an elementwise rule differentiates by: it may get the incoming gradient's own
    /// buffer.
    template <class T>
    [[nodiscard]] Accumulator<T> accumulator_in_place(std::size_t input) {
        bool add = false;
        void* data = accumulator_data(input, true, add);
        return {static_cast<T*>(data), add};
    }

    [[nodiscard]] const void* rule() const noexcept { return node_.rule(); }

private:
    [[nodiscard]] const Saved* find_saved(int input) const noexcept;
    [[nodiscard]] Ref<Body> saved_value(int input) const;
    void give_body(std::size_t input, Ref<Body> gradient);
    [[nodiscard]] Ref<Body>& slot(std::size_t input) const noexcept;
    [[nodiscard]] void* accumulator_data(std::size_t input, bool in_place, bool& add);

    Node& node_;
    Replay& replay_;
    Ref<Body> gradient_;
    const std::uint32_t* slots_;
};

/// Replays the tape behind `output` from `seed` and adds what arrives into the leaves' gradients.
void replay_into_leaves(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options);

/// Replays the tape behind `output` from `seed` and returns the gradients by `wanted`, null where `output` does not
/// depend on one.
[[nodiscard]] std::vector<Ref<Body>> replay_for(const Ref<Body>& output, const Ref<Body>& seed, BackwardOptions options,
                                                std::span<const Ref<Body>> wanted);

}  // namespace xtape
