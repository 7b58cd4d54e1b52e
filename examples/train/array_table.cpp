// IDX pairs and npz archives as tables.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/idx.hpp>
#include <xtape/io/bytes.hpp>
#include <xtape/io/npz.hpp>

#include "table.hpp"

namespace train {
namespace {

/// Samples of any shape as rows of numbers.
template <class T>
xt::xarray<T> as_rows(xt::xarray<T> samples) {
    const std::size_t rows = samples.shape(0);
    const std::size_t width = rows == 0 ? 0 : samples.size() / rows;
    samples.reshape({rows, width});
    return samples;
}

std::string shape_of(const auto& array) { return xtape::io::shape_text({array.shape().data(), array.shape().size()}); }

}  // namespace

std::pair<Schema, Table> read_idx_table(const Files& files) {
    Schema schema{.format = Schema::Format::idx};
    Table table;
    xt::xarray<std::uint8_t> images = xtape::data::read_idx(files.data);
    if (images.dimension() < 2) {
        throw xtape::IoError(fmt::format("{}: shape {} holds one number a sample: is this the file of the labels?",
                                         files.data, shape_of(images)));
    }
    images = as_rows(std::move(images));
    table.size = images.shape(0);
    schema.features = images.shape(1);
    table.numbers = std::move(images);

    if (!files.labels.empty()) {
        const xt::xarray<std::uint8_t> labels = xtape::data::read_idx(files.labels);
        if (labels.dimension() != 1 || labels.shape(0) != table.size) {
            throw xtape::IoError(fmt::format("{}: shape {} is not a label for each of the {} samples in {}",
                                             files.labels, shape_of(labels), table.size, files.data));
        }
        Target target{.texts = {}, .numbers = xt::cast<double>(labels), .is_label = true};
        target.numbers.reshape({table.size, std::size_t{1}});
        table.target = std::move(target);
    }
    return {std::move(schema), std::move(table)};
}

std::pair<Schema, Table> read_npz_table(const std::string& path, const std::string& inputs, const std::string& target) {
    Schema schema{.format = Schema::Format::npz, .inputs_array = inputs, .target_array = target};
    Table table;
    const auto arrays = xtape::io::read_npz(path);
    const auto x = arrays.find(inputs);
    if (x == arrays.end()) {
        std::vector<std::string> names(arrays.size());
        std::ranges::transform(arrays, names.begin(), [](const auto& entry) { return entry.first; });
        throw xtape::IoError(fmt::format("{}: there is no array {}; --inputs names that of the inputs, one of {}", path,
                                         inputs, fmt::join(names, ", ")));
    }
    if (x->second.shape().empty()) {
        throw xtape::IoError(fmt::format("{}: {} is one number; it must be an array whose first dimension counts the "
                                         "samples",
                                         path, inputs));
    }
    table.size = x->second.shape()[0];
    if (x->second.dtype() == xtape::io::DType::uint8) {
        table.numbers = as_rows(x->second.as<std::uint8_t>());
    } else {
        table.numbers = as_rows(x->second.cast<double>());
    }
    schema.features = std::visit([](const auto& numbers) { return numbers.shape(1); }, table.numbers);

    if (const auto y = arrays.find(target); y != arrays.end()) {
        if (y->second.shape().empty() || y->second.shape().size() > 2 || y->second.shape()[0] != table.size) {
            throw xtape::IoError(fmt::format("{}: {} of shape {} is no target for {} samples: it must be (samples,) or "
                                             "(samples, outputs)",
                                             path, target, xtape::io::shape_text(y->second.shape()), table.size));
        }
        table.target = Target{.texts = {}, .numbers = as_rows(y->second.cast<double>())};
    }
    return {std::move(schema), std::move(table)};
}

}  // namespace train
