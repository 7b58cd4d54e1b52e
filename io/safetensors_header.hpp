#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <xtape/io/bytes.hpp>

namespace xtape::io {

/// What the header of a .safetensors file says of one tensor.
struct TensorEntry {
    std::string dtype;
    std::vector<std::size_t> shape;
    std::vector<std::uint64_t> data_offsets;  ///< two: where its bytes begin and end in the data
    std::size_t offset = 0;                   ///< where the entry stands in the file
};

/// What the header of a .safetensors file says: of the right form, but not yet held against the file.
struct SafetensorsHeader {
    std::map<std::string, TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
};

/// The key of the header's free text; no tensor may be called so.
inline constexpr std::string_view metadata_key = "__metadata__";

/// Parses `text`, which starts at `offset` in the file. Throws IoError for whatever is not of the format's form.
SafetensorsHeader parse_safetensors_header(const Cursor& file, std::size_t offset, std::string_view text);

/// The text as JSON writes it, in quotes. Throws ValueError unless it is UTF-8.
std::string json_string(const std::string& text);

/// How messages call a tensor: its name, cut short if it is long.
std::string tensor_label(const std::string& name);

}  // namespace xtape::io
