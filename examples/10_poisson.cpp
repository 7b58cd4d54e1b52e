// A differential equation solved by a network: the loss holds the network's second derivative by its input, and is
// itself differentiated by the weights. Its way down is poisson.svg (in the folder given as argument).

#include <fmt/core.h>

#include <numbers>
#include <xtape/xtape.hpp>

#include "support/check.hpp"
#include "support/picture.hpp"

namespace nn = xtape::nn;
namespace optim = xtape::optim;
using Array = xtape::Tensor<double>;

int main(int argc, char** argv) try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    xtape::random::seed(0);

    // Poisson's equation on [0, 1]: -u'' = pi^2 sin(pi x) + 4 pi^2 sin(2 pi x), and u = 0 at both ends. Its solution is
    // u = sin(pi x) + sin(2 pi x). Raissi, Perdikaris and Karniadakis, "Physics-informed neural networks", Journal of
    // Computational Physics 378 (2019).
    constexpr double pi = std::numbers::pi;
    const auto x = xtape::parameter(reshape(xtape::linspace<double>(0, 1, 64), {64, 1}));
    const Array source = pi * pi * (sin(pi * x.detach()) + 4 * sin(2 * pi * x.detach()));
    const Array ends = reshape(xtape::linspace<double>(0, 1, 2), {2, 1});

    nn::MLP<double> u({1, 16, 16, 1}, nn::Activation::tanh);
    optim::LBFGS<double> optimizer(
        u.parameters(),
        {.max_iter = 1, .tolerance_grad = 0, .tolerance_change = 0, .line_search_fn = optim::LineSearch::strong_wolfe});
    const auto closure = [&] {
        optimizer.zero_grad();
        // Each row of u depends on its own row of x only, so the gradient of the sum holds every row's derivative.
        const Array slope = grad(sum(u(x)), {x}, {.create_graph = true})[0];
        const Array curvature = grad(sum(slope), {x}, {.create_graph = true})[0];
        auto loss = mean(square(curvature + source)) + 100 * mean(square(u(ends)));
        loss.backward();
        return loss;
    };

    // Between the points where the equation was asked for, too.
    const Array everywhere = reshape(xtape::linspace<double>(0, 1, 1001), {1001, 1});
    const Array solution = sin(pi * everywhere) + sin(2 * pi * everywhere);
    const auto error = [&] {
        const xtape::NoGradGuard no_grad;
        return amax(abs(u(everywhere) - solution)).item();
    };

    support::Curve loss{.name = "loss", .x = {}, .y = {}};
    support::Curve off{.name = "largest error of u", .x = {}, .y = {}};
    for (int iteration = 0; iteration <= 1000; ++iteration) {
        off.x.push_back(iteration);
        off.y.push_back(error());
        loss.x.push_back(iteration);
        loss.y.push_back(optimizer.step(closure).item());
        if (iteration % 100 == 0) {
            fmt::print("iteration {:4}  loss {:.3e}  largest error {:.2e}\n", iteration, loss.y.back(), off.y.back());
        }
    }
    fmt::print("{}\n", support::draw_curves(folder / "poisson", "A network that solves Poisson's equation", "iteration",
                                            "", {loss, off}));

    support::Check check;
    const Array quarters = reshape(xtape::linspace<double>(0, 1, 5), {5, 1});
    const auto found = u(quarters).value();
    check.close("u(1/4) = √½ + 1", found(1, 0), std::sqrt(0.5) + 1, 1e-4);
    check.close("u(1/2) = 1", found(2, 0), 1, 1e-4);
    check.close("u(3/4) = √½ - 1", found(3, 0), std::sqrt(0.5) - 1, 1e-4);
    check.close("largest error", error(), 0, 1e-4);
    return check.exit_code();
} catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
}
