#include <xtape/io/checkpoint.hpp>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/atomic_file.hpp>
#include <xtape/io/bytes.hpp>
#include <xtape/io/crc64.hpp>
#include <xtape/io/safetensors.hpp>

namespace xtape::io {

namespace {

constexpr std::string_view reserved = "xtape.";
constexpr std::string_view version_key = "xtape.checkpoint";
constexpr std::string_view version = "1";
constexpr std::string_view checksum_key = "xtape.checksum";
constexpr std::string_view no_digits = "0000000000000000";

/// Where the digits of the checksum stand; nothing if there are none.
/// In JSON a quote after a comma begins a string: within strings a quote follows a backslash. So no name or text, but
/// the key alone, looks like this; version_key comes before it in the file.
std::span<std::byte> find_digits(std::span<std::byte> contents) {
    const std::string before = fmt::format(",\"{}\":\"", checksum_key);
    const std::size_t at = as_text(contents).find(before);
    if (at == std::string_view::npos || contents.size() - at - before.size() < no_digits.size()) {
        return {};
    }
    return contents.subspan(at + before.size(), no_digits.size());
}

void put(std::span<std::byte> digits, std::string_view text) {
    std::ranges::copy(std::as_bytes(std::span(text)), digits.begin());
}

/// The checksum of the contents in which its own digits are zeros.
std::string checksum(std::span<const std::byte> contents) { return fmt::format("{:016x}", crc64(contents)); }

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
    std::map<std::string, std::string> metadata = checkpoint.text;
    for (const auto& [name, text] : metadata) {
        if (name.starts_with(reserved)) {
            throw ValueError(fmt::format("write_checkpoint: the text '{}' is called as this format's own, which start "
                                         "with '{}'; rename it",
                                         name, reserved));
        }
    }
    metadata.emplace(version_key, version);
    metadata.emplace(checksum_key, no_digits);
    std::vector<std::byte> contents = format_safetensors(checkpoint.arrays, metadata);
    put(find_digits(contents), checksum(contents));
    write_file(path, contents);
}

Checkpoint read_checkpoint(const std::string& path) {
    std::vector<std::byte> contents = read_file(path);
    const Cursor cursor(contents, path);
    const std::span<std::byte> digits = find_digits(contents);
    if (digits.empty()) {
        cursor.fail(0, checksum_key, "there is none: this is no training checkpoint of xtape's, or it is truncated");
    }
    const std::string there(as_text(digits));
    put(digits, no_digits);
    if (checksum(contents) != there) {
        cursor.fail(static_cast<std::size_t>(digits.data() - contents.data()), checksum_key,
                    "it does not fit the file, which is truncated or damaged");
    }
    SafeTensors file = parse_safetensors(contents, path);
    if (file.metadata[std::string(version_key)] != version) {
        cursor.fail(0, version_key,
                    fmt::format("it is not {}: another version of xtape has written this checkpoint", version));
    }
    file.metadata.erase(std::string(version_key));
    file.metadata.erase(std::string(checksum_key));
    return {std::move(file.arrays), std::move(file.metadata)};
}

StateDict extract_part(const StateDict& whole, std::string_view part) {
    const std::string prefix = fmt::format("{}.", part);
    StateDict entries;
    for (auto it = whole.lower_bound(prefix); it != whole.end() && it->first.starts_with(prefix); ++it) {
        entries.emplace(it->first.substr(prefix.size()), it->second);
    }
    return entries;
}

void insert_part(StateDict& whole, std::string_view part, const StateDict& entries) {
    StateDict added;
    for (const auto& [name, array] : entries) {
        std::string full_name = fmt::format("{}.{}", part, name);
        if (whole.contains(full_name)) {
            throw ValueError(
                fmt::format("insert_part: there is a '{}' already; give the part another name", full_name));
        }
        added.emplace(std::move(full_name), array);
    }
    whole.merge(added);
}

}  // namespace xtape::io
