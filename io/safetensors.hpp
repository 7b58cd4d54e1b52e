#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <xtape/io/array.hpp>

namespace xtape::io {

/// What a .safetensors file holds: arrays by name, and free text by name.
struct SafeTensors {
    StateDict arrays;
    std::map<std::string, std::string> metadata;
};

/// Reads a .safetensors file (https://github.com/huggingface/safetensors: the length of a header in 8 bytes, the header
/// in JSON, the data). F16 and BF16 become float32, which holds all of their values; BOOL becomes uint8, 0 or 1.
/// Throws IoError, naming file, offset and field, for anything that is not a whole, sound file, and for types that an
/// Array does not hold (F8, complex numbers): the header has at most 100,000,000 bytes, no key twice, and its tensors
/// cover the data without holes or overlaps. The format has no checksum: see read_checkpoint.
SafeTensors read_safetensors(const std::string& path);

/// Writes a .safetensors file. Each array starts at a multiple of its elements' size, the largest elements first, by
/// name among equals; the same arrays give the same bytes. The file is replaced at once or, if anything fails, not at
/// all (see AtomicFile).
/// Throws IoError if it cannot be written, ValueError for a name or text that is not UTF-8, an array called
/// "__metadata__", and a header that readers would refuse.
void write_safetensors(const std::string& path, const StateDict& arrays,
                       const std::map<std::string, std::string>& metadata = {});

/// Parses the contents of a .safetensors file; `file` is how messages call it.
SafeTensors parse_safetensors(std::span<const std::byte> contents, const std::string& file);

/// The contents of a .safetensors file.
std::vector<std::byte> format_safetensors(const StateDict& arrays, const std::map<std::string, std::string>& metadata);

}  // namespace xtape::io
