#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// Names of classes, or of what else a column of text may hold, numbered from 0.
///
///     const auto& species = table.text(table.column("species"));
///     const data::Categories classes = data::Categories::sorted(species);
///     const xt::xarray<int> labels = classes.encode(species);
class Categories {
public:
    /// In this order. Throws ValueError for a name given twice.
    explicit Categories(std::vector<std::string> names);
    /// The distinct texts, sorted by their bytes. An empty one, where a value is missing, is a category like others.
    static Categories sorted(std::span<const std::string> texts);
    /// The distinct texts, the first to appear first.
    static Categories by_appearance(std::span<const std::string> texts);

    std::size_t size() const { return names_.size(); }
    /// Number k's name is names()[k].
    const std::vector<std::string>& names() const { return names_; }

    /// The number of each text. Throws ValueError, with the text's index, for one that is none of the names.
    xt::xarray<int> encode(std::span<const std::string> texts) const;

private:
    std::vector<std::string> names_;
    std::map<std::string, int, std::less<>> numbers_;
};

}  // namespace xtape::data
