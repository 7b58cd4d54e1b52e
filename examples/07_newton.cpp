// Second order: Newton's method, whose steps come from products with the Hessian alone, beside L-BFGS, which learns the
// curvature from gradients. Their curves are newton.svg (in the folder given as argument).

#include <fmt/core.h>

#include <xtape/xtape.hpp>

#include "support/check.hpp"
#include "support/picture.hpp"

constexpr auto wolfe = xtape::optim::LineSearch::strong_wolfe;
using Vector = xtape::Tensor<double>;
using Function = std::function<Vector(const Vector&)>;

namespace {

/// Conjugate gradients solve H p = -g as far as it helps, then p is shortened until f falls: Nocedal and Wright,
/// Numerical Optimization (2006), algorithm 7.1.
Vector newton_step(const Function& f, const Vector& x) {
    const auto [y, g] = value_and_grad(f, x);
    Vector p = zeros_like(x);
    Vector r = -g;
    Vector d = r;
    double rr = vdot(r, r).item();
    const double enough = rr * std::min(1e-4, rr);
    for (std::size_t i = 0; i < 10 * x.size() && rr > enough; ++i) {
        const Vector Hd = hvp(f, x, d);
        const double curvature = vdot(d, Hd).item();
        if (curvature <= 0) {  // no minimum that way: go as far as is known, or down the gradient
            p = i > 0 ? p : -g;
            break;
        }
        p += rr / curvature * d;
        r -= rr / curvature * Hd;
        const double before = std::exchange(rr, vdot(r, r).item());
        d = r + rr / before * d;
    }
    double t = 1;
    while (t > 1e-10 && f(x + t * p).item() > y.item() + 1e-4 * t * vdot(g, p).item()) {
        t /= 2;
    }
    return x + t * p;
}

/// Goes on from x until the gradient, whose length is the curve, has vanished.
support::Curve descend(const std::string& name, const Function& f, Vector& x, const Function& step) {
    support::Curve curve{.name = name, .x = {}, .y = {}};
    for (int i = 0; i <= 100 && (i == 0 || curve.y.back() >= 1e-7); ++i) {
        x = i == 0 ? x : step(x);
        curve.x.push_back(i);
        curve.y.push_back(norm_l2(value_and_grad(f, x).second).item());
    }
    fmt::print("{}: {} iterations\n", name, curve.x.back());
    return curve;
}

}  // namespace

int main(int argc, char** argv) {
    support::Check check;
    std::vector<support::Curve> curves;
    const auto solve = [&](const std::string& name, const Function& f, Vector x, const Vector& answer) {
        const auto p = xtape::parameter(x);
        curves.push_back(descend("Newton-CG, " + name, f, x, [&](const Vector& at) { return newton_step(f, at); }));
        check.close("farthest from the answer", amax(abs(x - answer)).item(), 0, 1e-6);
        xtape::optim::LBFGS<double> lbfgs({p}, {.max_iter = 1, .tolerance_change = 0, .line_search_fn = wolfe});
        const auto closure = [&] {
            lbfgs.zero_grad();
            const auto loss = f(p);
            loss.backward();
            return loss;
        };
        x = p.detach();
        const Function lbfgs_step = [&](const Vector&) { return lbfgs.step(closure), p.detach(); };
        curves.push_back(descend("L-BFGS, " + name, f, x, lbfgs_step));
        check.close("farthest from the answer", amax(abs(x - answer)).item(), 0, 1e-6);
    };

    // Rosenbrock's curved valley has its minimum, 0, at (1, 1).
    const Function rosenbrock = [](const Vector& x) {
        return 100 * square(view(x, 1) - square(view(x, 0))) + square(1 - view(x, 0));
    };
    solve("Rosenbrock", rosenbrock, Vector{xt::xarray<double>{-1.2, 1}}, Vector{xt::xarray<double>{1, 1}});

    // Logistic regression: of 100 patients each, 30 recovered without treatment, 50 with A, 80 with B. The coefficients
    // (constant, A, B) are the logarithm of the odds without treatment, and how much A and B add to it.
    const Vector treatments{xt::xarray<double>{{1, 0, 0}, {1, 1, 0}, {1, 0, 1}}};
    const Vector recovered{xt::xarray<double>{0.3, 0.5, 0.8}};
    const Function logistic = [&](const Vector& w) {
        const auto z = matmul(treatments, w);
        return mean(softplus(z) - recovered * z);
    };
    solve("logistic", logistic, xtape::zeros<double>({3}),
          Vector{xt::xarray<double>{std::log(3.0 / 7), std::log(7.0 / 3), std::log(28.0 / 3)}});

    fmt::print("{}\n", support::draw_curves(std::filesystem::path(argc > 1 ? argv[1] : ".") / "newton", "Second order",
                                            "iteration", "|gradient|", curves));
    return check.exit_code();
}
