#pragma once

#include <utility>
#include <vector>

#include "harness.hpp"

/// GradBench's ba: what cameras should see of points and what they did see, and how the differences change with the
/// cameras, the points, and the weights of the observations: a sparse Jacobian. Here all observations are computed
/// together, one row of a tensor for each of the camera's numbers, or the point's.
namespace xtape::gradbench::ba {

/// The eval gives one camera, one point and one observation, to be repeated as if they differed.
struct Input {
    std::size_t cameras, points, observations;
    Tensor<double> camera;        // (11, cameras): rotation, centre, focal length, principal point, distortion
    Tensor<double> point;         // (3, points)
    Tensor<double> weight;        // (observations)
    Tensor<double> feature;       // (2, observations): where the point was seen
    xt::xarray<int> seen_by, of;  // (observations): camera and point
    explicit Input(const Json& json)
        : cameras(json.at("n")), points(json.at("m")), observations(json.at("p")),
          camera(repeated(json.at("cam"), cameras)), point(repeated(json.at("x"), points)),
          weight(full<double>({observations}, json.at("w"))), feature(repeated(json.at("feat"), observations)),
          seen_by(xt::arange<int>(static_cast<int>(observations)) % static_cast<int>(cameras)),
          of(xt::arange<int>(static_cast<int>(observations)) % static_cast<int>(points)) {}
    static Tensor<double> repeated(const Json& column, std::size_t count) {
        return broadcast_to(expand_dims(tensor_of(column), 1), {column.size(), count});
    }
};

/// The cross products of the columns of two tensors of three rows.
inline Tensor<double> cross(const Tensor<double>& a, const Tensor<double>& b) {
    return roll(a, -1, 0) * roll(b, -2, 0) - roll(a, -2, 0) * roll(b, -1, 0);
}

/// Points turned by angle-axis vectors, after Rodrigues' formula.
inline Tensor<double> rotated(const Tensor<double>& rotation, const Tensor<double>& x) {
    const auto angle_squared = norm_sq(rotation, {0});
    const auto angle = sqrt(angle_squared);
    const auto axis = rotation / angle;
    const auto by_angle =
        x * cos(angle) + cross(axis, x) * sin(angle) + axis * (sum(axis * x, {0}) * (1.0 - cos(angle)));
    return where(angle_squared.value() > 0.0, by_angle, x + cross(rotation, x));
}

/// (2, observations), from the camera, the point, the weight and the feature of each observation.
inline Tensor<double> reprojection_errors(const Tensor<double>& camera, const Tensor<double>& point,
                                          const Tensor<double>& weight, const Tensor<double>& feature) {
    const auto seen = rotated(view(camera, xt::range(0, 3)), point - view(camera, xt::range(3, 6)));
    const auto flat = view(seen, xt::range(0, 2)) / view(seen, 2);
    const auto radius_squared = norm_sq(flat, {0});
    const auto distortion = 1.0 + view(camera, 9) * radius_squared + view(camera, 10) * square(radius_squared);
    const auto projected = flat * distortion * view(camera, 6) + view(camera, xt::range(7, 9));
    return weight * (projected - feature);
}

inline Tensor<double> weight_errors(const Tensor<double>& weight) { return 1.0 - square(weight); }

struct Errors {
    Tensor<double> reprojection, weight;
};

inline Json json_of(const Errors& errors) {
    const std::size_t count = errors.weight.size();
    const double* e = errors.reprojection.data();
    return {{"reproj_error", {{"elements", {e[0], e[count]}}, {"repeated", count}}},
            {"w_err", {{"element", errors.weight.data()[0]}, {"repeated", count}}}};
}

inline Errors objective(const Input& in) {
    return {reprojection_errors(take(in.camera, in.seen_by, 1), take(in.point, in.of, 1), in.weight, in.feature),
            weight_errors(in.weight)};
}

/// A sparse matrix by rows: elements rows[i] to rows[i + 1] are row i's.
struct SparseMatrix {
    std::vector<std::size_t> rows, columns;
    Tensor<double> values;
};

/// Of the lists, the first 30 elements and the last: one observation's are all.
inline Json json_of(const SparseMatrix& matrix) {
    const auto some = [](const auto* list, std::size_t size) {
        Json part(std::vector(list, list + 30));
        part.push_back(list[size - 1]);
        return part;
    };
    return {{"rows", some(matrix.rows.data(), matrix.rows.size())},
            {"cols", some(matrix.columns.data(), matrix.columns.size())},
            {"vals", some(matrix.values.data(), matrix.values.size())}};
}

inline SparseMatrix jacobian(const Input& in) {
    const auto camera = parameter(take(in.camera, in.seen_by, 1));
    const auto point = parameter(take(in.point, in.of, 1));
    const auto weight = parameter(in.weight);
    const auto errors = reprojection_errors(camera, point, weight, in.feature);
    // An error depends on nothing but its own observation's column: two replays give all the rows.
    std::vector<Tensor<double>> blocks;
    for (const int row : {0, 1}) {
        const auto seed = broadcast_to(view(eye<double>(2), xt::all(), xt::range(row, row + 1)), errors.shape());
        const auto g = grad(errors, {camera, point, weight}, {.seed = seed, .retain_graph = true});
        blocks.push_back(concatenate({g[0], g[1], expand_dims(g[2], 0)}));
    }
    const auto by_weight = grad(sum(weight_errors(weight)), {weight})[0];
    SparseMatrix matrix;
    matrix.values = concatenate({reshape(transpose(stack(blocks), {2, 0, 1}), {-1}), by_weight});
    matrix.rows.push_back(0);
    for (std::size_t row = 0; row < 3 * in.observations; ++row) {
        matrix.rows.push_back(matrix.rows.back() + (row < 2 * in.observations ? 15 : 1));
    }
    matrix.columns.reserve(31 * in.observations);
    const std::size_t first_point = 11 * in.cameras;
    const std::size_t first_weight = first_point + 3 * in.points;
    for (std::size_t row = 0; row < 2 * in.observations; ++row) {
        for (std::size_t i = 0; i < 11; ++i) {
            matrix.columns.push_back(11 * static_cast<std::size_t>(in.seen_by(row / 2)) + i);
        }
        for (std::size_t i = 0; i < 3; ++i) {
            matrix.columns.push_back(first_point + 3 * static_cast<std::size_t>(in.of(row / 2)) + i);
        }
        matrix.columns.push_back(first_weight + row / 2);
    }
    for (std::size_t i = 0; i < in.observations; ++i) {
        matrix.columns.push_back(first_weight + i);
    }
    return matrix;
}

}  // namespace xtape::gradbench::ba
