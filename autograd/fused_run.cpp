#include <algorithm>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/fused_plan.hpp>
#include <xtape/autograd/storage.hpp>

namespace xtape::fused {
namespace {

// Elements at, at + 1, ... of the shape that x is broadcast to.
template <class T>
void expand(const BroadcastPlan<1>& plan, const T* x, std::size_t at, std::size_t n, T* out) {
    std::size_t within = at % plan.inner;
    std::size_t row = at / plan.inner;
    Shape index = plan.outer;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
        index[axis] = row % plan.outer[axis];
        row /= plan.outer[axis];
        x += index[axis] * plan.outer_strides[0][axis];
    }
    while (n > 0) {
        const std::size_t count = std::min(n, plan.inner - within);
        if (plan.inner_steps[0] != 0) {
            std::copy_n(x + within, count, out);
        } else {
            std::fill_n(out, count, *x);
        }
        out += count;
        n -= count;
        within = 0;
        for (std::size_t axis = 0; axis < index.size(); ++axis) {
            const std::size_t stride = plan.outer_strides[0][axis];
            x += stride;
            if (++index[axis] < plan.outer[axis]) {
                break;
            }
            x -= stride * plan.outer[axis];
            index[axis] = 0;
        }
    }
}

}  // namespace

// A plan's places in memory.
template <class T>
class Plan<T>::Run {
public:
    Run(const Plan& plan, const Shape& shape, std::span<const Input> inputs, std::span<T* const> outputs,
        std::span<const T> numbers, Rows rows)
        : plan_(plan), kernels_(kernels::active<T>()), rows_(rows), length_(element_count(shape) / rows.count) {
        expansions_.reserve(plan.expanded_.size());
        for (const Index input : plan.expanded_) {
            expansions_.emplace_back(shape, std::array{inputs[input].shape});
        }
        place(inputs, outputs, numbers);
    }

    void operator()() {
        for (const Call& call : plan_.before_) {
            perform(call, 0, call.kind == Kind::fill ? tile_ : 1);
        }
        if (!plan_.tiled_.empty()) {
            for (std::size_t at = 0; at < length_; at += tile_) {
                if (at != 0) {
                    to_next_tile();
                }
                perform_column(at, std::min(tile_, length_ - at));
            }
        }
        for (const Call& call : plan_.after_) {
            perform(call, 0, 1);
        }
    }

private:
    void place(std::span<const Input> inputs, std::span<T* const> outputs, std::span<const T> numbers) {
        // Tiles as long as all slots fit in the first cache, and not so short that calls count.
        constexpr std::size_t cache_bytes = 24 << 10;
        constexpr std::size_t line = 64 / sizeof(T);
        const auto whole_lines = [](std::size_t n) { return (n + line - 1) / line * line; };
        tile_ = std::clamp<std::size_t>(cache_bytes / sizeof(T) / (plan_.slots_ + 1U) / line * line, 256, 1024);
        tile_ = std::min(tile_, whole_lines(std::max<std::size_t>(length_, 1)));
        // No power of 2: slots would fight for the same ways of the cache.
        const std::size_t slot_size = tile_ + (tile_ == 1024 ? line : 0);

        const std::size_t slots_bytes = plan_.slots_ * slot_size * sizeof(T);
        const std::size_t cells_bytes = whole_lines(plan_.cells_) * sizeof(T);
        const std::size_t sums_bytes = plan_.sums_ * sizeof(double);
        memory_ = Storage::allocate(slots_bytes + cells_bytes + sums_bytes + plan_.places_.size() * sizeof(T*));
        auto* block = static_cast<std::byte*>(memory_->data());
        T* slots = reinterpret_cast<T*>(block);
        T* cells = reinterpret_cast<T*>(block + slots_bytes);
        sums_ = reinterpret_cast<double*>(block + slots_bytes + cells_bytes);
        std::fill_n(sums_, plan_.sums_, 0.0);
        places_ = reinterpret_cast<T**>(block + slots_bytes + cells_bytes + sums_bytes);
        for (std::size_t k = 0; k < plan_.places_.size(); ++k) {
            const Place& place = plan_.places_[k];
            // Where an input or a number lies nothing is written.
            switch (place.source) {
            case Source::nowhere: places_[k] = nullptr; break;
            case Source::input: places_[k] = const_cast<T*>(inputs[place.index].data); break;
            case Source::output: places_[k] = outputs[place.index]; break;
            case Source::number:
                places_[k] =
                    const_cast<T*>(place.index < numbers.size() ? &numbers[place.index] : &plan_.numbers_[place.index]);
                break;
            case Source::cell: places_[k] = cells + place.index; break;
            case Source::slot: places_[k] = slots + place.index * slot_size; break;
            }
            if (rows_.backward && place.moves == Moves::with_run) {
                places_[k] += (rows_.count - 1) * length_;
            }
        }
    }

    // The n elements from `at` on of all rows, one row after the other.
    void perform_column(std::size_t at, std::size_t n) {
        for (std::size_t done = 0; done < rows_.count; ++done) {
            if (done != 0) {
                move(Moves::with_run, row_step());
            }
            const std::size_t row = rows_.backward ? rows_.count - 1 - done : done;
            for (const Call& call : plan_.tiled_) {
                perform(call, row * length_ + at, n);
            }
        }
    }

    void to_next_tile() {
        const auto tile = static_cast<std::ptrdiff_t>(tile_);
        move(Moves::within_row, tile);
        move(Moves::with_run, tile - static_cast<std::ptrdiff_t>(rows_.count - 1) * row_step());
    }

    [[nodiscard]] std::ptrdiff_t row_step() const {
        const auto length = static_cast<std::ptrdiff_t>(length_);
        return rows_.backward ? -length : length;
    }

    void move(Moves which, std::ptrdiff_t distance) {
        for (std::size_t k = 0; k < plan_.places_.size(); ++k) {
            places_[k] += plan_.places_[k].moves == which ? distance : 0;
        }
    }

    void perform(const Call& call, std::size_t at, std::size_t n) {
        const T* g = places_[call.g];
        const T* a = places_[call.a];
        const T* b = places_[call.b];
        const T* y = places_[call.y];
        T* out = places_[call.out];
        const kernels::Steps steps{call.step_a, call.step_b};
        switch (call.kind) {
        case Kind::unary: call.kernel.unary(a, out, n); break;
        case Kind::unary_pull: call.kernel.unary_pull(g, a, y, out, n, call.add); break;
        case Kind::sine_and_cosine: kernels_.elementwise.sine_and_cosine(a, out, places_[call.y], n); break;
        case Kind::binary: call.kernel.binary(a, b, out, n, steps); break;
        case Kind::binary_pull: call.kernel.binary_pull(g, a, b, y, out, n, steps, call.add); break;
        case Kind::select: kernels_.elementwise.select(g, a, b, out, n, steps); break;
        case Kind::clip: kernels_.elementwise.clip(a, out, n, *b, *g); break;
        case Kind::clip_pull: kernels_.elementwise.clip_backward(g, a, out, n, *b, *y, call.add); break;
        case Kind::copy: std::copy_n(a, n, out); break;
        case Kind::fill: std::fill_n(out, n, *a); break;
        case Kind::expand: expand(expansions_[call.index], a, at, n, out); break;
        case Kind::sum: {
            T tile_sum = 0;
            kernels_.reduce.sum.elements(a, nullptr, &tile_sum, {1, n, 1});
            sums_[call.index] += static_cast<double>(tile_sum);
            break;
        }
        case Kind::total: *out = static_cast<T>(sums_[call.index]); break;
        }
    }

    const Plan& plan_;
    const kernels::Kernels<T>& kernels_;
    Rows rows_;
    std::size_t length_;  // of a row
    std::size_t tile_ = 0;
    PoolVector<BroadcastPlan<1>> expansions_;
    Ref<Storage> memory_;  // all that follows
    T** places_ = nullptr;
    double* sums_ = nullptr;
};

template <class T>
void Plan<T>::run(const Shape& shape, std::span<const Input> inputs, std::span<T* const> outputs,
                  std::span<const T> numbers, Rows rows) const {
    Run(*this, shape, inputs, outputs, numbers, rows)();
}

template void Plan<float>::run(const Shape&, std::span<const Input>, std::span<float* const>, std::span<const float>,
                               Rows) const;
template void Plan<double>::run(const Shape&, std::span<const Input>, std::span<double* const>, std::span<const double>,
                                Rows) const;

}  // namespace xtape::fused
