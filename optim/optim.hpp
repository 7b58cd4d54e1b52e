#pragma once

#include <xtape/optim/sgd.hpp>
