#pragma once

#include <string>

#include "course.hpp"

namespace train {

/// A trained network and all that is needed to use it.
struct Model {
    Options options;
    Preprocessing preprocessing;
    Network network;
    std::string fingerprint;       ///< of the data that it was trained on
    std::string test_fingerprint;  ///< of the test's own file; empty: the test was a part of the data
    Json test;                     ///< what the test said: see figures; null: there was none
};

/// Writes the network as a checkpoint: weights by PyTorch's names, so that a Sequential of PyTorch's loads them
/// (safetensors.torch.load_file), and the rest as texts in JSON. The same training gives the same bytes.
/// Throws IoError.
void write_model(const std::string& path, Network& network, const RunFacts& facts, const Json& test);

/// Throws IoError for a file that is damaged, or holds no model of xtape-train's.
Model read_model(const std::string& path);

}  // namespace train
