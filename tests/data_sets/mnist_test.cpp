#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/data/idx.hpp>
#include <xtape/data/mnist.hpp>

#include "io/scratch.hpp"

using namespace xtape;

namespace {

/// An IDX file of bytes.
std::string idx(const std::vector<std::uint8_t>& extents, const std::string& elements) {
    std::string file{'\0', '\0', '\x08', static_cast<char>(extents.size())};
    for (const std::uint8_t extent : extents) {
        file += std::string(3, '\0') + static_cast<char>(extent);
    }
    return file + elements;
}

/// A folder with a small MNIST of its own: 2 images of 1 x 3 pixels to learn from, and one to be tested on.
class SmallMnist {
public:
    SmallMnist() {
        write("train-images-idx3-ubyte", idx({2, 1, 3}, std::string("\0\xff\x33\x66\0\0", 6)));
        write("train-labels-idx1-ubyte", idx({2}, "\x09\x04"));
        write("t10k-images-idx3-ubyte", idx({1, 1, 3}, std::string("\0\0\xff", 3)));
        write("t10k-labels-idx1-ubyte", idx({1}, std::string(1, '\0')));
    }
    void write(const char* name, const std::string& bytes) const { write_bytes(scratch_ / name, bytes); }
    void remove(const char* name) const { std::filesystem::remove(scratch_ / name); }
    [[nodiscard]] data::Mnist read() const { return data::mnist(scratch_ / ""); }
    /// What reading it says, without the folder.
    [[nodiscard]] std::string problem() const {
        const std::string message = io_error([&] { (void)read(); });
        const std::string folder = scratch_ / "";
        CHECK(message.starts_with(folder));
        return message.substr(std::min(message.size(), folder.size()));
    }

private:
    Scratch scratch_;
};

}  // namespace

TEST_CASE("MNIST's images become rows of pixels from 0 to 1, its labels integers") {
    const auto mnist = SmallMnist().read();
    CHECK(mnist.train.inputs() == xt::xarray<float>{{0, 1, 0.2F}, {0.4F, 0, 0}});
    CHECK(mnist.train.labels() == xt::xarray<int>{9, 4});
    CHECK(mnist.test.inputs() == xt::xarray<float>{{0, 0, 1}});
    CHECK(mnist.test.labels() == xt::xarray<int>{0});
}

TEST_CASE("MNIST itself, where it has been fetched, has its 70,000 images") {
    const std::string folder = XTAPE_SOURCE_DIR "/examples/data/mnist";
    if (!std::filesystem::exists(folder)) {
        MESSAGE("scripts/fetch-mnist.sh has not been run");
        return;
    }
    const auto mnist = data::mnist(folder);
    CHECK(mnist.train.inputs().shape() == xt::xarray<float>::shape_type{60'000, 784});
    CHECK(mnist.test.inputs().shape() == xt::xarray<float>::shape_type{10'000, 784});
    // How often each digit is there: a count of the published label file.
    std::vector<int> counts(10);
    for (const int label : mnist.train.labels()) {
        ++counts.at(static_cast<std::size_t>(label));
    }
    CHECK(counts == std::vector<int>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
    // The mean and standard deviation of the training pixels that programs normalise by: 0.1307, 0.3081.
    double sum = 0;
    for (const float pixel : mnist.train.inputs()) {
        sum += static_cast<double>(pixel);
    }
    CHECK(sum / 60'000 / 784 == doctest::Approx(0.1307).epsilon(5e-4));
}

TEST_CASE("where MNIST has not been fetched, the error says how to get it") {
    for (const char* name :
         {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
        const SmallMnist files;
        files.remove(name);
        CHECK_THROWS_AS((void)files.read(), data::MissingFile);
        CHECK(files.problem() == std::string(name) + " is not there: scripts/fetch-mnist.sh gets the MNIST files");
    }
}

TEST_CASE("files that are not what MNIST's names say are refused by name") {
    const SmallMnist files;
    files.write("t10k-labels-idx1-ubyte", idx({1}, "\x0a"));
    CHECK(files.problem() == "t10k-labels-idx1-ubyte: label 10 of image 0 is no digit");
    files.write("t10k-labels-idx1-ubyte", idx({2}, "\x01\x02"));
    CHECK(files.problem() == "t10k-labels-idx1-ubyte: shape (2,) is not a label for each of 1 images");
    files.write("t10k-images-idx3-ubyte", idx({3}, "abc"));
    CHECK(files.problem() == "t10k-images-idx3-ubyte: shape (3,) is not images x rows x columns");
    files.write("train-labels-idx1-ubyte", idx({2}, "\x01"));
    CHECK(files.problem().starts_with("train-labels-idx1-ubyte: byte 8, elements: shape (2,) of uint8 takes 2 bytes"));
}
