#pragma once

#include "command_line.hpp"

namespace train {

/// `xtape-train predict`: prints how good the predictions are, if the data tells, and writes them. Throws IoError,
/// ValueError and UsageError.
void predict(const PredictCommand& command);

}  // namespace train
