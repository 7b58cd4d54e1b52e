#include <xtape/optim/lbfgs.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>
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
#include <xtape/optim/strong_wolfe.hpp>

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

template <>
struct Rule<LBFGSOptions> {
    static constexpr const char* name = "LBFGS";
    template <class O, class F>
    static void for_each(O& options, F visit) {
        visit("lr", options.lr);
        visit("max_iter", options.max_iter);
        visit("max_eval", options.max_eval);
        visit("tolerance_grad", options.tolerance_grad);
        visit("tolerance_change", options.tolerance_change);
        visit("history_size", options.history_size);
        bool searches = options.line_search_fn == LineSearch::strong_wolfe;  // saved as 0 or 1
        visit("line_search_fn", searches);
        if constexpr (!std::is_const_v<O>) {
            options.line_search_fn = searches ? LineSearch::strong_wolfe : LineSearch::none;
        }
    }
};

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
        const typename detail::StrongWolfe<T>::Evaluate evaluate = [&](double t) {
            move_to(t);
            ++evaluations;
            const double loss_there = closure().item();
            Tensor<T> gradient_there = flat_gradient(parameters);
            const double slope_there = inner(gradient_there, state.direction);
            return detail::Trial<T>{t, loss_there, std::move(gradient_there), slope_there};
        };
        const double previous_loss = loss;
        if (options.line_search_fn == LineSearch::strong_wolfe) {
            const detail::Trial<T> start{.t = 0, .loss = loss, .gradient = gradient, .slope = slope};
            const detail::Trial<T> found =
                detail::StrongWolfe<T>(evaluate, start, largest(state.direction)).search(state.length);
            state.length = found.t;
            loss = found.loss;
            gradient = found.gradient;
            move_to(found.t);
        } else if (iteration < options.max_iter) {
            const detail::Trial<T> found = evaluate(state.length);
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

// ----------------------------------------------------------------------------------------------------- state dicts

template <class T>
io::StateDict LBFGS<T>::state_dict() const {
    io::StateDict state;
    this->write_groups(state);
    if (state_.direction) {
        write(state, "state.0.t", state_.length);
        write(state, "state.0.H_diag", state_.scale);
        state.emplace("state.0.d", state_.direction.value());
        state.emplace("state.0.prev_flat_grad", state_.gradient.value());
        const std::size_t pairs = state_.history.size();
        const std::size_t n = state_.direction.size();
        auto s = Tensor<T>::uninitialized({pairs, n});
        auto y = Tensor<T>::uninitialized({pairs, n});
        std::vector<double> rho(pairs);
        for (std::size_t i = 0; i < pairs; ++i) {
            std::copy_n(state_.history[i].s.data(), n, s.fresh_data() + i * n);
            std::copy_n(state_.history[i].y.data(), n, y.fresh_data() + i * n);
            rho[i] = state_.history[i].rho;
        }
        state.emplace("state.0.old_stps", s.value());
        state.emplace("state.0.old_dirs", y.value());
        write(state, "state.0.ro", rho);
    }
    return state;
}

template <class T>
void LBFGS<T>::load_state_dict(const io::StateDict& state) {
    StateReader reader(state, "LBFGS");
    auto groups = this->read_groups(reader);
    State loaded;
    const bool remembers =
        std::ranges::any_of(state, [](const auto& entry) { return entry.first.starts_with("state.0."); });
    if (remembers) {
        reader.read("state.0.t", loaded.length);
        reader.read("state.0.H_diag", loaded.scale);
        std::size_t n = 0;
        for (const Tensor<T>& parameter : this->groups_[0].parameters) {
            n += parameter.size();
        }
        const auto ro = state.find("state.0.ro");
        std::vector<double> rho(ro != state.end() ? ro->second.size() : 0);
        reader.read("state.0.ro", rho);
        const io::Array* const direction = reader.array("state.0.d", {n});
        const io::Array* const gradient = reader.array("state.0.prev_flat_grad", {n});
        const io::Array* const steps = reader.array("state.0.old_stps", {rho.size(), n});
        const io::Array* const changes = reader.array("state.0.old_dirs", {rho.size(), n});
        if (direction != nullptr && gradient != nullptr && steps != nullptr && changes != nullptr) {
            loaded.direction = Tensor<T>(direction->cast<T>());
            loaded.gradient = Tensor<T>(gradient->cast<T>());
            const Tensor<T> s(steps->cast<T>());
            const Tensor<T> y(changes->cast<T>());
            for (std::size_t i = 0; i < rho.size(); ++i) {
                loaded.history.push_back({.s = view(s, i), .y = view(y, i), .rho = rho[i]});
            }
        }
    }
    reader.finish();
    this->replace(std::move(groups));
    state_ = std::move(loaded);
}

template class Optimizer<float, LBFGSOptions>;
template class Optimizer<double, LBFGSOptions>;
template class LBFGS<float>;
template class LBFGS<double>;

}  // namespace xtape::optim
