// A pendulum's length and damping from noisy angles: the loss is differentiated through every step of the integrator.
// How the estimates close in is pendulum.svg (in the folder given as argument).

#include <array>

#include <fmt/core.h>

#include <xtape/xtape.hpp>

#include "support/check.hpp"
#include "support/picture.hpp"

namespace optim = xtape::optim;
using Vector = xtape::Tensor<double>;

namespace {

constexpr double gravity = 9.81;
constexpr double true_length = 1.3;
constexpr double true_damping = 0.25;
constexpr double duration = 4;        // seconds
constexpr std::size_t samples = 100;  // measurements in that time
constexpr double noise = 0.01;        // of an angle, in radians

/// The angles (samples, releases) of pendulums let go at these angles: theta'' = -g/L sin(theta) - c theta', by Runge
/// and Kutta's method of order 4 with that many steps from one sample to the next. All of it is one node on the tape.
Vector swing(const Vector& length, const Vector& damping, const Vector& release, int steps) {
    const double h = duration / static_cast<double>(samples) / steps;
    const auto to_next_sample = [h, steps](auto theta, auto omega, auto, auto rate, auto drag) {
        const auto acceleration = [&](auto angle, auto velocity) { return -rate * sin(angle) - drag * velocity; };
        for (int step = 0; step < steps; ++step) {
            const auto a1 = acceleration(theta, omega);
            const auto v2 = omega + h / 2 * a1;
            const auto a2 = acceleration(theta + h / 2 * omega, v2);
            const auto v3 = omega + h / 2 * a2;
            const auto a3 = acceleration(theta + h / 2 * v2, v3);
            const auto v4 = omega + h * a3;
            const auto a4 = acceleration(theta + h * v3, v4);
            theta += h / 6 * (omega + 2 * v2 + 2 * v3 + v4);
            omega += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4);
        }
        return std::array{theta, omega};
    };
    const auto each_sample = xtape::zeros<double>({samples, std::size_t{1}});
    return scan(to_next_sample, {release, zeros_like(release)}, each_sample, gravity / length, damping)[0];
}

void add(support::Curve& curve, int x, double y) {
    curve.x.push_back(x);
    curve.y.push_back(y);
}

}  // namespace

int main(int argc, char** argv) try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    xtape::random::seed(0);

    // Measurements are computed with ten times as many steps as the fit takes.
    const Vector release{xt::xarray<double>{0.5, 1.2, 2.5}};
    const Vector measured =
        swing(true_length, true_damping, release, 10) + xtape::random::normal<double>({samples, 3}, 0, noise);

    // Both are positive: what is fitted is their logarithms, from 1 m and 0.1 / s on.
    const auto logs = xtape::parameter(xt::xarray<double>{0, std::log(0.1)});
    optim::LBFGS<double> optimizer({logs}, {.max_iter = 1, .line_search_fn = optim::LineSearch::strong_wolfe});
    support::Curve error{.name = "mean squared error of the angles", .x = {}, .y = {}};
    support::Curve length_off{.name = "length, share it is off", .x = {}, .y = {}};
    support::Curve damping_off{.name = "damping, share it is off", .x = {}, .y = {}};
    for (int iteration = 0; iteration <= 25; ++iteration) {
        const auto now = exp(logs.detach()).value();
        const auto loss = optimizer.step([&] {
            optimizer.zero_grad();
            auto l = mean(square(swing(exp(view(logs, 0)), exp(view(logs, 1)), release, 1) - measured));
            l.backward();
            return l;
        });
        add(error, iteration, loss.item());
        add(length_off, iteration, std::abs(now(0) / true_length - 1));
        add(damping_off, iteration, std::abs(now(1) / true_damping - 1));
        if (iteration % 5 == 0) {
            fmt::print("iteration {:2}  length {:.5f}  damping {:.5f}\n", iteration, now(0), now(1));
        }
    }
    fmt::print("{}\n", support::draw_curves(folder / "pendulum", "A pendulum's parameters", "iteration", "",
                                            {error, length_off, damping_off}));

    // 300 angles, each off by 0.01, settle both to some thousandths of their value; what is left is the noise's own.
    support::Check check;
    check.close("length", std::exp(logs.value()(0)), true_length, 0.003);
    check.close("damping", std::exp(logs.value()(1)), true_damping, 0.003);
    check.close("mean squared error", error.y.back(), noise * noise, 0.2 * noise * noise);
    return check.exit_code();
} catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
}
