#include "preprocessing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>

namespace train {
namespace {

using xtape::ValueError;
using xtape::data::Categories;
using xtape::data::Standardizer;

/// Some rows, each number divided by `unit`: in one pass, since images make large arrays.
template <class To, class From>
xt::xarray<To> rows_of(const xt::xarray<From>& from, std::span<const std::size_t> indices, To unit = 1) {
    const std::size_t width = from.shape(1);
    auto rows = xt::xarray<To>::from_shape({indices.size(), width});
    To* next = rows.data();
    for (const std::size_t index : indices) {
        const From* row = from.data() + index * width;
        next = std::transform(row, row + width, next, [unit](From x) { return static_cast<To>(x) / unit; });
    }
    return rows;
}

xt::xarray<double> number_rows(const Table& table, std::span<const std::size_t> indices) {
    return std::visit([&](const auto& numbers) { return rows_of<double>(numbers, indices); }, table.numbers);
}

std::vector<std::string> texts_at(const std::vector<std::string>& texts, std::span<const std::size_t> indices) {
    std::vector<std::string> result;
    result.reserve(indices.size());
    for (const std::size_t index : indices) {
        result.push_back(texts[index]);
    }
    return result;
}

std::set<double> different_values(const Target& target, std::size_t most) {
    std::set<double> different;
    for (const double value : target.numbers) {
        different.insert(value);
        if (different.size() > most) {
            break;
        }
    }
    return different;
}

/// The classes' names as they come in the table.
std::vector<std::string> class_texts(const Target& target, std::span<const std::size_t> indices) {
    if (!target.texts.empty()) {
        return texts_at(target.texts, indices);
    }
    if (target.numbers.shape(1) != 1) {
        throw ValueError(fmt::format("a target of {} numbers a sample is no class; --task regression predicts them",
                                     target.numbers.shape(1)));
    }
    std::vector<std::string> texts;
    texts.reserve(indices.size());
    for (const std::size_t index : indices) {
        texts.push_back(fmt::format("{}", target.numbers(index, 0)));
    }
    return texts;
}

/// Classes by name, or in the order of their numbers.
Categories classes_of(const Target& target) {
    constexpr std::size_t most = 10000;
    if (!target.texts.empty()) {
        return Categories::sorted(target.texts);
    }
    std::vector<std::string> names;
    for (const double value : different_values(target, most)) {
        names.push_back(fmt::format("{}", value));
    }
    if (names.size() > most) {
        throw ValueError(fmt::format("the target has more than {} different values, too many for classes; --task "
                                     "regression predicts them",
                                     most));
    }
    return Categories(std::move(names));
}

std::string feature_name(const Schema& schema, std::size_t feature) {
    return feature < schema.numbers.size() ? fmt::format("\"{}\"", schema.numbers[feature])
                                           : fmt::format("{}", feature + 1);
}

/// What Standardizer::fit would refuse, by the columns' names.
void check_features(const Schema& schema, const xt::xarray<double>& rows) {
    for (std::size_t j = 0; j < rows.shape(1); ++j) {
        bool has_value = false;
        for (std::size_t i = 0; i < rows.shape(0); ++i) {
            if (std::isinf(rows(i, j))) {
                throw ValueError(
                    fmt::format("feature {} is infinite in a sample: write it as missing (NA), or --ignore "
                                "the column",
                                feature_name(schema, j)));
            }
            has_value |= !std::isnan(rows(i, j));
        }
        if (!has_value) {
            throw ValueError(
                fmt::format("feature {} has no value in any training sample: --ignore it", feature_name(schema, j)));
        }
    }
}

Json scaling_json(const std::optional<Standardizer>& scaling) {
    if (!scaling) {
        return nullptr;
    }
    const auto list = [](const xt::xarray<double>& values) { return std::vector(values.begin(), values.end()); };
    return {{"mean", list(scaling->mean())}, {"scale", list(scaling->scale())}};
}

std::optional<Standardizer> standardizer_from(const Json& json) {
    if (json.is_null()) {
        return std::nullopt;
    }
    const auto array = [&](const char* name) {
        const auto values = json.at(name).get<std::vector<double>>();
        auto result = xt::xarray<double>::from_shape({values.size()});
        std::ranges::copy(values, result.begin());
        return result;
    };
    return Standardizer(array("mean"), array("scale"));
}

}  // namespace

std::vector<std::size_t> rows_without_value(const Target& target) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < target.texts.size(); ++i) {
        if (target.texts[i].empty()) {
            rows.push_back(i);
        }
    }
    const std::size_t outputs = target.texts.empty() ? target.numbers.shape(1) : 1;
    for (std::size_t i = 0; i < target.numbers.size(); ++i) {
        if (!std::isfinite(target.numbers.data()[i]) && (rows.empty() || rows.back() != i / outputs)) {
            rows.push_back(i / outputs);
        }
    }
    return rows;
}

Task task_of(const std::string& option, const Target& target) {
    constexpr std::size_t most_classes = 20;
    if (option != "auto") {
        return option == "classification" ? Task::classification : Task::regression;
    }
    if (!target.texts.empty() || target.is_label) {
        return Task::classification;
    }
    const std::set<double> different = different_values(target, most_classes);
    const bool classes = target.numbers.shape(1) == 1 && different.size() <= most_classes &&
                         std::ranges::all_of(different, [](double value) { return value == std::floor(value); });
    return classes ? Task::classification : Task::regression;
}

Preprocessing Preprocessing::fit(const Schema& schema, const Table& table, std::span<const std::size_t> indices,
                                 Task task, const std::string& standardize) {
    constexpr std::size_t most_categories = 1000;
    Preprocessing fitted;
    fitted.schema_ = schema;
    const bool bytes = std::holds_alternative<xt::xarray<std::uint8_t>>(table.numbers);
    if (standardize == "auto" && bytes) {
        fitted.unit_ = 255;
    } else if (standardize != "off") {
        const xt::xarray<double> rows = number_rows(table, indices);
        check_features(schema, rows);
        fitted.scaling_ = Standardizer::fit(rows);
    }
    for (const TextColumn& column : table.texts) {
        Categories categories = Categories::sorted(texts_at(column.fields, indices));
        if (categories.size() > most_categories) {
            throw ValueError(fmt::format("column {} holds {} different texts, each of which would be an input; more "
                                         "than {} are no categories: --ignore it",
                                         column.name, categories.size(), most_categories));
        }
        fitted.categories_.push_back(std::move(categories));
    }
    if (task == Task::classification) {
        fitted.classes_ = classes_of(*table.target);
        if (fitted.classes_->size() < 2) {
            throw ValueError(fmt::format("the target is {} in every sample: there is nothing to tell apart",
                                         fitted.classes_->names().front()));
        }
    } else {
        if (!table.target->texts.empty()) {
            throw ValueError(fmt::format("the target holds texts such as \"{}\", which no regression predicts; --task "
                                         "classification does",
                                         table.target->texts.front()));
        }
        fitted.target_ = Standardizer::fit(rows_of<double>(table.target->numbers, indices));
    }
    return fitted;
}

Preprocessing::Preprocessing(const Json& json) : schema_(schema_from(json.at("schema"))) {
    json.at("unit").get_to(unit_);
    scaling_ = standardizer_from(json.at("scaling"));
    for (const Json& names : json.at("categories")) {
        categories_.emplace_back(names.get<std::vector<std::string>>());
    }
    if (!json.at("classes").is_null()) {
        classes_ = Categories(json.at("classes").get<std::vector<std::string>>());
    }
    target_ = standardizer_from(json.at("target"));
    if (classes_.has_value() == target_.has_value()) {
        throw ValueError("the model's preprocessing has both classes and a target's scale, or neither");
    }
}

Json Preprocessing::to_json() const {
    Json categories = Json::array();
    for (const Categories& column : categories_) {
        categories.push_back(column.names());
    }
    return {{"schema", train::to_json(schema_)},
            {"unit", unit_},
            {"scaling", scaling_json(scaling_)},
            {"categories", std::move(categories)},
            {"classes", classes_ ? Json(classes_->names()) : Json()},
            {"target", scaling_json(target_)}};
}

std::size_t Preprocessing::inputs() const {
    return std::accumulate(categories_.begin(), categories_.end(), schema_.features,
                           [](std::size_t sum, const Categories& column) { return sum + column.size(); });
}

std::size_t Preprocessing::outputs() const { return classes_ ? classes_->size() : target_->mean().size(); }

void Preprocessing::require_values(const xt::xarray<double>& rows, std::span<const std::size_t> indices) const {
    const auto missing = std::ranges::find_if(rows.storage(), [](double x) { return std::isnan(x); });
    if (missing != rows.storage().end()) {
        const auto at = static_cast<std::size_t>(missing - rows.storage().begin());
        throw ValueError(fmt::format("sample {} has no value for feature {}; with --standardize on the mean takes its "
                                     "place",
                                     indices[at / rows.shape(1)] + 1, feature_name(schema_, at % rows.shape(1))));
    }
}

xt::xarray<float> Preprocessing::transform(const Table& table, std::span<const std::size_t> indices) const {
    xt::xarray<float> numbers;
    if (unit_ != 0) {
        numbers = std::visit([&](const auto& all) { return rows_of<float>(all, indices, static_cast<float>(unit_)); },
                             table.numbers);
    } else {
        const xt::xarray<double> rows = number_rows(table, indices);
        if (!scaling_) {
            require_values(rows, indices);
        }
        numbers = xt::cast<float>(scaling_ ? scaling_->transform(rows, xtape::data::Missing::impute) : rows);
    }
    if (categories_.empty()) {
        return numbers;
    }

    const std::size_t width = inputs();
    auto result = xt::xarray<float>::from_shape({indices.size(), width});
    result.fill(0);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        std::copy_n(numbers.data() + i * schema_.features, schema_.features, result.data() + i * width);
    }
    std::size_t first = schema_.features;
    for (std::size_t column = 0; column < categories_.size(); ++column) {
        const std::vector<std::string>& names = categories_[column].names();
        for (std::size_t i = 0; i < indices.size(); ++i) {
            const auto found = std::ranges::lower_bound(names, table.texts[column].fields[indices[i]]);
            if (found != names.end() && *found == table.texts[column].fields[indices[i]]) {
                result(i, first + static_cast<std::size_t>(found - names.begin())) = 1;
            }
        }
        first += names.size();
    }
    return result;
}

xt::xarray<int> Preprocessing::labels(const Table& table, std::span<const std::size_t> indices) const {
    try {
        return classes_->encode(class_texts(*table.target, indices));
    } catch (const ValueError& error) {
        throw ValueError(fmt::format("a class that training has not seen: {}", error.what()));
    }
}

xt::xarray<float> Preprocessing::values(const Table& table, std::span<const std::size_t> indices) const {
    return xt::cast<float>(target_->transform(rows_of<double>(table.target->numbers, indices)));
}

std::vector<std::size_t> all_rows(const Table& table) {
    std::vector<std::size_t> rows(table.size);
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    return rows;
}

xt::xarray<int> class_numbers(const Target& target) {
    const std::size_t size = target.texts.empty() ? target.numbers.shape(0) : target.texts.size();
    std::vector<std::size_t> rows(size);
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    return classes_of(target).encode(class_texts(target, rows));
}

}  // namespace train
