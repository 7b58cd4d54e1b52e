#pragma once

#include <filesystem>

#include <xtape/data.hpp>

namespace support {

/// Images as rows of pixels from 0 (paper) to 1 (ink), and the class of each.
using Images = xtape::data::Dataset<float, int>;

/// examples/data in xtape's sources.
std::filesystem::path data_folder();

/// The 1,797 handwritten digits of 8 x 8 pixels that come with xtape, from `<folder>/digits.csv`.
Images load_digits(const std::filesystem::path& folder);

}  // namespace support
