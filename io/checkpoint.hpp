#pragma once

#include <map>
#include <string>
#include <string_view>

#include <xtape/io/array.hpp>

namespace xtape::io {

/// What a training program must remember to go on where it was: arrays (parameters, the optimiser's state, counters)
/// and texts (a configuration in JSON, the classes' names).
struct Checkpoint {
    StateDict arrays;
    std::map<std::string, std::string> text;
};

/// Writes a checkpoint: a .safetensors file whose metadata hold, beside the texts, a version of this format and a
/// checksum (CRC-64/XZ) over all of the file. The file is replaced at once or, if anything fails, not at all (see
/// AtomicFile), so that a program that is killed at any moment leaves the last whole checkpoint.
/// Throws as write_safetensors does; and ValueError for a text whose name starts with "xtape.", which this format keeps
/// for itself.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Reads what write_checkpoint has written.
/// Throws IoError, naming file, offset and field, unless the file is whole: every byte is covered by the checksum.
Checkpoint read_checkpoint(const std::string& path);

/// The entries whose names start with `part` and a dot, by the rest of their names: what insert_part has put there.
StateDict extract_part(const StateDict& whole, std::string_view part);

/// Puts the entries of `entries` into `whole` under the names "<part>.<name>", so that a checkpoint holds model and
/// optimiser. Throws ValueError, and leaves `whole` as it was, if one of the names is taken.
void insert_part(StateDict& whole, std::string_view part, const StateDict& entries);

}  // namespace xtape::io
