#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

namespace detail {

/// A user's function with its types forgotten.
template <class T>
class CheckpointedFunction {
public:
    virtual ~CheckpointedFunction() = default;
    [[nodiscard]] virtual std::vector<Tensor<T>> operator()(const std::vector<Tensor<T>>& xs) = 0;
};

template <class T, class F>
class CheckpointedCall final : public CheckpointedFunction<T> {
public:
    explicit CheckpointedCall(F f) : f_(std::move(f)) {}
    [[nodiscard]] std::vector<Tensor<T>> operator()(const std::vector<Tensor<T>>& xs) override { return f_(xs); }

private:
    F f_;
};

template <class T>
[[nodiscard]] std::vector<Tensor<T>> run_checkpointed(std::unique_ptr<CheckpointedFunction<T>> f,
                                                      const std::vector<Tensor<T>>& xs);

/// What f returns for an X: one tensor or several, as a list and back.
template <class Result>
struct CheckpointResult;
template <class T>
struct CheckpointResult<Tensor<T>> {
    using type = T;
    static std::vector<Tensor<T>> listed(Tensor<T> y) { return {std::move(y)}; }
    static Tensor<T> unlisted(std::vector<Tensor<T>> ys) { return std::move(ys.front()); }
};
template <class T>
struct CheckpointResult<std::vector<Tensor<T>>> {
    using type = T;
    static std::vector<Tensor<T>> listed(std::vector<Tensor<T>> ys) { return ys; }
    static std::vector<Tensor<T>> unlisted(std::vector<Tensor<T>> ys) { return ys; }
};

/// `call` takes the list of inputs and returns f's result.
template <class Result, class T, class Call>
[[nodiscard]] Result checkpoint_as(Call call, const std::vector<Tensor<T>>& xs) {
    using Results = CheckpointResult<Result>;
    auto listed = [call = std::move(call)](const std::vector<Tensor<T>>& at) mutable {
        return Results::listed(call(at));
    };
    return Results::unlisted(
        run_checkpointed<T>(std::make_unique<CheckpointedCall<T, decltype(listed)>>(std::move(listed)), xs));
}

template <class F, class... Xs>
using CheckpointedOutput = std::remove_cvref_t<std::invoke_result_t<F&, Xs...>>;

}  // namespace detail

/// f(x...), recorded as one node that saves x and lets go of what f recorded inside: the replay runs f again and
/// differentiates that. Memory for time: n layers in segments of √n keep about 2 √n layers' values instead of n, for
/// one more forward pass (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016).
///
/// f takes the tensors, or a vector of them if that is what `checkpoint` is given, all of one element type, and returns
/// a tensor or a vector of tensors. It is kept with the node: captured references must live as long, and a module goes
/// in by reference (`std::ref(module)`). Parameters and other recorded tensors that f captures get their gradients as
/// if there were no checkpoint. Gradients can be differentiated again (`create_graph` runs f recorded), and checkpoints
/// may stand inside checkpoints.
///
/// f must do the same each time, on the calling thread. Random numbers come out as they did (`random::normal`,
/// nn::Dropout, ...; a generator of f's own would go on); a module that counts or averages what it sees should ask
/// `is_recomputing()`. The replay throws GraphError if f then gives other shapes, uses other recorded tensors or draws
/// more random numbers; or, before anything is run, if a leaf that it uses has been overwritten.
template <class F, AnyTensor... Xs>
[[nodiscard]] auto checkpoint(F&& f, const Xs&... xs) {
    using Result = detail::CheckpointedOutput<std::decay_t<F>, const Xs&...>;
    using T = typename detail::CheckpointResult<Result>::type;
    static_assert((std::same_as<Xs, Tensor<T>> && ...),
                  "checkpoint: inputs and result must have one element type; cast them inside the function");
    return detail::checkpoint_as<Result, T>(
        [f = std::decay_t<F>(std::forward<F>(f))](const std::vector<Tensor<T>>& at) mutable {
            return [&]<std::size_t... i>(std::index_sequence<i...>)->Result { return std::invoke(f, at[i]...); }
            (std::index_sequence_for<Xs...>());
        },
        std::vector<Tensor<T>>{xs...});
}
template <class T, class F>
[[nodiscard]] auto checkpoint(F&& f, const std::vector<Tensor<T>>& xs) {
    using Result = detail::CheckpointedOutput<std::decay_t<F>, const std::vector<Tensor<T>>&>;
    return detail::checkpoint_as<Result, T>(std::decay_t<F>(std::forward<F>(f)), xs);
}
template <class T, class F>
[[nodiscard]] auto checkpoint(F&& f, std::initializer_list<Tensor<T>> xs) {
    return checkpoint(std::forward<F>(f), std::vector<Tensor<T>>(xs));
}

/// True while a checkpoint's function runs again on this thread: what it does was done before.
[[nodiscard]] bool is_recomputing() noexcept;

/// What checkpoints spare: counts those that this thread records while it lives.
class CheckpointReport {
public:
    CheckpointReport() noexcept;
    CheckpointReport(const CheckpointReport&) = delete;
    CheckpointReport& operator=(const CheckpointReport&) = delete;
    ~CheckpointReport();

    /// How many checkpoints were recorded.
    [[nodiscard]] std::size_t checkpoints() const noexcept { return checkpoints_; }
    /// What the tape keeps for them, in bytes as `tape().bytes()` counts them. A buffer that was saved before isn't
    /// counted again.
    [[nodiscard]] std::size_t saved_bytes() const noexcept { return saved_bytes_; }
    /// What their functions had recorded and the tape would have kept without them.
    [[nodiscard]] std::size_t spared_bytes() const noexcept { return spared_bytes_; }

    /// For checkpoints: one has been recorded.
    static void add(std::size_t saved_bytes, std::size_t spared_bytes) noexcept;

private:
    std::size_t checkpoints_ = 0;
    std::size_t saved_bytes_ = 0;
    std::size_t spared_bytes_ = 0;
    CheckpointReport* outer_;
};

}  // namespace xtape
