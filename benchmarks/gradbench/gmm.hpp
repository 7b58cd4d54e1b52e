#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "harness.hpp"

/// GradBench's gmm: the log posterior of a mixture of k Gaussians over n points in d dimensions, with a Wishart prior
/// on the precision matrices QᵀQ, by the mixture's parameters.
namespace xtape::gradbench::gmm {

struct Parameters {
    Tensor<double> alpha;  // (k): the weights before a softmax
    Tensor<double> mu;     // (k, d): the means
    Tensor<double> q;      // (k, d): the logarithms of the diagonals of Q
    Tensor<double> l;      // (k, d (d - 1) / 2): the columns of Q below its diagonal, one after the other
};

inline Json json_of(const Parameters& p) {
    return {{"alpha", gradbench::json_of(p.alpha)},
            {"mu", gradbench::json_of(p.mu)},
            {"q", gradbench::json_of(p.q)},
            {"l", gradbench::json_of(p.l)}};
}

struct Input {
    Parameters parameters;
    Tensor<double> x;  // (n, d)
    double m;
    double gamma;
    explicit Input(const Json& json)
        : parameters{tensor_of(json.at("alpha")), tensor_of(json.at("mu")), tensor_of(json.at("q")),
                     tensor_of(json.at("l"))},
          x(tensor_of(json.at("x"))), m(json.at("m")), gamma(json.at("gamma")) {}
};

/// Where each element of Q stands in the row (0, exp(q), l).
inline xt::xarray<int> places(int d) {
    xt::xarray<int> at = xt::zeros<int>({d, d});
    int next = d + 1;
    for (int j = 0; j < d; ++j) {
        at(j, j) = j + 1;
        for (int i = j + 1; i < d; ++i) {
            at(i, j) = next++;
        }
    }
    return at;
}

/// What the logarithm of the Wishart densities has beside the parameters' terms.
inline double prior_constant(double d, double k, double m, double gamma) {
    const double n = d + m + 1;
    double log_gamma = d * (d - 1) / 4 * std::log(std::numbers::pi);
    for (double j = 0; j < d; ++j) {
        log_gamma += std::lgamma((n - j) / 2);
    }
    return k * (n * d * std::log(gamma / std::numbers::sqrt2) - log_gamma);
}

inline Tensor<double> log_posterior(const Parameters& p, const Tensor<double>& x, double m, double gamma) {
    const std::size_t n = x.shape()[0];
    const std::size_t d = x.shape()[1];
    const std::size_t k = p.alpha.size();
    const auto entries = concatenate({zeros<double>({k, 1}), exp(p.q), p.l}, 1);
    const auto Q = take(entries, places(static_cast<int>(d)), 1);

    // |Q (x - mu)|² for every point and every component, from products of the points and strips of the rows of all Q:
    // those up to `last` have no elements beyond that column.
    constexpr std::size_t strip = 16;
    auto distances = zeros<double>({n, k});
    for (std::size_t first = 0; first < d; first += strip) {
        const std::size_t last = std::min(first + strip, d);
        const auto rows = view(Q, xt::all(), xt::range(first, last), xt::range(0, last));
        const auto shifts = matmul(rows, view(p.mu, xt::all(), xt::range(0, last), xt::newaxis()));
        const auto whitened = linear(view(x, xt::all(), xt::range(0, last)), reshape(rows, {k * (last - first), last}),
                                     -reshape(shifts, {-1}));
        distances += norm_sq(reshape(whitened, {n, k, last - first}), {-1});
    }
    const auto log_determinants = sum(p.q, {1});
    const auto likelihood =
        sum(logsumexp(p.alpha + log_determinants - 0.5 * distances, {1})) - static_cast<double>(n) * logsumexp(p.alpha);
    const auto prior = m * sum(log_determinants) - 0.5 * gamma * gamma * norm_sq(entries);
    const double constant = prior_constant(static_cast<double>(d), static_cast<double>(k), m, gamma) -
                            0.5 * static_cast<double>(n * d) * std::log(2 * std::numbers::pi);
    return likelihood + prior + constant;
}

inline Tensor<double> objective(const Input& input) {
    return log_posterior(input.parameters, input.x, input.m, input.gamma);
}

inline Parameters jacobian(const Input& input) {
    const auto& [alpha, mu, q, l] = input.parameters;
    const Parameters at{parameter(alpha), parameter(mu), parameter(q), parameter(l)};
    const auto g = grad(log_posterior(at, input.x, input.m, input.gamma), {at.alpha, at.mu, at.q, at.l});
    return {g[0], g[1], g[2], g[3]};
}

}  // namespace xtape::gradbench::gmm
