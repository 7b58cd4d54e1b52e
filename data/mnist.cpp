#include <xtape/data/mnist.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <xtape/data/idx.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::data {

namespace {

constexpr std::uint8_t classes = 10;

struct Files {
    std::string images;
    std::string labels;
};

Files files_of(const std::filesystem::path& folder, const std::string& part) {
    Files files{(folder / (part + "-images-idx3-ubyte")).string(), (folder / (part + "-labels-idx1-ubyte")).string()};
    for (const std::string& file : {files.images, files.labels}) {
        if (!std::filesystem::exists(file)) {
            throw MissingFile(fmt::format("{} is not there: scripts/fetch-mnist.sh gets the MNIST files", file));
        }
    }
    return files;
}

Dataset<float, int> read(const Files& files) {
    xt::xarray<std::uint8_t> pixels = read_idx(files.images);
    const xt::xarray<std::uint8_t> labels = read_idx(files.labels);
    const std::span<const std::size_t> image_shape(pixels.shape().data(), pixels.dimension());
    const std::span<const std::size_t> label_shape(labels.shape().data(), labels.dimension());
    if (image_shape.size() != 3) {
        throw IoError(
            fmt::format("{}: shape {} is not images x rows x columns", files.images, io::shape_text(image_shape)));
    }
    if (label_shape.size() != 1 || label_shape[0] != image_shape[0]) {
        throw IoError(fmt::format("{}: shape {} is not a label for each of {} images", files.labels,
                                  io::shape_text(label_shape), image_shape[0]));
    }
    const auto wrong = std::ranges::find_if(labels.storage(), [](std::uint8_t label) { return label >= classes; });
    if (wrong != labels.storage().end()) {
        throw IoError(fmt::format("{}: label {} of image {} is no digit", files.labels, *wrong,
                                  wrong - labels.storage().begin()));
    }
    pixels.reshape({image_shape[0], image_shape[1] * image_shape[2]});
    return {xt::xarray<float>(pixels / 255.0F), xt::xarray<int>(labels)};
}

}  // namespace

Mnist mnist(const std::string& folder) {
    const Files train = files_of(folder, "train");
    const Files test = files_of(folder, "t10k");
    return {read(train), read(test)};
}

}  // namespace xtape::data
