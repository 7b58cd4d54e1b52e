#pragma once

/// \file
/// All of xtape's public names. `<xtape/autograd.hpp>`, `<xtape/nn.hpp>`, `<xtape/optim.hpp>` and `<xtape/data.hpp>`
/// bring a part each.

#include <xtape/autograd.hpp>
#include <xtape/data.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>
