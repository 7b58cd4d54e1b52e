#include <xtape/data/labels.hpp>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::data::detail {

void require_vector(std::string_view function, std::span<const std::size_t> shape) {
    if (shape.size() != 1) {
        throw ShapeError(fmt::format("{}: labels {} must have one dimension: a class for each sample", function,
                                     io::shape_text(shape)));
    }
}

xt::xarray<double> class_weights(std::span<const std::int64_t> labels, std::size_t classes) {
    auto weights = xt::xarray<double>::from_shape({classes});
    weights.fill(0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0 || static_cast<std::uint64_t>(labels[i]) >= classes) {
            throw ValueError(
                fmt::format("class_weights: labels[{}] = {}: it must be in [0, {})", i, labels[i], classes));
        }
        ++weights(static_cast<std::size_t>(labels[i]));
    }
    for (std::size_t k = 0; k < classes; ++k) {
        if (weights(k) == 0) {
            throw ValueError(
                fmt::format("class_weights: class {} has none of the {} samples, so that no weight makes it "
                            "count; number the classes without it, or choose the weights by hand",
                            k, labels.size()));
        }
        weights(k) = static_cast<double>(labels.size()) / (static_cast<double>(classes) * weights(k));
    }
    return weights;
}

}  // namespace xtape::data::detail
