#pragma once

#include "harness.hpp"

/// GradBench's kmeans: the sum over n points of the squared distance to the nearest of k centroids, and the direction
/// in which Newton's method moves the centroids.
namespace xtape::gradbench::kmeans {

struct Input {
    Tensor<double> points;     // (n, d)
    Tensor<double> centroids;  // (k, d)
    explicit Input(const Json& json)
        : points(tensor_of(json.at("points"))), centroids(tensor_of(json.at("centroids"))) {}
};

/// The index of each point's nearest centroid.
inline IndexArray nearest(const Tensor<double>& points, const Tensor<double>& centroids) {
    const NoGradGuard guard;
    // |p - c|² = |p|² - 2 p·c + |c|², of which |p|² is the same for all centroids.
    return argmin(linear(points, -2 * centroids, norm_sq(centroids, {1})), 1);
}

inline Tensor<double> total_distance(const Tensor<double>& points, const Tensor<double>& centroids) {
    return norm_sq(points - take(centroids, nearest(points, centroids), 0));
}

inline Tensor<double> cost(const Input& input) { return total_distance(input.points, input.centroids); }

inline Tensor<double> direction(const Input& input) {
    const auto centroids = parameter(input.centroids);
    const auto gradient = grad(total_distance(input.points, centroids), {centroids}, {.create_graph = true})[0];
    // The Hessian is diagonal: its product with ones is its diagonal.
    const auto diagonal = grad(sum(gradient), {centroids})[0];
    return gradient.detach() / diagonal;
}

}  // namespace xtape::gradbench::kmeans
