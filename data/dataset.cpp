#include <xtape/data/dataset.hpp>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::data::detail {

std::size_t sample_count(std::span<const std::size_t> inputs, std::span<const std::size_t> labels) {
    if (inputs.empty() || labels.empty() || inputs[0] != labels[0]) {
        throw ShapeError(fmt::format("Dataset: inputs {} and labels {} must have the same first extent, the number of "
                                     "samples",
                                     io::shape_text(inputs), io::shape_text(labels)));
    }
    return inputs[0];
}

void check_indices(std::span<const std::size_t> indices, std::size_t size) {
    for (const std::size_t index : indices) {
        if (index >= size) {
            throw ValueError(
                fmt::format("Dataset::subset: indices holds {}, but the data set has {} samples, from 0", index, size));
        }
    }
}

}  // namespace xtape::data::detail
