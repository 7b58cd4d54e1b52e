#pragma once

// Files: arrays by name in npz archives, written whole or not at all; readers trust nothing.
#include <xtape/io/array.hpp>
#include <xtape/io/npy.hpp>
#include <xtape/io/npz.hpp>
