// An expression and its gradient, with numbers that can be checked by hand.

#include <xtape/autograd.hpp>

#include "support/check.hpp"

using xtape::grad;
using xtape::parameter;

int main() {
    support::Check check;

    // Numbers. Every operation on x and y is recorded on the tape as it runs; backward() replays the tape from f,
    // newest first, and leaves the derivatives in x.grad() and y.grad().
    const auto x = parameter(3.0);
    const auto y = parameter(4.0);
    const auto f = x * x * y + y + 2;
    f.backward();
    check.close("f = x²y + y + 2", f.item(), 42);
    check.close("df/dx = 2xy", x.grad().item(), 24);
    check.close("df/dy = x² + 1", y.grad().item(), 10);

    // Arrays. They broadcast as in NumPy and xtensor: b is added to both rows of A, so its gradient sums over the rows.
    const auto A = parameter(xt::xarray<double>{{1, 2}, {3, 4}});
    const auto b = parameter(xt::xarray<double>{10, 20});
    const auto g = mean(square(A + b));  // (11² + 22² + 13² + 24²) / 4
    g.backward();
    check.close("g = mean((A + b)²)", g.item(), 337.5);
    check.close("dg/dA[1, 0] = 13 / 2", A.grad().value()(1, 0), 6.5);
    check.close("dg/db[0] = (11 + 13) / 2", b.grad().value()(0), 12);
    check.close("dg/db[1] = (22 + 24) / 2", b.grad().value()(1), 23);

    // Derivatives of derivatives. With create_graph the replay is recorded too, and grad() touches no leaf.
    const auto t = parameter(2.0);
    const auto h = t * t * t;
    const auto h1 = grad(h, {t}, {.create_graph = true})[0];
    const auto h2 = grad(h1, {t}, {.create_graph = true})[0];
    const auto h3 = grad(h2, {t})[0];
    check.close("h = t³", h.item(), 8);
    check.close("h' = 3t²", h1.item(), 12);
    check.close("h'' = 6t", h2.item(), 12);
    check.close("h''' = 6", h3.item(), 6);

    return check.exit_code();
}
