#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include "gradbench_program.hpp"

/// The objectives of GradBench's evals over any scalar that overloads operators: what peers of that kind differentiate.
/// Where no derivative is wanted (the largest of some numbers, the nearest centroid) they go by values, as xtape's and
/// the hand-written ones do.
///
/// A Peer has a type Scalar and functions of its values:
///   double value(const Scalar& x)                              x without its derivatives
///   double differentiate(f, const double* x, n, double* g)     f(x) and its gradient; f takes a const Scalar*
///   void newton(f, const double* x, n, double* direction)      the gradient over the Hessian's row sums; f is generic
/// It finds exp, log and tanh of a Scalar by argument-dependent lookup.
namespace xtape::bench {

template <class Peer>
class ScalarGradbench {
    using S = typename Peer::Scalar;
    using Vector = std::vector<double>;

    static S sigmoid(const S& x) { return 1.0 / (1.0 + exp(-x)); }

    static S logsumexp(const S* x, std::size_t n) {
        double largest = -std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < n; ++i) {
            largest = std::max(largest, Peer::value(x[i]));
        }
        S sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += exp(x[i] - largest);
        }
        return log(sum) + largest;
    }

    static S log_posterior(const GradbenchProgram::Gmm& in, const S* alpha, const S* mu, const S* q, const S* l) {
        const std::size_t n = in.n;
        const std::size_t d = in.d;
        const std::size_t k = in.k;
        const std::size_t below = d * (d - 1) / 2;
        const double degrees = static_cast<double>(d) + in.m + 1;
        double constant = degrees * static_cast<double>(d) * std::log(in.gamma / std::numbers::sqrt2) -
                          static_cast<double>(below) / 2 * std::log(std::numbers::pi);
        for (std::size_t j = 0; j < d; ++j) {
            constant -= std::lgamma((degrees - static_cast<double>(j)) / 2);
        }
        S total = static_cast<double>(k) * constant - 0.5 * static_cast<double>(n * d) * std::log(2 * std::numbers::pi);

        std::vector<S> diagonal(k * d);
        std::vector<S> log_determinants(k);
        for (std::size_t c = 0; c < k; ++c) {
            S squares = 0.0;
            log_determinants[c] = 0.0;
            for (std::size_t i = c * d; i < (c + 1) * d; ++i) {
                diagonal[i] = exp(q[i]);
                log_determinants[c] += q[i];
                squares += diagonal[i] * diagonal[i];
            }
            for (std::size_t i = c * below; i < (c + 1) * below; ++i) {
                squares += l[i] * l[i];
            }
            total += in.m * log_determinants[c] - 0.5 * in.gamma * in.gamma * squares;
        }
        std::vector<S> centred(d);
        std::vector<S> whitened(d);
        std::vector<S> weights(k);
        for (std::size_t point = 0; point < n; ++point) {
            for (std::size_t c = 0; c < k; ++c) {
                for (std::size_t i = 0; i < d; ++i) {
                    centred[i] = in.x[point * d + i] - mu[c * d + i];
                    whitened[i] = diagonal[c * d + i] * centred[i];
                }
                const S* entry = l + c * below;
                for (std::size_t i = 0; i < d; ++i) {
                    for (std::size_t j = i + 1; j < d; ++j) {
                        whitened[j] += *entry++ * centred[i];
                    }
                }
                S squares = 0.0;
                for (std::size_t i = 0; i < d; ++i) {
                    squares += whitened[i] * whitened[i];
                }
                weights[c] = alpha[c] + log_determinants[c] - 0.5 * squares;
            }
            total += logsumexp(weights.data(), k);
        }
        total -= static_cast<double>(n) * logsumexp(alpha, k);
        return total;
    }

    static double gmm(const GradbenchProgram::Gmm& in, double* alpha, double* mu, double* q, double* l) {
        const std::size_t d = in.d;
        const std::size_t k = in.k;
        const std::size_t below = d * (d - 1) / 2;
        Vector x(in.alpha, in.alpha + k);
        x.insert(x.end(), in.mu, in.mu + k * d);
        x.insert(x.end(), in.q, in.q + k * d);
        x.insert(x.end(), in.l, in.l + k * below);
        const auto f = [&](const S* at) { return log_posterior(in, at, at + k, at + k + k * d, at + k + 2 * k * d); };
        Vector g(x.size());
        const double result = Peer::differentiate(f, x.data(), x.size(), g.data());
        const double* from = g.data();
        std::copy_n(from, k, alpha);
        std::copy_n(from + k, k * d, mu);
        std::copy_n(from + k + k * d, k * d, q);
        std::copy_n(from + k + 2 * k * d, k * below, l);
        return result;
    }

    static void lse(const double* x, std::size_t n, double* gradient) {
        Peer::differentiate([n](const S* at) { return logsumexp(at, n); }, x, n, gradient);
    }

    // Z, as the peer may take another scalar for second derivatives.
    template <class Z>
    static Z total_distance(const double* points, const Z* centroids, std::size_t n, std::size_t k, std::size_t d) {
        Vector values(k * d);
        std::transform(centroids, centroids + k * d, values.begin(), [](const Z& x) { return Peer::value(x); });
        Z total = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const double* point = points + i * d;
            double least = std::numeric_limits<double>::infinity();
            std::size_t nearest = 0;
            for (std::size_t c = 0; c < k; ++c) {
                double distance = 0.0;
                for (std::size_t j = 0; j < d; ++j) {
                    const double difference = point[j] - values[c * d + j];
                    distance += difference * difference;
                }
                if (distance < least) {
                    least = distance;
                    nearest = c;
                }
            }
            for (std::size_t j = 0; j < d; ++j) {
                const Z difference = point[j] - centroids[nearest * d + j];
                total += difference * difference;
            }
        }
        return total;
    }

    // The Hessian is diagonal: the sums of its rows are its diagonal.
    static void kmeans(const double* points, const double* centroids, std::size_t n, std::size_t k, std::size_t d,
                       double* direction) {
        Peer::newton([=](const auto* at) { return total_distance(points, at, n, k, d); }, centroids, k * d, direction);
    }

    static void llsq(const double* x, std::size_t m, std::size_t n, double* gradient) {
        const auto f = [=](const S* at) {
            S total = 0.0;
            for (std::size_t i = 0; i < n; ++i) {
                const double t = -1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(n - 1);
                S residual = static_cast<double>((t > 0.0) - (t < 0.0));
                double power = 1.0;
                for (std::size_t j = 0; j < m; ++j) {
                    residual -= at[j] * power;
                    power *= t;
                }
                total += residual * residual;
            }
            return S(0.5 * total);
        };
        Peer::differentiate(f, x, m, gradient);
    }

    static S loss(const GradbenchProgram::Lstm& in, const S* main, const S* extra) {
        const std::size_t bits = in.bits;
        std::vector<S> state(2 * in.layers * bits);
        std::copy_n(in.state, state.size(), state.begin());
        S total = 0.0;
        std::vector<S> predicted(bits);
        for (std::size_t t = 0; t + 1 < in.characters; ++t) {
            for (std::size_t bit = 0; bit < bits; ++bit) {
                S x = in.sequence[t * bits + bit] * extra[bit];
                for (std::size_t layer = 0; layer < in.layers; ++layer) {
                    const S* w = main + 8 * layer * bits + bit;
                    const S* b = w + 4 * bits;
                    S& hidden = state[2 * layer * bits + bit];
                    S& memory = state[(2 * layer + 1) * bits + bit];
                    const S forget = sigmoid(x * w[0] + b[0]);
                    const S input = sigmoid(hidden * w[bits] + b[bits]);
                    const S out = sigmoid(x * w[2 * bits] + b[2 * bits]);
                    const S change = tanh(hidden * w[3 * bits] + b[3 * bits]);
                    memory = memory * forget + input * change;
                    hidden = out * tanh(memory);
                    x = hidden;
                }
                predicted[bit] = x * extra[bits + bit] + extra[2 * bits + bit];
            }
            S sum = 2.0;
            for (const S& y : predicted) {
                sum += exp(y);
            }
            const S log_sum = log(sum);
            for (std::size_t bit = 0; bit < bits; ++bit) {
                total += in.sequence[(t + 1) * bits + bit] * (predicted[bit] - log_sum);
            }
        }
        return S(total * (-1.0 / static_cast<double>(bits * (in.characters - 1))));
    }

    static double lstm(const GradbenchProgram::Lstm& in, double* gradient) {
        const std::size_t extra = 8 * in.layers * in.bits;
        Vector x(in.main, in.main + extra);
        x.insert(x.end(), in.extra, in.extra + 3 * in.bits);
        return Peer::differentiate([&](const S* at) { return loss(in, at, at + extra); }, x.data(), x.size(), gradient);
    }

public:
    static constexpr GradbenchProgram program{gmm, lse, kmeans, llsq, lstm};
};

}  // namespace xtape::bench
