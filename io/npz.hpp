#pragma once

#include <map>
#include <string>

#include <xtape/io/array.hpp>

namespace xtape::io {

/// Reads a .npz archive: names and arrays, as NumPy's savez and savez_compressed write them.
/// Throws IoError, naming file, entry, offset and field, for anything that is not a whole, sound file: checksums are
/// verified, and memory is taken for what is there, never for what a length promises.
std::map<std::string, Array> read_npz(const std::string& path);

/// Writes a .npz archive that NumPy's load reads. The same arrays give the same bytes. The file is replaced at once or,
/// if anything fails, not at all (see AtomicFile).
/// Throws IoError if it cannot be written, ValueError for a name that an archive cannot hold.
void write_npz(const std::string& path, const std::map<std::string, Array>& arrays);

}  // namespace xtape::io
