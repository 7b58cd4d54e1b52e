#pragma once

#include <string>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/dataset.hpp>

namespace xtape::data {

/// A file of a known data set that has not been fetched yet.
class MissingFile : public IoError {
public:
    using IoError::IoError;
};

/// The MNIST database of handwritten digits (Y. LeCun, C. Cortes, C. J. C. Burges): rows of 28 * 28 pixels from 0
/// (paper) to 1 (ink), and the digits. Classes from 0 to 9.
struct Mnist {
    Dataset<float, int> train;  ///< 60,000 images
    Dataset<float, int> test;   ///< 10,000
};

/// Reads the four files that scripts/fetch-mnist.sh gets, from their folder: train-images-idx3-ubyte,
/// train-labels-idx1-ubyte, and the same of t10k. Throws MissingFile, saying what to do, if one is not there; IoError,
/// naming it, for one that is damaged or does not hold what its name says.
Mnist mnist(const std::string& folder);

}  // namespace xtape::data
