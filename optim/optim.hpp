#pragma once

#include <xtape/optim/lbfgs.hpp>
#include <xtape/optim/sgd.hpp>
