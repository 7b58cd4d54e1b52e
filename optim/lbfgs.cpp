#include <xtape/optim/lbfgs.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/einsum.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/linalg.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/optim/optimizer_impl.hpp>

namespace xtape::optim {

namespace {

// --- parameters as one long vector
// --------------------------------------------------------------------------------------

template <class T>
Tensor<T> flat_values(const std::vector<Tensor<T>>& parameters) {
    std::vector<Tensor<T>> parts;
    for (const Tensor<T>& parameter : parameters) {
        parts.push_back(reshape(parameter.detach(), {-1}));
    }
    return concatenate(parts);
}

template <class T>
Tensor<T> flat_gradient(const std::vector<Tensor<T>>& parameters) {
    std::vector<Tensor<T>> parts;
    for (const Tensor<T>& parameter : parameters) {
        parts.push_back(parameter.has_grad() ? reshape(parameter.grad().detach(), {-1}) : zeros<T>({parameter.size()}));
    }
    return concatenate(parts);
}

template <class T>
void assign_flat(const std::vector<Tensor<T>>& parameters, const Tensor<T>& values) {
    std::size_t from = 0;
    for (const Tensor<T>& parameter : parameters) {
        const std::size_t to = from + parameter.size();
        parameter.assign(reshape(view(values, xt::range(from, to)), parameter.shape()));
        from = to;
    }
}

template <class T>
double inner(const Tensor<T>& a, const Tensor<T>& b) {
    return vdot(a, b).item();
}

template <class T>
double largest(const Tensor<T>& x) {
    return linalg::norm(x, linalg::Norm::inf).item();
}

// --- line search
// --------------------------------------------------------------------------------------------------------

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

}  // namespace

// --------------------------------------------------------------------------------------------------- the optimiser

void LBFGSOptions::check() const {
    check_not_negative("LBFGS", "lr", lr);
    check_not_negative("LBFGS", "tolerance_grad", tolerance_grad);
    check_not_negative("LBFGS", "tolerance_change", tolerance_change);
    if (history_size == 0) {
        throw ValueError("LBFGS: history_size is 0; it must be at least 1");
    }
}

template <class T>
LBFGS<T>::LBFGS(std::vector<Tensor<T>> parameters, LBFGSOptions options) {
    this->add_group(std::move(parameters), options);
}

template <class T>
void LBFGS<T>::step() {
    throw ValueError("LBFGS: step() without a closure; it evaluates the loss several times: call step(closure)");
}

template <class T>
Tensor<T> LBFGS<T>::step(const Closure& closure) {
    if (this->groups_.size() != 1) {
        throw ValueError(
            fmt::format("LBFGS: {} groups of parameters; it takes one, as all share a Hessian", this->groups_.size()));
    }
    if (!closure) {
        throw ValueError("LBFGS: the closure is empty; pass a function that computes the loss and its gradients");
    }
    const LBFGSOptions options = this->groups_[0].options;
    options.check();
    const std::vector<Tensor<T>> parameters = this->groups_[0].parameters;
    const Tensor<T> start = flat_values(parameters);
    State state = state_;
    try {
        Tensor<T> loss = iterate(closure, options, state);
        state_ = std::move(state);
        return loss;
    } catch (...) {
        assign_flat(parameters, start);
        throw;
    }
}

template <class T>
Tensor<T> LBFGS<T>::iterate(const Closure& closure, const LBFGSOptions& options, State& state) const {
    const std::vector<Tensor<T>>& parameters = this->groups_[0].parameters;
    const std::size_t max_eval = options.max_eval.value_or(options.max_iter * 5 / 4);

    const Tensor<T> first_loss = closure();
    std::size_t evaluations = 1;
    double loss = first_loss.item();
    Tensor<T> gradient = flat_gradient(parameters);
    if (largest(gradient) <= options.tolerance_grad) {
        return first_loss;
    }
    for (std::size_t iteration = 1; iteration <= options.max_iter; ++iteration) {
        const bool very_first = !state.direction;
        state.direction = next_direction(state, gradient, options.history_size);
        state.gradient = gradient;
        state.length =
            very_first ? std::min(1.0, 1 / static_cast<double>(norm_l1(gradient).item())) * options.lr : options.lr;
        const double slope = inner(gradient, state.direction);
        if (slope > -options.tolerance_change) {
            break;
        }

        const Tensor<T> x = flat_values(parameters);
        const auto move_to = [&](double t) { assign_flat(parameters, x + t * state.direction); };
        const typename StrongWolfe<T>::Evaluate evaluate = [&](double t) {
            move_to(t);
            ++evaluations;
            const double loss_there = closure().item();
            Tensor<T> gradient_there = flat_gradient(parameters);
            const double slope_there = inner(gradient_there, state.direction);
            return Trial<T>{t, loss_there, std::move(gradient_there), slope_there};
        };
        const double previous_loss = loss;
        if (options.line_search_fn == LineSearch::strong_wolfe) {
            const Trial<T> start{.t = 0, .loss = loss, .gradient = gradient, .slope = slope};
            const Trial<T> found = StrongWolfe<T>(evaluate, start, largest(state.direction)).search(state.length);
            state.length = found.t;
            loss = found.loss;
            gradient = found.gradient;
            move_to(found.t);
        } else if (iteration < options.max_iter) {
            const Trial<T> found = evaluate(state.length);
            loss = found.loss;
            gradient = found.gradient;
        } else {
            move_to(state.length);  // the next call of step begins with its loss
        }

        if (evaluations >= max_eval || largest(gradient) <= options.tolerance_grad ||
            state.length * largest(state.direction) <= options.tolerance_change ||
            std::abs(loss - previous_loss) < options.tolerance_change) {
            break;
        }
    }
    return first_loss;
}

template <class T>
Tensor<T> LBFGS<T>::next_direction(State& state, const Tensor<T>& gradient, std::size_t history_size) {
    if (!state.direction) {
        return -gradient;
    }
    auto& history = state.history;
    const Tensor<T> y = gradient - state.gradient;
    const Tensor<T> s = state.length * state.direction;
    const double ys = inner(y, s);
    if (ys > 1e-10) {  // else the Hessian would not stay positive definite
        if (history.size() >= history_size) {
            history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(history_size - 1));
        }
        history.push_back({.s = s, .y = y, .rho = 1 / ys});
        state.scale = ys / inner(y, y);
    }

    // Algorithm 7.4, the two-loop recursion: r = -H gradient.
    std::vector<double> alpha(history.size());
    Tensor<T> r = -gradient;
    for (std::size_t i = history.size(); i-- > 0;) {
        alpha[i] = history[i].rho * inner(history[i].s, r);
        r = r - alpha[i] * history[i].y;
    }
    r = state.scale * r;
    for (std::size_t i = 0; i < history.size(); ++i) {
        const double beta = history[i].rho * inner(history[i].y, r);
        r = r + (alpha[i] - beta) * history[i].s;
    }
    return r;
}

template class Optimizer<float, LBFGSOptions>;
template class Optimizer<double, LBFGSOptions>;
template class LBFGS<float>;
template class LBFGS<double>;

}  // namespace xtape::optim
