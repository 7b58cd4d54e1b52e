#pragma once

#include <string>
#include <utility>
#include <vector>

namespace train {

/// Names and values.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// What this program is made of and runs on.
Facts versions();

}  // namespace train
