#include <xtape/data/categories.hpp>

#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>

namespace xtape::data {

Categories::Categories(std::vector<std::string> names) : names_(std::move(names)) {
    for (const std::string& name : names_) {
        if (!numbers_.emplace(name, static_cast<int>(numbers_.size())).second) {
            throw ValueError(fmt::format("Categories: names holds '{}' twice", name));
        }
    }
}

Categories Categories::sorted(std::span<const std::string> texts) {
    const std::set<std::string_view> distinct(texts.begin(), texts.end());
    return Categories({distinct.begin(), distinct.end()});
}

Categories Categories::by_appearance(std::span<const std::string> texts) {
    std::set<std::string_view> seen;
    std::vector<std::string> names;
    for (const std::string& text : texts) {
        if (seen.insert(text).second) {
            names.push_back(text);
        }
    }
    return Categories(std::move(names));
}

xt::xarray<int> Categories::encode(std::span<const std::string> texts) const {
    auto numbers = xt::xarray<int>::from_shape({texts.size()});
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto found = numbers_.find(texts[i]);
        if (found == numbers_.end()) {
            throw ValueError(fmt::format("Categories::encode: texts[{}] = '{}' is none of '{}'", i, texts[i],
                                         fmt::join(names_, "', '")));
        }
        numbers(i) = found->second;
    }
    return numbers;
}

}  // namespace xtape::data
