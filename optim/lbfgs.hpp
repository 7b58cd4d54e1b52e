#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include <xtape/optim/optimizer.hpp>

namespace xtape::optim {

/// How LBFGS finds the length of a step along its direction.
enum class LineSearch {
    none,          ///< it is `lr`, but no more than `lr` / |gradient|_1 in the very first iteration
    strong_wolfe,  ///< from the same length on, until the strong Wolfe conditions hold (c1 = 1e-4, c2 = 0.9)
};

/// PyTorch's option names and defaults.
struct LBFGSOptions {
    double lr = 1;                          ///< the length of a step, or where its search begins: not negative
    std::size_t max_iter = 20;              ///< iterations in one call of `step`
    std::optional<std::size_t> max_eval{};  ///< evaluations of the closure in it; if none: max_iter * 5 / 4
    double tolerance_grad = 1e-7;           ///< done where no element of the gradient is larger
    double tolerance_change = 1e-9;         ///< done where loss or parameters change by less
    std::size_t history_size = 100;         ///< pairs (s, y) that are remembered: at least 1
    LineSearch line_search_fn = LineSearch::none;

    /// Throws ValueError naming the option, its value, and what is allowed.
    void check() const;
};

/// The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno by PyTorch's rule: Nocedal and Wright, Numerical
/// Optimization (2006), algorithms 7.4 and 7.5, with the line search of algorithms 3.5 and 3.6. One group of
/// parameters, taken as one long vector; a parameter without a gradient has the gradient 0.
template <class T = float>
class LBFGS : public Optimizer<T, LBFGSOptions> {
public:
    /// Drops the gradients, computes the loss, calls backward on it, and returns it.
    using Closure = std::function<Tensor<T>()>;

    /// Throws as Optimizer::add_group.
    explicit LBFGS(std::vector<Tensor<T>> parameters, LBFGSOptions options = {});

    /// Iterates until one of the options says that it is enough, and returns the loss before the first iteration, as
    /// PyTorch does. The gradients are left as the last call of the closure made them, which may have been at a point
    /// that the line search then passed over. What the closure throws is passed on, as is a ValueError for an empty
    /// closure, for options that are not allowed and for a loss of several elements: parameters and what was learned of
    /// the curvature are then as before.
    Tensor<T> step(const Closure& closure);

    /// PyTorch's entries of the first parameter: "state.0.d", "t", "H_diag", "prev_flat_grad", and the history, oldest
    /// first, as the rows of "old_stps" (s) and "old_dirs" (y) and as "ro".
    [[nodiscard]] io::StateDict state_dict() const override;
    void load_state_dict(const io::StateDict& state) override;

private:
    /// How the gradient changed (y) over a change of the parameters (s); rho = 1 / sᵀy.
    struct Correction {
        Tensor<T> s;
        Tensor<T> y;
        double rho = 0;
    };

    /// What goes from one iteration into the next, and from one call of `step` into the next.
    struct State {
        std::vector<Correction> history;  // oldest first
        double scale = 1;                 // of the first inverse Hessian, a multiple of the identity
        Tensor<T> direction;              // of the last step; empty before the first iteration
        double length = 0;                // of the last step, in units of the direction
        Tensor<T> gradient;               // where the last step began
    };

    void step() override;                         // by a base reference: throws, since there is no closure
    using Optimizer<T, LBFGSOptions>::add_group;  // private: all parameters share one Hessian

    Tensor<T> iterate(const Closure& closure, const LBFGSOptions& options, State& state) const;
    /// Takes the last step into the history, and gives the direction of the next one from a point with this gradient.
    static Tensor<T> next_direction(State& state, const Tensor<T>& gradient, std::size_t history_size);

    State state_;
};

extern template class Optimizer<float, LBFGSOptions>;
extern template class Optimizer<double, LBFGSOptions>;
extern template class LBFGS<float>;
extern template class LBFGS<double>;

}  // namespace xtape::optim
