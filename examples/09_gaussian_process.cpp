// A Gaussian process's hyperparameters by maximising the marginal likelihood of what was observed, and by the Hessian
// there how sure they are. The way there is gaussian_process.svg (in the folder given as argument).

#include <fmt/core.h>

#include <array>
#include <numbers>
#include <xtape/xtape.hpp>

#include "support/check.hpp"
#include "support/picture.hpp"

namespace linalg = xtape::linalg;
namespace optim = xtape::optim;
using Array = xtape::Tensor<double>;

namespace {

constexpr std::size_t n = 150;

/// The covariance of observations at x: amplitude^2 exp(-d^2 / (2 scale^2)) where they lie d apart, and noise^2 on the
/// diagonal. `logs` are the logarithms of scale, amplitude and noise.
Array covariance(const Array& x, const Array& logs) {
    const Array scale = exp(view(logs, 0));
    const Array distance = expand_dims(x, 1) - expand_dims(x, 0);
    return exp(2 * view(logs, 1)) * exp(-0.5 * square(distance / scale)) +
           exp(2 * view(logs, 2)) * xtape::eye<double>(n);
}

/// yᵀ K⁻¹ y by K's Cholesky factor.
Array squared_distance(const Array& K, const Array& y) {
    return sum(square(linalg::solve_triangular(linalg::cholesky(K), y)));
}

/// -log p(y): Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), equation 2.30.
Array negative_log_likelihood(const Array& x, const Array& y, const Array& logs) {
    const Array K = covariance(x, logs);
    const auto [sign, log_det] = linalg::slogdet(K);
    return 0.5 * (squared_distance(K, y) + log_det + n * std::log(2 * std::numbers::pi));
}

}  // namespace

int main(int argc, char** argv) try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    xtape::random::seed(0);

    // The truth, and one draw of the process with it at points between 0 and 20.
    const std::array<const char*, 3> names{"length scale", "amplitude", "noise"};
    const std::array<double, 3> truth{0.7, 1.5, 0.2};
    const Array true_logs = log(Array{xt::xarray<double>{truth[0], truth[1], truth[2]}});
    const Array x = xtape::random::uniform<double>({n}, 0, 20);
    const Array y = matmul(linalg::cholesky(covariance(x, true_logs)), xtape::random::normal<double>({n}));

    const auto logs = xtape::parameter(xtape::zeros<double>({3}));
    optim::LBFGS<double> optimizer({logs}, {.max_iter = 1, .line_search_fn = optim::LineSearch::strong_wolfe});
    std::vector<double> losses;
    support::Curve gradient{.name = "|gradient|", .x = {}, .y = {}};
    for (int iteration = 0; iteration <= 25; ++iteration) {
        bool first = true;  // a step may evaluate several times; what it began with is shown
        const auto loss = optimizer.step([&] {
            optimizer.zero_grad();
            auto l = negative_log_likelihood(x, y, logs);
            l.backward();
            if (std::exchange(first, false)) {
                gradient.x.push_back(iteration);
                gradient.y.push_back(norm_l2(logs.grad()).item());
            }
            return l;
        });
        losses.push_back(loss.item());
        if (iteration % 5 == 0) {
            fmt::print("iteration {:2}  -log p(y) = {:.6f}\n", iteration, losses.back());
        }
    }
    support::Curve excess{.name = "-log p(y) above its minimum", .x = {}, .y = {}};
    for (std::size_t i = 0; i < losses.size() && losses[i] - losses.back() > 1e-9; ++i) {
        excess.x.push_back(static_cast<double>(i));
        excess.y.push_back(losses[i] - losses.back());
    }
    fmt::print("{}\n", support::draw_curves(folder / "gaussian_process", "Marginal likelihood", "iteration", "",
                                            {excess, gradient}));

    // Where the likelihood does not change with the scale of K, which the three together can set, yᵀ K⁻¹ y is n.
    support::Check check;
    check.close("yᵀ K⁻¹ y", squared_distance(covariance(x, logs.detach()), y).item(), n, 1e-3);
    // The inverse of the Hessian is the covariance of the estimates: the truth is no farther than 3 standard errors.
    const auto likelihood = [&](const Array& l) { return negative_log_likelihood(x, y, l); };
    const auto errors = sqrt(diagonal(linalg::inv(hessian(likelihood, logs.detach())))).value();
    for (std::size_t i = 0; i < 3; ++i) {
        fmt::print("{}: {:.3f}, within {:.0f} %\n", names[i], std::exp(logs.value()(i)), 100 * errors(i));
        check.close(fmt::format("log {}", names[i]), logs.value()(i), std::log(truth[i]), 3 * errors(i));
        check.holds("that is within a third", errors(i) < 1.0 / 3);
    }
    return check.exit_code();
} catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
}
