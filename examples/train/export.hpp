#pragma once

#include <string>

#include "model.hpp"

namespace train {

/// Throws, as export_network would, if no ONNX file can be written there: to be known before hours of training.
void check_export(const std::string& path);

/// Writes the network as an ONNX file, preprocessed inputs (batch, inputs) to logits or scaled values. Throws IoError,
/// and Error, naming packages, if xtape was built without ONNX.
void export_network(Network& network, std::size_t inputs, const std::string& path);

}  // namespace train
