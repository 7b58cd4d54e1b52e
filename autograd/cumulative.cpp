#include <xtape/autograd/cumulative.hpp>

#include <algorithm>

#include <xtape/autograd/axes.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

enum class Direction { forward, backward };

Direction reversed(Direction direction) {
    return direction == Direction::forward ? Direction::backward : Direction::forward;
}

// Calls f(place, place before) for all elements with one before them along the axis, in the order of the direction.
// Elements that lie beside one another in memory are done together.
template <class F>
void for_each_step(const Lines& lines, Direction direction, F f) {
    const bool forward = direction == Direction::forward;
    for (std::size_t o = 0; o < lines.outer; ++o) {
        for (std::size_t step = 1; step < lines.extent; ++step) {
            const std::size_t to = lines.at(o, forward ? step : lines.extent - 1 - step, 0);
            const std::size_t from = lines.at(o, forward ? step - 1 : lines.extent - step, 0);
            for (std::size_t k = 0; k < lines.inner; ++k) {
                f(to + k, from + k);
            }
        }
    }
}

// x moved one step along the axis, with a number coming in at the end that it leaves.
template <class T>
Tensor<T> moved_on(const Tensor<T>& x, std::size_t axis, Direction direction, double filling) {
    StridedLayout rest{.extents = x.shape(), .strides = contiguous_strides(x.shape()), .offset = 0};
    if (rest.extents[axis] == 0) {
        return x;
    }
    rest.extents[axis] -= 1;
    Shape edge = x.shape();
    edge[axis] = 1;
    const auto along = static_cast<std::ptrdiff_t>(axis);
    if (direction == Direction::forward) {
        return concatenate({full<T>(edge, filling), gather(x, rest)}, along);
    }
    rest.offset = rest.strides[axis];
    return concatenate({gather(x, rest), full<T>(edge, filling)}, along);
}

// ------------------------------------------------------------------------------------------------------------- cumsum

template <class T>
Tensor<T> running_sum(const Tensor<T>& x, std::size_t axis, Direction direction);

template <class T>
struct RunningSumRule {
    static constexpr const char* name = "cumsum";
    std::size_t axis;
    Direction direction;
    // An element is in all the sums from its own on.
    void operator()(RuleContext& context) const {
        context.give(0, running_sum(context.gradient<T>(), axis, reversed(direction)));
    }
};

template <class T>
Tensor<T> running_sum(const Tensor<T>& x, std::size_t axis, Direction direction) {
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    T* sums = std::copy_n(x.data(), x.size(), raw(y)) - x.size();
    for_each_step(Lines(x.shape(), axis), direction,
                  [sums](std::size_t to, std::size_t from) { sums[to] += sums[from]; });
    if (records(x)) {
        record(RunningSumRule<T>{axis, direction}, y.body(), {{x}});
    }
    return y;
}

// ------------------------------------------------------------------------------------------------------------ cumprod

template <class T>
Tensor<T> recurrence(const Tensor<T>& a, const Tensor<T>& b, std::size_t axis, Direction direction);

// Of y = b + a y', where y' is y one step before: with G = g + a' G', run the other way (a', G' one step after), the
// gradient by b is G and that by a is G y'. A recurrence again, so closed under differentiation.
template <class T>
struct RecurrenceRule {
    static constexpr const char* name = "recurrence";
    std::size_t axis;
    Direction direction;
    void operator()(RuleContext& context) const {
        const Direction back = reversed(direction);
        const Tensor<T> after = moved_on(context.input<T>(0), axis, back, 0.0);
        const Tensor<T> g = recurrence(after, context.gradient<T>(), axis, back);
        if (context.wants(0)) {
            context.give(0, strong(g, moved_on(context.output<T>(), axis, direction, 0.0)));
        }
        if (context.wants(1)) {
            context.give(1, g);
        }
    }
};

// yᵢ = bᵢ + aᵢ yᵢ₋₁ along an axis, or yᵢ = bᵢ + aᵢ yᵢ₊₁; the first is b alone. It carries gradients: 0 goes on as 0
// whatever a is.
template <class T>
Tensor<T> recurrence(const Tensor<T>& a, const Tensor<T>& b, std::size_t axis, Direction direction) {
    Tensor<T> y = Tensor<T>::uninitialized(b.shape());
    T* ys = std::copy_n(b.data(), b.size(), raw(y)) - b.size();
    for_each_step(Lines(b.shape(), axis), direction, [ys, as = a.data()](std::size_t to, std::size_t from) {
        ys[to] += ys[from] == T(0) ? T(0) : as[to] * ys[from];
    });
    if (records(a, b)) {
        record(RecurrenceRule<T>{axis, direction}, y.body(), {{a, true}, {b}}, true);
    }
    return y;
}

// Element i is in the products yᵢ, yᵢ₊₁, ...: its gradient is yᵢ₋₁ (gᵢ + xᵢ₊₁ (gᵢ₊₁ + xᵢ₊₂ (gᵢ₊₂ + ...))).
template <class T>
struct RunningProductRule {
    static constexpr const char* name = "cumprod";
    std::size_t axis;
    void operator()(RuleContext& context) const {
        const Tensor<T> after = moved_on(context.input<T>(0), axis, Direction::backward, 0.0);
        const Tensor<T> before = moved_on(context.output<T>(), axis, Direction::forward, 1.0);
        context.give(0, strong(recurrence(after, context.gradient<T>(), axis, Direction::backward), before));
    }
};

}  // namespace

template <class T>
Tensor<T> detail::cumsum(const Tensor<T>& x, std::ptrdiff_t axis) {
    return running_sum(x, normalize_axis("cumsum", axis, x.shape()), Direction::forward);
}

template <class T>
Tensor<T> detail::cumprod(const Tensor<T>& x, std::ptrdiff_t axis) {
    const std::size_t along = normalize_axis("cumprod", axis, x.shape());
    Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    T* products = std::copy_n(x.data(), x.size(), raw(y)) - x.size();
    for_each_step(Lines(x.shape(), along), Direction::forward,
                  [products](std::size_t to, std::size_t from) { products[to] *= products[from]; });
    if (records(x)) {
        record(RunningProductRule<T>{along}, y.body(), {{x, true}}, true);
    }
    return y;
}

template <class T>
Tensor<T> detail::as_row(const Tensor<T>& x) {
    return reshape(x, Axes{static_cast<std::ptrdiff_t>(x.size())});
}

#define XTAPE_INSTANTIATE(T)                                              \
    template Tensor<T> detail::cumsum(const Tensor<T>&, std::ptrdiff_t);  \
    template Tensor<T> detail::cumprod(const Tensor<T>&, std::ptrdiff_t); \
    template Tensor<T> detail::as_row(const Tensor<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
