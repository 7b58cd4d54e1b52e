#pragma once

#include <concepts>
#include <iosfwd>
#include <type_traits>

#include <xtape/autograd/node.hpp>
#include <xtape/autograd/tape.hpp>
#include <xtape/autograd/value_buffer.hpp>
#include <xtape/autograd/xtensor.hpp>

namespace xtape {

template <class T>
class Tensor;

template <class A>
struct is_tensor : std::false_type {};
template <class T>
struct is_tensor<Tensor<T>> : std::true_type {};

template <class A>
concept AnyTensor = is_tensor<std::remove_cvref_t<A>>::value;
template <class A>
concept Scalar = std::is_arithmetic_v<std::remove_cvref_t<A>>;
template <class A>
concept XtensorExpression = !AnyTensor<A> && xt::is_xexpression<std::remove_cvref_t<A>>::value;

/// What a replay may be asked for. See Tensor::backward.
struct BackwardOptions {
    bool retain_graph = false;  ///< keep what the graph saved, so that it can be replayed again
    bool create_graph = false;  ///< record the replay, so that the gradients can be differentiated; retains the graph
};

/// A hook that was registered on a tensor. It stays when this handle goes; `remove` takes it off.
class Hook {
public:
    explicit Hook(std::weak_ptr<HookFunction> function) : function_(std::move(function)) {}
    void remove();

private:
    std::weak_ptr<HookFunction> function_;
};

/// A handle to an n-dimensional array of `T` (float or double) and to its place on the tape. Copying a handle copies no
/// numbers: both then mean the same tensor. Values are row-major and contiguous, and ops return evaluated tensors.
/// A default-constructed tensor is empty, and any use of it throws ValueError.
template <class T = float>
class Tensor {
    static_assert(std::same_as<T, float> || std::same_as<T, double>, "xtape::Tensor holds float or double");

public:
    using value_type = T;
    /// What `value()` returns: a read-only xtensor container that shares the tensor's buffer and is safe to hold.
    using Value = xt::xarray_adaptor<ValueBuffer<T>, xt::layout_type::row_major, xt::svector<std::size_t, 4>>;

    Tensor() noexcept = default;

    /// A constant with the value of a scalar, 0-dimensional.
    template <Scalar S>
    requires(!std::same_as<std::remove_cvref_t<S>, bool>) Tensor(S value)
        : Tensor(full_scalar(static_cast<T>(value))) {}

    /// A constant with the value of an xtensor expression, evaluated now. The expression's element type must be `T` or
    /// the other floating type; integers and bools are converted only by `cast<T>(expression)`.
    template <XtensorExpression E>
    explicit Tensor(const E& expression) : Tensor(from_expression(expression)) {
        static_assert(
            std::is_floating_point_v<typename E::value_type>,
            "integer and boolean data is not converted without being asked: write xtape::cast<T>(expression)");
    }

    /// A constant of this shape whose elements are to be written through `fresh_data`, once.
    [[nodiscard]] static Tensor uninitialized(const Shape& shape);

    [[nodiscard]] Value value() const;
    /// The one element; throws ValueError unless size() == 1.
    [[nodiscard]] T item() const;
    [[nodiscard]] const T* data() const { return static_cast<const T*>(body().storage->data()); }
    /// Where the elements of a tensor lie that nobody else has seen yet: fresh from `uninitialized`. Throws GraphError
    /// otherwise.
    [[nodiscard]] T* fresh_data() const;

    [[nodiscard]] const Shape& shape() const { return body().shape; }
    [[nodiscard]] std::size_t dimension() const { return body().shape.size(); }
    [[nodiscard]] std::size_t size() const { return element_count(body().shape); }
    /// True if a gradient flows into this tensor: it is a parameter or was made from one while recording.
    [[nodiscard]] bool requires_grad() const { return static_cast<bool>(body().node); }
    /// True for parameters and constants: what no recorded op made.
    [[nodiscard]] bool is_leaf() const { return !body().node || body().is_parameter; }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(body_); }

    /// Replays the tape from this tensor, which must have one element, and adds the gradients into the leaves'
    /// `grad()`. Throws ShapeError for more than one element; GraphError if nothing here requires a gradient, if the
    /// graph was replayed before without `retain_graph`, or if a value it saved was overwritten.
    void backward(BackwardOptions options = {}) const;
    /// The same from a cotangent of this tensor's shape: the leaves get vᵀJ.
    void backward(const Tensor& seed, BackwardOptions options = {}) const;

    [[nodiscard]] bool has_grad() const;
    /// The gradient gathered so far. Throws GraphError if there is none.
    [[nodiscard]] Tensor grad() const;
    /// Drops the gradient.
    void zero_grad() const;

    /// The same value outside the graph; shares the buffer.
    [[nodiscard]] Tensor detach() const;

    /// Overwrites a leaf's value; the shape stays. What `value()`, `grad()` and `detach()` gave out before keeps its
    /// numbers. Throws GraphError for a tensor that an op made, ShapeError for another shape.
    template <XtensorExpression E>
    void assign(const E& expression) const {
        assign(Tensor(expression));
    }
    void assign(const Tensor& value) const;

    /// Calls `hook` with the gradient of this tensor in each replay, when it is complete; what it returns takes the
    /// gradient's place. Throws GraphError if no gradient flows here. A hook that holds this tensor's handle keeps it
    /// alive: capture what you need.
    template <std::invocable<const Tensor&> F>
    Hook register_hook(F hook) const {
        return add_hook(
            [f = std::move(hook)](const Ref<Body>& g) mutable -> Ref<Body> { return Tensor(f(Tensor(g))).body_; });
    }

    /// This tensor with elements of type `U`; differentiable.
    template <class U>
    [[nodiscard]] Tensor<U> cast() const;

    /// New tensors in this handle's place: `x += y` is `x = x + y`. Throws GraphError where x is a parameter, naming
    /// `assign`.
    template <class B>
    Tensor& operator+=(const B& b) {
        return *this = rebound("+=") + b;
    }
    template <class B>
    Tensor& operator-=(const B& b) {
        return *this = rebound("-=") - b;
    }
    template <class B>
    Tensor& operator*=(const B& b) {
        return *this = rebound("*=") * b;
    }
    template <class B>
    Tensor& operator/=(const B& b) {
        return *this = rebound("/=") / b;
    }

    /// For xtape's own sources: the handle as what it points to, and back.
    explicit Tensor(Ref<Body> body) noexcept : body_(std::move(body)) {}
    [[nodiscard]] const Ref<Body>& ref() const noexcept { return body_; }
    [[nodiscard]] Ref<Body> take() && noexcept { return std::move(body_); }
    [[nodiscard]] Body& body() const {
        if (!body_) [[unlikely]] {
            throw_empty();
        }
        return *body_;
    }

private:
    [[noreturn]] static void throw_empty();
    [[nodiscard]] static Tensor full_scalar(T value);
    [[nodiscard]] const Tensor& rebound(const char* op) const;
    [[nodiscard]] Hook add_hook(HookFunction hook) const;

    template <class E>
    [[nodiscard]] static Tensor from_expression(const E& expression) {
        Tensor tensor = uninitialized(Shape(expression.shape()));
        auto target = xt::adapt(tensor.fresh_data(), tensor.size(), xt::no_ownership(),
                                xt::svector<std::size_t, 4>(tensor.shape().begin(), tensor.shape().end()));
        xt::noalias(target) = expression;
        return tensor;
    }

    Ref<Body> body_;
};

template <XtensorExpression E>
Tensor(const E&) -> Tensor<typename E::value_type>;

/// A leaf whose gradient is wanted, with the value of an xtensor expression.
template <XtensorExpression E>
[[nodiscard]] Tensor<typename E::value_type> parameter(const E& expression) {
    return parameter(Tensor<typename E::value_type>(expression));
}
/// A leaf whose gradient is wanted, with the value of a constant.
template <class T>
[[nodiscard]] Tensor<T> parameter(const Tensor<T>& value);
[[nodiscard]] inline Tensor<double> parameter(double value) { return parameter(Tensor<double>(value)); }
[[nodiscard]] inline Tensor<float> parameter(float value) { return parameter(Tensor<float>(value)); }

/// A constant with elements of type `T` from an expression of any arithmetic element type. (A constrained forwarding
/// reference, or xt::cast would win where both are found.)
template <class T, class E>
requires XtensorExpression<E>
[[nodiscard]] Tensor<T> cast(E&& expression) { return Tensor<T>(xt::cast<T>(expression)); }

/// For writers that overwrite a leaf in place (assign, optimisers, loading): where to write all its elements. A buffer
/// that anybody else holds is replaced by a fresh one; `keep_elements` then brings the numbers along. The leaf's
/// version goes up.
template <class T>
[[nodiscard]] T* begin_overwrite(const Tensor<T>& leaf, bool keep_elements = false);

template <class T>
std::ostream& operator<<(std::ostream& stream, const Tensor<T>& x);

extern template class Tensor<float>;
extern template class Tensor<double>;

}  // namespace xtape
