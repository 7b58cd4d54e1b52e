#include <xtape/autograd/check_gradients.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/random.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/autograd/transforms.hpp>

namespace xtape {
namespace {

using Tensors = std::vector<Tensor<double>>;
using Function = std::function<Tensor<double>(const Tensors&)>;

Tensor<double> random_like(const Tensor<double>& x, random::Stream& stream) {
    Tensor<double> r = Tensor<double>::uninitialized(x.shape());
    std::generate_n(raw(r), r.size(), [&] { return stream.normal(); });
    return r;
}

Tensors parameters_at(const Tensors& xs) {
    Tensors leaves;
    for (const Tensor<double>& x : xs) {
        leaves.push_back(parameter(x.detach()));
    }
    return leaves;
}

// Reverse-mode gradients; zeros where y does not depend on an input, or on none at all.
Tensors gradients(const Tensor<double>& y, const Tensors& xs, const Tensor<double>& seed, bool create_graph) {
    return grad(y, xs, {.seed = seed, .retain_graph = true, .create_graph = create_graph, .allow_unused = true});
}

// f(xs + h direction), as constants: nothing is recorded.
Tensor<double> shifted(const Function& f, const Tensors& xs, const Tensors& direction, double h) {
    Tensors at;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        Tensor<double> moved = Tensor<double>::uninitialized(xs[i].shape());
        std::transform(xs[i].data(), xs[i].data() + xs[i].size(), direction[i].data(), raw(moved),
                       [h](double x, double d) { return x + h * d; });
        at.push_back(parameter(moved));  // f may differentiate inside
    }
    return f(at).detach();
}

class Checker {
public:
    Checker(const CheckOptions& options, CheckResult& result)
        : options_(options), result_(result), stream_(options.seed, random::stream_id("check_gradients")) {}

    void check(const Function& f, const Tensors& xs, int order) {
        options_.mode == CheckMode::jacobian ? check_jacobian(f, xs, order) : check_projections(f, xs, order);
    }

    // The next order's function: the first-order gradients of f under a random cotangent, each weighted at random,
    // summed up.
    Function derivative_of(const Function& f, const Tensors& xs) {
        const Tensor<double> y = f(parameters_at(xs));
        const Tensor<double> cotangent = random_like(y, stream_);
        Tensors weights;
        for (const Tensor<double>& x : xs) {
            weights.push_back(random_like(x, stream_));
        }
        return [f, cotangent, weights](const Tensors& at) {
            Tensor<double> total = 0.0;
            const Tensor<double> value = f(at);
            const Tensors g = gradients(value, at, cotangent, true);
            for (std::size_t i = 0; i < at.size(); ++i) {
                total = total + sum(weights[i] * g[i]);
            }
            return total;
        };
    }

private:
    [[nodiscard]] double step_at(double x) const {
        const double step = options_.step > 0 ? options_.step : std::cbrt(2.2e-16);
        return options_.step > 0 ? step : step * std::max(1.0, std::abs(x));
    }

    void check_jacobian(const Function& f, const Tensors& xs, int order) {
        const Tensors leaves = parameters_at(xs);
        const Tensor<double> y = f(leaves);
        // Row j of the Jacobian, by replay; a column of it, by differences.
        std::vector<Tensors> rows;
        for (std::size_t j = 0; j < y.size(); ++j) {
            Tensor<double> seed = Tensor<double>::uninitialized(y.shape());
            std::fill_n(raw(seed), seed.size(), 0.0);
            raw(seed)[j] = 1.0;
            rows.push_back(gradients(y, leaves, seed, false));
        }
        double scale = 1.0;
        for (const Tensors& row : rows) {
            for (const Tensor<double>& part : row) {
                for (std::size_t e = 0; e < part.size(); ++e) {
                    scale = std::isfinite(part.data()[e]) ? std::max(scale, std::abs(part.data()[e])) : scale;
                }
            }
        }
        for (std::size_t i = 0; i < xs.size(); ++i) {
            for (std::size_t e = 0; e < xs[i].size(); ++e) {
                Tensors direction;
                for (const Tensor<double>& x : xs) {
                    direction.push_back(x * 0.0);
                    std::fill_n(raw(direction.back()), x.size(), 0.0);
                }
                raw(direction[i])[e] = 1.0;
                const double h = step_at(xs[i].data()[e]);
                const Tensor<double> up = shifted(f, xs, direction, h);
                const Tensor<double> down = shifted(f, xs, direction, -h);
                for (std::size_t j = 0; j < y.size(); ++j) {
                    compare(rows[j][i].data()[e], (up.data()[j] - down.data()[j]) / (2 * h), scale, [&] {
                        return fmt::format("order {}: output element {} by input {} of shape {}, element {}", order, j,
                                           i, to_string(xs[i].shape()), e);
                    });
                }
            }
        }
    }

    void check_projections(const Function& f, const Tensors& xs, int order) {
        for (int p = 0; p < options_.projections; ++p) {
            const Tensors leaves = parameters_at(xs);
            const Tensor<double> y = f(leaves);
            const Tensor<double> cotangent = random_like(y, stream_);
            const Tensors g = gradients(y, leaves, cotangent, false);
            Tensors direction;
            double analytic = 0;
            double scale = 1.0;
            for (std::size_t i = 0; i < xs.size(); ++i) {
                direction.push_back(random_like(xs[i], stream_));
                for (std::size_t e = 0; e < xs[i].size(); ++e) {
                    const double term = g[i].data()[e] * direction[i].data()[e];
                    analytic += term;
                    scale = std::isfinite(term) ? std::max(scale, std::abs(term)) : scale;
                }
            }
            const double h = options_.step > 0 ? options_.step : std::cbrt(2.2e-16);
            const Tensor<double> up = shifted(f, xs, direction, h);
            const Tensor<double> down = shifted(f, xs, direction, -h);
            double numeric = 0;
            for (std::size_t j = 0; j < y.size(); ++j) {
                numeric += cotangent.data()[j] * (up.data()[j] - down.data()[j]) / (2 * h);
            }
            compare(analytic, numeric, scale, [&] { return fmt::format("order {}: random projection {}", order, p); });
        }
    }

    template <class Where>
    void compare(double analytic, double numeric, double scale, Where where) {
        const bool same_kind = std::isfinite(analytic) && std::isfinite(numeric);
        const double error =
            same_kind ? std::abs(analytic - numeric) / (1.0 + scale) : std::numeric_limits<double>::infinity();
        if (error > result_.max_error) {
            result_.max_error = error;
            result_.message = fmt::format("{}: analytic {:.10g}, numeric {:.10g}, difference {:.3g} of {:.3g} allowed",
                                          where(), analytic, numeric, error, options_.tolerance);
        }
        result_.ok = result_.ok && error <= options_.tolerance;
    }

    const CheckOptions& options_;
    CheckResult& result_;
    random::Stream stream_;
};

}  // namespace

CheckResult check_gradients(const Function& f, const std::vector<Tensor<double>>& xs, const CheckOptions& options) {
    if (options.order < 1) {
        throw ValueError(fmt::format("check_gradients: order is {}; it must be at least 1", options.order));
    }
    CheckResult result;
    Checker checker(options, result);
    Function current = f;
    for (int order = 1; order <= options.order; ++order) {
        checker.check(current, xs, order);
        if (order < options.order) {
            current = checker.derivative_of(current, xs);
        }
    }
    if (result.message.empty()) {
        result.message = "analytic and numeric derivatives agree exactly";
    }
    return result;
}

}  // namespace xtape
