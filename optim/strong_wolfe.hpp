#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include <xtape/autograd/tensor.hpp>

/// The line search of LBFGS.
namespace xtape::optim::detail {

/// The loss along the direction d, at x + t d.
template <class T>
struct Trial {
    double t = 0;
    double loss = 0;
    Tensor<T> gradient;
    double slope = 0;  // of the loss over t: gradientᵀ d
};

/// Where the cubic with the losses and slopes of a and b has its minimum, no farther than the bounds; their middle
/// where it has none. Nocedal and Wright, equation 3.59.
template <class T>
double cubic_minimum(const Trial<T>& a, const Trial<T>& b, double lower, double upper) {
    const auto& [left, right] = a.t <= b.t ? std::tie(a, b) : std::tie(b, a);
    const double d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.t - right.t);
    const double square = d1 * d1 - left.slope * right.slope;
    if (!(square >= 0)) {
        return (lower + upper) / 2;
    }
    const double d2 = std::sqrt(square);
    const double t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
    return std::min(std::max(t, lower), upper);
}

/// Algorithms 3.5 and 3.6 of Nocedal and Wright with PyTorch's choices of what they leave open.
template <class T>
class StrongWolfe {
public:
    using Evaluate = std::function<Trial<T>(double t)>;

    /// `start` is the trial at t = 0; `extent` the direction's largest element.
    StrongWolfe(const Evaluate& evaluate, const Trial<T>& start, double extent)
        : evaluate_(evaluate), start_(start), extent_(extent) {}

    /// The best point found from the length t on.
    Trial<T> search(double t) {
        Trial<T> previous = start_;
        Trial<T> trial = evaluate_(t);
        for (; trials_ < most_trials; ++trials_) {
            if (too_high(trial) || (trials_ > 1 && trial.loss >= previous.loss)) {
                return zoom(previous, trial);
            }
            if (flat_enough(trial)) {
                return trial;
            }
            if (trial.slope >= 0) {
                return zoom(previous, trial);
            }
            const double next = cubic_minimum(previous, trial, trial.t + 0.01 * (trial.t - previous.t), 10 * trial.t);
            previous = std::exchange(trial, evaluate_(next));
        }
        return start_.loss <= trial.loss ? start_ : trial;
    }

private:
    static constexpr double c1 = 1e-4;
    static constexpr double c2 = 0.9;
    static constexpr std::size_t most_trials = 25;
    static constexpr double smallest_change = 1e-9;  // of a parameter; an option elsewhere, but not in PyTorch's search

    [[nodiscard]] bool too_high(const Trial<T>& at) const { return at.loss > start_.loss + c1 * at.t * start_.slope; }
    [[nodiscard]] bool flat_enough(const Trial<T>& at) const { return std::abs(at.slope) <= -c2 * start_.slope; }

    /// Narrows an interval that holds points which satisfy the conditions; `older` is first by PyTorch's order, which
    /// decides where both losses are equal.
    Trial<T> zoom(const Trial<T>& older, const Trial<T>& newer) {
        std::array<Trial<T>, 2> bracket{older, newer};
        std::size_t low = older.loss <= newer.loss ? 0 : 1;
        bool near_an_end = false;
        for (; trials_ < most_trials; ++trials_) {
            const double from = std::min(bracket[0].t, bracket[1].t);
            const double to = std::max(bracket[0].t, bracket[1].t);
            if ((to - from) * extent_ < smallest_change) {
                break;
            }
            double t = cubic_minimum(bracket[0], bracket[1], from, to);
            // Twice in a row near an end, or on it, is little progress: then a tenth of the interval is cut off.
            const double margin = 0.1 * (to - from);
            const bool near = std::min(to - t, t - from) < margin;
            if (near && (near_an_end || t >= to || t <= from)) {
                t = std::abs(t - to) < std::abs(t - from) ? to - margin : from + margin;
                near_an_end = false;
            } else {
                near_an_end = near;
            }

            Trial<T> trial = evaluate_(t);
            Trial<T>& best = bracket[low];
            Trial<T>& other = bracket[1 - low];
            if (too_high(trial) || trial.loss >= best.loss) {
                other = std::move(trial);
                low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
                continue;
            }
            if (flat_enough(trial)) {
                return trial;
            }
            if (trial.slope * (other.t - best.t) >= 0) {
                other = best;
            }
            best = std::move(trial);
        }
        return bracket[low];
    }

    const Evaluate& evaluate_;
    const Trial<T>& start_;
    double extent_;
    std::size_t trials_ = 0;
};

}  // namespace xtape::optim::detail
