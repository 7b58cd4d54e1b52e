#include "table.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/mnist.hpp>
#include <xtape/io/bytes.hpp>
#include <xtape/io/crc64.hpp>

#include "support/images.hpp"

namespace train {
namespace {

Schema::Format format_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file || std::filesystem::is_directory(path)) {
        throw xtape::IoError(fmt::format("{}: there is no such file, or it can't be read", path));
    }
    std::array<char, 4> start{};
    file.read(start.data(), start.size());
    if (start[0] == 'P' && start[1] == 'K') {
        return Schema::Format::npz;
    }
    if (file.gcount() == 4 && start[0] == 0 && start[1] == 0) {
        return Schema::Format::idx;
    }
    // Whatever is no text and is called so gets the messages of that format's reader.
    if (path.ends_with(".npz")) {
        return Schema::Format::npz;
    }
    return path.ends_with("-ubyte") || path.ends_with("-ubyte.gz") ? Schema::Format::idx : Schema::Format::csv;
}

constexpr std::array format_names{"csv", "idx", "npz"};

/// The file of the labels that belongs to one of images, by MNIST's names. Empty if there is none.
std::string labels_beside(const std::string& images) {
    const std::filesystem::path path(images);
    std::string name = path.filename().string();
    const std::size_t at = name.rfind("images-idx3");
    if (at == std::string::npos) {
        return {};
    }
    name.replace(at, 11, "labels-idx1");
    const std::filesystem::path labels = path.parent_path() / name;
    return std::filesystem::exists(labels) ? labels.string() : "";
}

}  // namespace

Json to_json(const Schema& schema) {
    return {{"format", format_names.at(static_cast<std::size_t>(schema.format))},
            {"features", schema.features},
            {"header", schema.header},
            {"delimiter", schema.delimiter},
            {"missing", schema.missing},
            {"width", schema.width},
            {"numbers", schema.numbers},
            {"texts", schema.texts},
            {"target", schema.target},
            {"target_is_text", schema.target_is_text},
            {"inputs_array", schema.inputs_array},
            {"target_array", schema.target_array}};
}

Schema schema_from(const Json& json) {
    Schema schema;
    const auto name = json.at("format").get<std::string>();
    const auto found = std::ranges::find(format_names, name);
    if (found == format_names.end()) {
        throw xtape::ValueError(fmt::format("the model's data format is {}, which is none of csv, idx, npz", name));
    }
    schema.format = static_cast<Schema::Format>(found - format_names.begin());
    json.at("features").get_to(schema.features);
    json.at("header").get_to(schema.header);
    json.at("delimiter").get_to(schema.delimiter);
    json.at("missing").get_to(schema.missing);
    json.at("width").get_to(schema.width);
    json.at("numbers").get_to(schema.numbers);
    json.at("texts").get_to(schema.texts);
    json.at("target").get_to(schema.target);
    json.at("target_is_text").get_to(schema.target_is_text);
    json.at("inputs_array").get_to(schema.inputs_array);
    json.at("target_array").get_to(schema.target_array);
    return schema;
}

Files files_of(const std::string& data, const std::string& labels, bool test_part) {
    if (data == "mnist" && !std::filesystem::exists(data)) {
        const std::filesystem::path folder = support::data_folder() / "mnist";
        const std::string part = test_part ? "t10k" : "train";
        const Files files{(folder / (part + "-images-idx3-ubyte")).string(),
                          (folder / (part + "-labels-idx1-ubyte")).string()};
        for (const std::string& file : {files.data, files.labels}) {
            if (!std::filesystem::exists(file)) {
                throw xtape::data::MissingFile(
                    fmt::format("{} is not there: scripts/fetch-mnist.sh gets the MNIST files", file));
            }
        }
        return files;
    }
    return {data, labels.empty() ? labels_beside(data) : labels};
}

std::string fingerprint(const Files& files) {
    const auto checksum = [](const std::string& path) {
        return fmt::format("{:016x}", xtape::io::crc64(xtape::io::read_file(path)));
    };
    return checksum(files.data) + (files.labels.empty() ? "" : "-" + checksum(files.labels));
}

std::pair<Schema, Table> read_training_table(const Files& files, const Options& options) {
    const auto read = [&] {
        switch (format_of(files.data)) {
        case Schema::Format::csv: return read_training_csv(files.data, options);
        case Schema::Format::idx: return read_idx_table(files);
        case Schema::Format::npz: break;
        }
        return read_npz_table(files.data, options.inputs, options.target.empty() ? "y" : options.target);
    };
    auto result = read();
    if (!result.second.target) {
        throw xtape::IoError(
            fmt::format("{}: there is no target to learn: {}", files.data,
                        result.first.format == Schema::Format::idx
                            ? "--labels names the file of the labels"
                            : fmt::format("--target names its array; there is no {}", result.first.target_array)));
    }
    if (result.second.size == 0) {
        throw xtape::IoError(fmt::format("{}: there are no samples in it", files.data));
    }
    return result;
}

Table read_table(const Files& files, const Schema& schema) {
    const Schema::Format format = format_of(files.data);
    if ((format == Schema::Format::csv) != (schema.format == Schema::Format::csv)) {
        throw xtape::IoError(fmt::format("{}: this is {}, but the model was trained on {}", files.data,
                                         format_names.at(static_cast<std::size_t>(format)),
                                         format_names.at(static_cast<std::size_t>(schema.format))));
    }
    if (format == Schema::Format::csv) {
        return read_csv_table(files.data, schema);
    }
    auto [there, table] = format == Schema::Format::idx
                              ? read_idx_table(files)
                              : read_npz_table(files.data, schema.inputs_array.empty() ? "x" : schema.inputs_array,
                                               schema.target_array.empty() ? "y" : schema.target_array);
    if (there.features != schema.features) {
        throw xtape::IoError(fmt::format("{}: a sample has {} numbers, but the model was trained on {}", files.data,
                                         there.features, schema.features));
    }
    return std::move(table);
}

}  // namespace train
