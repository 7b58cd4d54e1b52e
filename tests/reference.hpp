#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd.hpp>

/// Reading what tests/data/make_reference.py wrote, and comparing with it.
namespace reference {

using Json = nlohmann::json;

/// Parses a file of tests/data.
inline Json read_json(const std::string& name) {
    const std::string path = std::string(XTAPE_TEST_DATA_DIR "/") + name;
    std::ifstream file(path);
    if (!file) {
        throw xtape::IoError(fmt::format("{}: can't be opened; tests/data/make_reference.py writes it", path));
    }
    return Json::parse(file);
}

/// A number, or one of the strings that stand for what JSON can't spell.
inline double number(const Json& spelled) {
    if (spelled.is_number()) {
        return spelled.get<double>();
    }
    const auto& word = spelled.get_ref<const std::string&>();
    if (word == "inf" || word == "-inf") {
        return word[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    }
    if (word == "nan") {
        return std::numeric_limits<double>::quiet_NaN();
    }
    throw xtape::IoError(fmt::format("reference data: `{}` is no number; expected inf, -inf or nan", word));
}

/// An array from {"shape": [...], "data": [...]}, row-major, rounded to T.
template <typename T>
xt::xarray<T> array(const Json& encoded) {
    auto result = xt::xarray<T>::from_shape(encoded.at("shape").get<std::vector<std::size_t>>());
    const auto& data = encoded.at("data");
    if (data.size() != result.size()) {
        throw xtape::IoError(fmt::format("reference data: {} numbers for {} elements", data.size(), result.size()));
    }
    std::transform(data.begin(), data.end(), result.begin(), [](const Json& x) { return static_cast<T>(number(x)); });
    return result;
}

/// Whether `got` is `expected`: NaN where that is NaN, the same infinity, else no farther away than `allowed`.
inline bool agrees(double got, double expected, double allowed) {
    if (std::isnan(expected) || std::isinf(expected)) {
        return std::isnan(expected) ? std::isnan(got) : got == expected;
    }
    return std::abs(got - expected) <= allowed;  // false for a NaN
}

/// Empty if `got` agrees with the encoded array, else what differs. `tolerance` is relative to the array's largest
/// finite magnitude (absolute if that is 0): derivatives cancel, so their small elements carry no relative accuracy.
template <typename T>
std::string mismatch(const std::string& what, const xt::xarray<T>& got, const Json& encoded, double tolerance) {
    const auto expected = array<double>(encoded);
    if (!std::equal(got.shape().begin(), got.shape().end(), expected.shape().begin(), expected.shape().end())) {
        return fmt::format("{}: shape ({}), reference ({})", what, fmt::join(got.shape(), ","),
                           fmt::join(expected.shape(), ","));
    }
    double largest = 0.0;
    for (const double x : expected) {
        largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
    }
    const double allowed = tolerance * (largest == 0.0 ? 1.0 : largest);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto mine = static_cast<double>(got.flat(i));
        if (!agrees(mine, expected.flat(i), allowed)) {
            return fmt::format("{}: element {} is {:.17g}, reference {:.17g}, off by {:.2g} where {:.2g} is allowed",
                               what, i, mine, expected.flat(i), std::abs(mine - expected.flat(i)), allowed);
        }
    }
    return {};
}

template <typename T>
std::string mismatch(const std::string& what, const xtape::Tensor<T>& got, const Json& encoded, double tolerance) {
    return mismatch(what, xt::xarray<T>(got.value()), encoded, tolerance);
}

}  // namespace reference
