#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/idx.hpp>

#include "io/scratch.hpp"

using namespace xtape;

namespace {

/// An IDX file with this type code, these extents, and the bytes of its elements.
std::string idx(char type, const std::vector<std::uint32_t>& extents, const std::string& elements) {
    std::string file{'\0', '\0', type, static_cast<char>(extents.size())};
    for (const std::uint32_t extent : extents) {
        for (const int shift : {24, 16, 8, 0}) {
            file.push_back(static_cast<char>(extent >> shift & 0xff));
        }
    }
    return file + elements;
}

template <class T>
xt::xarray<T> read(const std::string& bytes) {
    const Scratch scratch;
    write_bytes(scratch / "a.idx", bytes);
    return data::read_idx<T>(scratch / "a.idx");
}

/// What reading these bytes says, without the file's path.
template <class T = std::uint8_t>
std::string problem(const std::string& bytes) {
    const std::string message = io_error([&] { read<T>(bytes); });
    const std::size_t name = message.find("/a.idx: ");
    return name == std::string::npos ? message : message.substr(name + 8);
}

}  // namespace

TEST_CASE("IDX files of every type are read") {
    const std::string bytes("\x01\x02\x03\xff", 4);
    CHECK(read<std::uint8_t>(idx(0x08, {2, 2}, bytes)) == xt::xarray<std::uint8_t>{{1, 2}, {3, 255}});
    CHECK(read<std::int8_t>(idx(0x09, {4}, bytes)) == xt::xarray<std::int8_t>{1, 2, 3, -1});
    CHECK(read<std::int16_t>(idx(0x0B, {1, 2}, bytes)) == xt::xarray<std::int16_t>{{0x0102, 0x03ff}});
    CHECK(read<std::int32_t>(idx(0x0C, {1}, bytes)) == xt::xarray<std::int32_t>{0x010203ff});
    CHECK(read<float>(idx(0x0D, {2}, std::string("\x3f\x80\0\0\xc0\x20\0\0", 8))) == xt::xarray<float>{1.F, -2.5F});
    CHECK(read<double>(idx(0x0E, {1}, std::string("\x3f\xf0\0\0\0\0\0\0", 8))) == xt::xarray<double>{1.});
}

TEST_CASE("bytes are what read_idx reads unless told otherwise") {
    const Scratch scratch;
    write_bytes(scratch / "a.idx", idx(0x08, {3}, "abc"));
    const xt::xarray<std::uint8_t> array = data::read_idx(scratch / "a.idx");
    CHECK(array == xt::xarray<std::uint8_t>{'a', 'b', 'c'});
}

TEST_CASE("IDX files may be 0-d or empty") {
    CHECK(read<std::uint8_t>(idx(0x08, {}, "a"))() == 'a');
    CHECK(read<std::uint8_t>(idx(0x08, {0, 28, 28}, "")).shape() == xt::xarray<std::uint8_t>::shape_type{0, 28, 28});
}

TEST_CASE("what is wrong with an IDX file is named, with its place and its field") {
    CHECK(problem(idx(0x08, {3}, "ab")) ==
          "byte 8, elements: shape (3,) of uint8 takes 3 bytes, but the file has 2; it is truncated or damaged");
    CHECK(problem(idx(0x08, {3}, "abcd")) ==
          "byte 8, elements: shape (3,) of uint8 takes 3 bytes, but the file has 4; it is truncated or damaged");
    CHECK(problem<float>(idx(0x08, {3}, "abc")) ==
          "byte 2, element type: the file holds uint8, but float32 was asked for; "
          "read it as uint8 and convert that");
    CHECK(problem(idx(0x0A, {3}, "abc")) == "byte 2, element type: 0x0a is none of IDX's types");
    CHECK(problem("\x89PNG\r\n\x1a\n") ==
          "byte 0, magic number: an IDX file starts with two zero bytes, this one with 0x8950");
    CHECK(problem("\x1f\x8b\x08") == "byte 0, magic number: this file is compressed; unpack it first with gunzip");
    CHECK(problem(std::string("\0\0\x08\x03\0\0", 6)) ==
          "byte 4, extent of dimension 0: 4 bytes wanted, but the file ends "
          "after 2; it is truncated or damaged");
    const std::uint32_t most = 0xffffffff;
    CHECK(problem(idx(0x08, {most, most, 2}, "ab")).find("takes more than any file's bytes") != std::string::npos);
    CHECK(problem(idx(0x08, {0, most, most, most}, "")).find("takes more than any file's bytes") != std::string::npos);

    const Scratch scratch;
    CHECK(io_error([&] { data::read_idx(scratch / "no.idx"); }) ==
          "cannot read '" + (scratch / "no.idx") + "': No such file or directory");
}

TEST_CASE("an IDX file cut off anywhere is refused") {
    const std::string whole = idx(0x0C, {2, 3}, std::string(24, 'x'));
    CHECK(problem<std::int32_t>(whole).empty());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(problem<std::int32_t>(whole.substr(0, size)).starts_with("byte "));
    }
}

TEST_CASE("an IDX file whose header has any bit flipped is refused") {
    const std::string whole = idx(0x0C, {2, 3}, std::string(24, 'x'));
    for (std::size_t bit = 0; bit < 8 * 12; ++bit) {
        CAPTURE(bit);
        const std::string message = problem<std::int32_t>(flip_bit(whole, bit));
        CHECK(message.starts_with("byte "));
    }
}
