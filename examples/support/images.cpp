#include "images.hpp"

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

}  // namespace support
