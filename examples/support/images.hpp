#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include <xtape/data.hpp>

namespace support {

/// Images as rows of pixels from 0 (paper) to 1 (ink), and the class of each.
using Images = xtape::data::Dataset<float, int>;

/// Data that does not come with xtape and has not been fetched.
class MissingData : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// examples/data in xtape's sources.
std::filesystem::path data_folder();

/// The 1,797 handwritten digits of 8 x 8 pixels that come with xtape, from `<folder>/digits.csv`.
Images load_digits(const std::filesystem::path& folder);

/// MNIST's part "train" (60,000 images) or "t10k" (10,000), from `<folder>/mnist`. Throws MissingData, saying what to
/// do, if the files are not there.
Images load_mnist(const std::filesystem::path& folder, const std::string& part);

}  // namespace support
