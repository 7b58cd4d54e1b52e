#pragma once

#include "command_line.hpp"

namespace train {

/// A training run from the command line to the report; also one that goes on. Throws IoError, ValueError and
/// UsageError; returns the exit code.
int run(TrainCommand command);

}  // namespace train
