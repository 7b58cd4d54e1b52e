#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "harness.hpp"

/// GradBench's det: a determinant by expansion by minors. Here each minor is computed once, all of a size together:
/// those of the last m rows and any m columns come from those of the last m - 1 rows.
namespace xtape::gradbench::det {

/// How the minors of m rows come from those of m - 1, one row of each array for a set of m columns.
struct Expansion {
    xt::xarray<int> columns;  // the set
    xt::xarray<int> minors;   // the place of the set without each of them, among the sets of m - 1
};

/// Expansions to 2, 3, ..., n rows. Sets of columns are read as binary numbers, and stand in their order.
inline std::vector<Expansion> expansions(std::size_t n) {
    std::vector<int> place(std::size_t{1} << n);
    std::vector<int> count(n + 1);
    for (std::uint32_t set = 0; set < place.size(); ++set) {
        place[set] = count[static_cast<std::size_t>(std::popcount(set))]++;
    }
    std::vector<Expansion> all;
    for (std::size_t m = 2; m <= n; ++m) {
        const std::vector<std::size_t> shape{static_cast<std::size_t>(count[m]), m};
        all.push_back({xt::xarray<int>::from_shape(shape), xt::xarray<int>::from_shape(shape)});
    }
    for (std::uint32_t set = 0; set < place.size(); ++set) {
        const auto m = static_cast<std::size_t>(std::popcount(set));
        std::size_t j = 0;
        for (std::uint32_t left = set; m >= 2 && left != 0; left &= left - 1, ++j) {
            const int column = std::countr_zero(left);
            all[m - 2].columns(place[set], j) = column;
            all[m - 2].minors(place[set], j) = place[set & ~(std::uint32_t{1} << column)];
        }
    }
    return all;
}

struct Input {
    Tensor<double> matrix;
    std::vector<Expansion> expansions;
    explicit Input(const Json& json) : expansions(det::expansions(json.at("ell"))) {
        const std::size_t n = json.at("ell");
        matrix = reshape(tensor_of(json.at("A")), {n, n});
    }
};

inline Tensor<double> determinant(const Tensor<double>& matrix, const std::vector<Expansion>& expansions) {
    auto minors = view(matrix, -1);
    int row = -1;
    for (const auto& [columns, smaller] : expansions) {
        const auto signs = 1.0 - 2.0 * fmod(arange<double>(static_cast<double>(columns.shape()[1])), 2.0);
        minors = sum(signs * take(view(matrix, --row), columns) * take(minors, smaller), {1});
    }
    return squeeze(minors);
}

inline Tensor<double> primal(const Input& input) { return determinant(input.matrix, input.expansions); }

/// Of the elements, row by row.
inline Tensor<double> gradient(const Input& input) {
    const auto f = [&](const Tensor<double>& matrix) { return determinant(matrix, input.expansions); };
    return reshape(value_and_grad(f, input.matrix).second, {-1});
}

}  // namespace xtape::gradbench::det
