// Damaged files: cut off anywhere, or with any bit flipped. A checkpoint gives an IoError or the right data; weight
// files, whose formats check less, give an IoError or some data. Neither takes memory beyond the file's size.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include <xtape/io/checkpoint.hpp>
#include <xtape/io/npz.hpp>
#include <xtape/io/safetensors.hpp>

#include "io/allocations.hpp"
#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

/// A file, whole, and how it is read.
struct Sample {
    std::string path;
    std::function<io::StateDict(const std::string&)> read;
    std::string bytes = read_bytes(path);
    io::StateDict arrays = read(path);

    /// Reads the damaged bytes; true if that throws an IoError, which names the file.
    bool refuses(const std::string& damaged, bool verified) const {
        write_bytes(path, damaged);
        io::StateDict there;
        largest_allocation::reset();
        const std::string problem = io_error([&] { there = read(path); });
        // libzip and zlib work in buffers of some ten thousand bytes.
        CHECK(largest_allocation::get() <= std::max<std::size_t>(2 * bytes.size(), 1 << 17));
        CHECK((problem.empty() || problem.find(path) != std::string::npos));
        CHECK((!problem.empty() || !verified || same(there, arrays)));
        return !problem.empty();
    }
};

io::StateDict arrays(std::size_t size) {
    xt::xarray<float> weight = xt::xarray<float>::from_shape({size, 3});
    std::mt19937 random(1);
    for (float& w : weight) {
        w = static_cast<float>(random());
    }
    return {{"0.weight", weight}, {"0.bias", xt::xarray<double>{0.5, -0.5, 1e300}}, {"epoch", std::int64_t{12}}};
}

Sample checkpoint(const Scratch& scratch, std::size_t size) {
    const std::string path = scratch / "checkpoint";
    io::write_checkpoint(path, {arrays(size), {{"config", R"({"lr": 0.1})"}, {"größe", "\n"}}});
    return {path, [](const std::string& p) { return io::read_checkpoint(p).arrays; }};
}

Sample safetensors(const Scratch& scratch, std::size_t size) {
    const std::string path = scratch / "model.safetensors";
    io::write_safetensors(path, arrays(size), {{"format", "pt"}});
    return {path, [](const std::string& p) { return io::read_safetensors(p).arrays; }};
}

Sample npz(const Scratch& scratch, std::size_t size) {
    const std::string path = scratch / "model.npz";
    io::write_npz(path, arrays(size));
    return {path, [](const std::string& p) { return io::read_npz(p); }};
}

}  // namespace

TEST_CASE("a file cut off anywhere is refused: checkpoint, safetensors, npz") {
    const Scratch scratch;
    for (const Sample& sample : {checkpoint(scratch, 20), safetensors(scratch, 20), npz(scratch, 20)}) {
        CAPTURE(sample.path);
        for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
            CAPTURE(size);
            CHECK(sample.refuses(sample.bytes.substr(0, size), true));
        }
    }
}

TEST_CASE("a checkpoint with any one bit flipped is refused") {
    const Scratch scratch;
    const Sample sample = checkpoint(scratch, 1);
    for (std::size_t bit = 0; bit < 8 * sample.bytes.size(); ++bit) {
        CAPTURE(bit);
        CHECK(sample.refuses(flip_bit(sample.bytes, bit), true));
    }
}

TEST_CASE("10,000 random bits flipped, one at a time: checkpoint refused; safetensors and npz safe") {
    const Scratch scratch;
    const Sample checked = checkpoint(scratch, 2000);
    for (const Sample& sample : {checked, safetensors(scratch, 20), npz(scratch, 20)}) {
        CAPTURE(sample.path);
        const bool verified = sample.path == checked.path;
        std::mt19937 random(2);
        std::size_t refused = 0;
        for (int i = 0; i < 10'000; ++i) {
            const std::size_t bit = random() % (8 * sample.bytes.size());
            CAPTURE(bit);
            refused += sample.refuses(flip_bit(sample.bytes, bit), verified) ? 1 : 0;
        }
        // Of plain safetensors all but the data and the names is held to its form.
        CHECK(refused >= (verified ? 10'000 : 3'000));
    }
}

TEST_CASE("a checkpoint with several bits flipped, or bytes swapped, doubled or lost, is refused") {
    const Scratch scratch;
    const Sample sample = checkpoint(scratch, 20);
    std::mt19937 random(3);
    const auto any = [&] { return random() % sample.bytes.size(); };
    for (int i = 0; i < 1'000; ++i) {
        std::string damaged = sample.bytes;
        for (auto flips = 1 + random() % 8; flips > 0; --flips) {
            damaged = flip_bit(damaged, random() % (8 * damaged.size()));
        }
        CHECK((damaged == sample.bytes || sample.refuses(damaged, true)));
        damaged = sample.bytes;
        std::swap(damaged[any()], damaged[any()]);
        CHECK((damaged == sample.bytes || sample.refuses(damaged, true)));
        damaged = sample.bytes;
        damaged.insert(any(), 1, sample.bytes[any()]);
        CHECK(sample.refuses(damaged, true));
        damaged = sample.bytes;
        damaged.erase(any(), 1);
        CHECK(sample.refuses(damaged, true));
    }
}
