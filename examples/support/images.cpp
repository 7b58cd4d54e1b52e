#include "images.hpp"

#include <fmt/format.h>

#include <utility>

namespace support {

namespace data = xtape::data;

std::filesystem::path data_folder() { return XTAPE_EXAMPLE_DATA_DIR; }

Images load_digits(const std::filesystem::path& folder) {
    // A line an image: 64 pixels from 0 to 16, then the class.
    const xt::xarray<double> table = data::read_csv(folder / "digits.csv").values;
    const std::size_t count = table.shape(0);
    auto inputs = xt::xarray<float>::from_shape({count, 64});
    auto labels = xt::xarray<int>::from_shape({count});
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < 64; ++j) {
            inputs(i, j) = static_cast<float>(table(i, j) / 16);
        }
        labels(i) = static_cast<int>(table(i, 64));
    }
    return {std::move(inputs), std::move(labels)};
}

Images load_mnist(const std::filesystem::path& folder, const std::string& part) {
    const auto images_file = folder / "mnist" / (part + "-images-idx3-ubyte");
    const auto labels_file = folder / "mnist" / (part + "-labels-idx1-ubyte");
    for (const auto& file : {images_file, labels_file}) {
        if (!std::filesystem::exists(file)) {
            throw MissingData(
                fmt::format("{} is not there: scripts/fetch-mnist.sh gets the MNIST files", file.string()));
        }
    }
    xt::xarray<std::uint8_t> pixels = data::read_idx(images_file);
    const std::size_t count = pixels.shape(0);
    pixels.reshape({count, pixels.size() / count});
    return {xt::xarray<float>(pixels / 255.0F), xt::xarray<int>(data::read_idx(labels_file))};
}

}  // namespace support
