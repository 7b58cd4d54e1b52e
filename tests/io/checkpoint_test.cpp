// Training checkpoints: what was written comes back, or an IoError does.

#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/checkpoint.hpp>
#include <xtape/io/crc64.hpp>
#include <xtape/io/safetensors.hpp>

#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

const io::Checkpoint sample{{{"model.0.weight", xt::xarray<float>{{1.5F, -2.5F}}},
                             {"epoch", std::int64_t{3}},
                             {"random", xt::xarray<std::uint64_t>{7}}},
                            {{"config", R"({"lr": 0.1})"}, {"classes", "a\nb\nxtape.checksum"}}};

std::uint64_t crc64(const std::string& text) { return io::crc64(std::as_bytes(std::span(text))); }

}  // namespace

TEST_CASE("crc64 is CRC-64/XZ, whatever the length") {
    CHECK(crc64("123456789") == 0x995dc9bbdf1939fa);  // the catalogue's check value
    CHECK(crc64("") == 0);
    std::string text;
    for (int length = 0; length < 40; ++length) {
        std::uint64_t crc = ~std::uint64_t{0};  // bit by bit
        for (const char c : text) {
            crc ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) {
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xc96c5795d7870f42 : 0);
            }
        }
        CHECK(crc64(text) == ~crc);
        text.push_back(static_cast<char>(37 * length + 200));
    }
}

TEST_CASE("a checkpoint comes back, arrays and texts, and is a safetensors file") {
    const Scratch scratch;
    io::write_checkpoint(scratch / "c", sample);
    const io::Checkpoint read = io::read_checkpoint(scratch / "c");
    CHECK(same(read.arrays, sample.arrays));
    CHECK(read.text == sample.text);
    const io::SafeTensors plain = io::read_safetensors(scratch / "c");
    CHECK(same(plain.arrays, sample.arrays));
    CHECK(plain.metadata.at("xtape.checkpoint") == "1");
    CHECK(plain.metadata.at("xtape.checksum").size() == 16);
    CHECK(plain.metadata.size() == 4);
    const std::string bytes = read_bytes(scratch / "c");
    io::write_checkpoint(scratch / "c", read);
    CHECK(read_bytes(scratch / "c") == bytes);
    CHECK(scratch.file_count() == 1);
    io::write_checkpoint(scratch / "c", {});
    CHECK(io::read_checkpoint(scratch / "c").arrays.empty());
}

TEST_CASE("no name or text is taken for the checksum") {
    const Scratch scratch;
    const std::string like = R"(,"xtape.checksum":"0123456789abcdef")";
    const io::Checkpoint odd{{{like, 1}, {"xtape.checksum", 2}, {"\"xtape.checksum", 3}},
                             {{like, like}, {"\"xtape.checksum", "x"}, {R"(,\"xtape.checksum":")", like}, {"", like}}};
    io::write_checkpoint(scratch / "c", odd);
    const io::Checkpoint read = io::read_checkpoint(scratch / "c");
    CHECK(same(read.arrays, odd.arrays));
    CHECK(read.text == odd.text);
}

TEST_CASE("a text that is called as the format's own is refused, and the old checkpoint stays") {
    const Scratch scratch;
    io::write_checkpoint(scratch / "c", sample);
    CHECK_THROWS_WITH_AS(io::write_checkpoint(scratch / "c", {{}, {{"xtape.x", ""}}}),
                         "write_checkpoint: the text 'xtape.x' is called as this format's own, which start with "
                         "'xtape.'; rename it",
                         ValueError);
    CHECK_THROWS_AS(io::write_checkpoint(scratch / "c", {{{"__metadata__", 1}}, {}}), ValueError);
    CHECK(same(io::read_checkpoint(scratch / "c").arrays, sample.arrays));
}

TEST_CASE("what is no checkpoint, damaged, or of another version says so") {
    const Scratch scratch;
    const std::string path = scratch / "c";
    CHECK(io_error([&] { io::read_checkpoint(path); }) == "cannot read '" + path + "': No such file or directory");
    io::write_safetensors(path, sample.arrays, {{"format", "pt"}});
    CHECK(io_error([&] { io::read_checkpoint(path); }) ==
          path +
              ": byte 0, xtape.checksum: there is none: this is no training checkpoint of xtape's, or it is truncated");
    io::write_checkpoint(path, sample);
    std::string bytes = read_bytes(path);
    const std::size_t digits = bytes.find(R"("xtape.checksum":")") + 18;
    bytes.back() = 'x';
    write_bytes(path, bytes);
    CHECK(io_error([&] { io::read_checkpoint(path); }) ==
          path + ": byte " + std::to_string(digits) +
              ", xtape.checksum: it does not fit the file, which is truncated or damaged");
    // A whole file of the next version.
    bytes = read_bytes(path);
    const std::string version = R"("xtape.checkpoint":")";
    bytes[bytes.find(version) + version.size()] = '2';
    bytes.replace(digits, 16, 16, '0');
    bytes.replace(digits, 16, fmt::format("{:016x}", crc64(bytes)));
    write_bytes(path, bytes);
    CHECK(io_error([&] { io::read_checkpoint(path); }) ==
          path + ": byte 0, xtape.checkpoint: it is not 1: another version of xtape has written this checkpoint");
}

TEST_CASE("parts of a checkpoint are put in under their name, and taken out") {
    const io::StateDict model{{"0.weight", xt::xarray<float>{1.0F}}, {"0.bias", 2.0}};
    io::StateDict whole{{"epoch", 3}, {"model", 4}, {"models.x", 5}};
    io::insert_part(whole, "model", model);
    CHECK(whole.size() == 5);
    CHECK(same(whole.at("model.0.weight"), model.at("0.weight")));
    CHECK(same(io::extract_part(whole, "model"), model));
    CHECK(same(io::extract_part(whole, "models"), {{"x", 5}}));
    CHECK(io::extract_part(whole, "mod").empty());
    const io::StateDict before = whole;
    CHECK_THROWS_WITH_AS(io::insert_part(whole, "model", {{"0.alias", 1}, {"0.bias", 1}}),
                         "insert_part: there is a 'model.0.bias' already; give the part another name", ValueError);
    CHECK(same(whole, before));
}
