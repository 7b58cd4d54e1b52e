#pragma once

// NumPy's files, as data sets: the reading and writing is io's.
#include <xtape/io/npy.hpp>
#include <xtape/io/npz.hpp>

namespace xtape::data {

using io::read_npy;
using io::read_npz;
using io::write_npz;

}  // namespace xtape::data
