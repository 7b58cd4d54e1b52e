#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include <xtensor/xadapt.hpp>

#include "harness.hpp"

/// GradBench's ht: how far points seen of a hand are from where a model of the hand has them, and how that changes with
/// the hand's pose and, for points that lie within triangles, with their places there.
namespace xtape::gradbench::ht {

/// Points and where on the model they are: at a vertex, or within a triangle.
struct Points {
    Tensor<double> seen;           // (points, 3)
    Tensor<double> us;             // (points, 2): weights of a triangle's first two corners; else empty
    std::vector<Indices> corners;  // a list for each corner: the points' vertices
};

using Lists = std::vector<std::vector<int>>;

/// The vertices of all points: a list, or one for each corner of a triangle.
inline Lists corner_lists(const Json& data, bool in_triangles) {
    const std::vector<int> correspondences = data.at("correspondences");
    if (!in_triangles) {
        return {correspondences};
    }
    const Lists triangles = data.at("model").at("triangles");
    Lists corners(3);
    for (const int triangle : correspondences) {
        for (std::size_t i = 0; i < 3; ++i) {
            corners[i].push_back(triangles.at(static_cast<std::size_t>(triangle)).at(i));
        }
    }
    return corners;
}

/// The vertices in the lists, each once; the lists then tell their places among these.
inline std::vector<int> number_anew(Lists& lists) {
    std::vector<int> kept;
    std::map<int, int> places;
    for (auto& list : lists) {
        for (int& vertex : list) {
            const auto [place, is_new] = places.try_emplace(vertex, static_cast<int>(kept.size()));
            if (is_new) {
                kept.push_back(vertex);
            }
            vertex = place->second;
        }
    }
    return kept;
}

/// Each bone has a transform relative to its parent's. One more bone takes all vertices: the hand's translation. Of the
/// model's vertices only those are kept that a point asks for.
struct Input {
    std::vector<Tensor<double>> pose;  // (3), (3), (20): the hand's rotation and translation, four angles a finger
    std::vector<int> parents;          // (bones): -1 at the root
    Tensor<double> relatives;          // (bones, 4, 4)
    Tensor<double> inverse_absolutes;  // (bones, 4, 4): from the model's coordinates to the bone's
    bool is_mirrored;
    bool in_triangles;
    Tensor<double> positions;   // (vertices, 4)
    Tensor<double> weights;     // (vertices, bones + 1)
    std::vector<Points> parts;  // those in triangles few by few: three rows for each then stay in the cache
    explicit Input(const Json& json) : Input(json, json.at("data"), json.at("data").at("model")) {}
    Input(const Json& json, const Json& data, const Json& model)
        : pose(split(tensor_of(json.at("theta")), {3, 6})), parents(model.at("parents")),
          relatives(tensor_of(model.at("base_relatives"))),
          inverse_absolutes(tensor_of(model.at("inverse_base_absolutes"))), is_mirrored(model.at("is_mirrored")),
          in_triangles(!json.at("us").empty()) {
        Lists corners = corner_lists(data, in_triangles);
        const auto kept = number_anew(corners);
        positions = take(tensor_of(model.at("base_positions")), xt::adapt(kept), 0);
        weights = take(tensor_of(model.at("weights")), xt::adapt(kept), 0);
        weights = concatenate({weights, ones<double>({kept.size(), 1})}, 1);
        divide(tensor_of(data.at("points")), tensor_of(json.at("us")), corners);
    }
    void divide(const Tensor<double>& seen, const Tensor<double>& us, const Lists& corners) {
        const std::size_t all = seen.shape()[0];
        const std::size_t most = in_triangles ? 512 : all;
        for (std::size_t first = 0; first < all; first += most) {
            const std::size_t count = std::min(most, all - first);
            const auto some = xt::range(first, first + count);
            Points part{view(seen, some), in_triangles ? view(us, some) : us, {}};
            for (const auto& list : corners) {
                part.corners.push_back(Indices::uninitialized({count}));
                std::copy_n(list.data() + first, count, part.corners.back().data());
            }
            parts.push_back(part);
        }
    }
};

/// (2, bones): the angles about the x and the z axis, of the second bone of a finger's four both, of the third and the
/// fourth the one about x.
inline Tensor<double> bone_angles(const Tensor<double>& angles, std::size_t bones) {
    xt::xarray<int> at = -xt::ones<int>({std::size_t{2}, bones});  // where there is none, the zero at the end
    for (std::size_t bone = 1; bone < std::min(bones, std::size_t{21}); ++bone) {
        const auto first = static_cast<int>((bone - 1) / 4 * 4);
        const auto joint = static_cast<int>((bone - 1) % 4);
        at(0, bone) = joint == 0 ? -1 : first + joint - (joint == 1 ? 1 : 0);
        at(1, bone) = joint == 1 ? first + 1 : -1;
    }
    return take(concatenate({angles, zeros<double>({1})}), at, 0);
}

/// (bones, 4, 4): turned about x, then about z.
inline Tensor<double> bone_rotations(const Tensor<double>& angles) {
    const auto cosines = split(cos(angles), 2);
    const auto sines = split(sin(angles), 2);
    const auto &cx = cosines[0], &cz = cosines[1], &sx = sines[0], &sz = sines[1];
    const auto o = zeros_like(cx);
    const auto i = ones_like(cx);
    const auto entries = concatenate({cz, -sz * cx, sz * sx, o,  //
                                      sz, cz * cx, -cz * sx, o,  //
                                      o, sx, cx, o,              //
                                      o, o, o, i});
    return transpose(reshape(entries, {4, 4, -1}), {2, 0, 1});
}

/// The products of the transforms from the root to each bone.
inline Tensor<double> along_the_tree(Tensor<double> transforms, std::vector<int> parents) {
    const auto identity = expand_dims(eye<double>(4), 0);
    // Every round doubles how many transforms are in a product. Beyond the root, at -1, is the identity.
    while (std::ranges::any_of(parents, [](int parent) { return parent >= 0; })) {
        transforms = matmul(take(concatenate({transforms, identity}), xt::adapt(parents), 0), transforms);
        std::vector<int> further = parents;
        for (int& parent : further) {
            parent = parent < 0 ? parent : parents.at(static_cast<std::size_t>(parent));
        }
        parents = further;
    }
    return transforms;
}

/// The matrix of an angle-axis vector, after Rodrigues' formula; below 1e-4 the eval has the identity, a constant.
inline Tensor<double> hand_rotation(const Tensor<double>& angle_axis) {
    const auto angle = norm_l2(angle_axis);
    if (angle.value()() < 1e-4) {
        return eye<double>(3);
    }
    const auto axis = angle_axis / angle;
    const auto cross = take(axis, xt::xarray<int>{{0, 2, 1}, {2, 1, 0}, {1, 0, 2}}, 0) *
                       xt::xarray<double>{{0, -1, 1}, {1, 0, -1}, {-1, 1, 0}};
    return cos(angle) * eye<double>(3) + sin(angle) * cross + (1.0 - cos(angle)) * outer(axis, axis);
}

/// What a pose does to the model's vertices, for each bone: (bones + 1, 4, 3), to be multiplied with rows.
inline Tensor<double> transforms(const Input& in, const std::vector<Tensor<double>>& pose) {
    const auto rotations = bone_rotations(bone_angles(pose[2], in.parents.size()));
    const auto absolutes = along_the_tree(matmul(in.relatives, rotations), in.parents);
    const auto of_bones = view(matmul(absolutes, in.inverse_absolutes), xt::all(), xt::range(0, 3));
    const auto of_hand = hand_rotation(pose[0]) * xt::xarray<double>{in.is_mirrored ? -1.0 : 1.0, 1.0, 1.0};
    const auto translation = pad(reshape(pose[1], {1, 1, 3}), {{0, 0}, {3, 0}, {0, 0}});
    return concatenate({einsum("bij,ki->bjk", of_bones, of_hand), translation});
}

/// The vertices' rows of c numbers by transforms (bones + 1, 4, c).
inline Tensor<double> skinned(const Input& in, const Tensor<double>& transforms) {
    return einsum("vb,vj,bjc->vc", in.weights, in.positions, transforms);
}

/// The points' rows from those of the vertices.
inline Tensor<double> at_points(const Points& points, const Tensor<double>& us, const Tensor<double>& rows) {
    const auto corner = [&](std::size_t i) { return take(rows, points.corners[i], 0); };
    if (points.corners.size() == 1) {
        return corner(0);
    }
    const auto weights = split(us, 2, 1);
    return fuse([](auto u, auto v, auto a, auto b, auto c) { return u * a + v * b + (1.0 - u - v) * c; }, weights[0],
                weights[1], corner(0), corner(1), corner(2));
}

/// Without a copy where there is but one.
inline Tensor<double> joined(const std::vector<Tensor<double>>& tensors, std::ptrdiff_t axis) {
    return tensors.size() == 1 ? tensors.front() : concatenate(tensors, axis);
}

inline Tensor<double> objective(const Input& in) {
    const auto vertices = skinned(in, transforms(in, in.pose));
    std::vector<Tensor<double>> errors;
    for (const auto& points : in.parts) {
        errors.push_back(points.seen - at_points(points, points.us, vertices));
    }
    return reshape(joined(errors, 0), {-1});
}

/// The derivatives of errors by the us of their own points, two columns: a tangent moves all points at once, since no
/// error depends on another point's.
inline std::vector<Tensor<double>> by_us(const Points& points, const Tensor<double>& vertices) {
    const auto f = [&](const auto& us) { return points.seen - at_points(points, us, vertices); };
    std::vector<Tensor<double>> columns;
    for (const int column : {0, 1}) {
        const auto tangent = broadcast_to(view(eye<double>(2), column), points.us.shape());
        columns.push_back(reshape(jvp(f, points.us, tangent).second, {-1, 1}));
    }
    return columns;
}

/// A row for each error: its derivatives by its point's us, if there are, and by theta.
inline Tensor<double> jacobian(const Input& in) {
    const auto blocks = xtape::jacobian([&](const auto& pose) { return transforms(in, pose); }, in.pose);
    const auto by_theta = concatenate(blocks, -1);
    // Skinning is linear: it makes the vertices' derivatives of those of the transforms, all columns in one product.
    const std::size_t bones = by_theta.shape()[0];
    const auto rows = skinned(in, reshape(-by_theta, {bones, 4, -1}));
    const auto vertices = in.in_triangles ? skinned(in, transforms(in, in.pose)) : Tensor<double>();
    std::vector<Tensor<double>> parts;
    for (const auto& points : in.parts) {
        auto columns = in.in_triangles ? by_us(points, vertices) : std::vector<Tensor<double>>();
        columns.push_back(reshape(at_points(points, points.us, rows), {-1, by_theta.shape()[3]}));
        parts.push_back(joined(columns, 1));
    }
    return joined(parts, 0);
}

}  // namespace xtape::gradbench::ht
