// Safetensors files: what the format's users write is read, what it forbids is refused.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/safetensors.hpp>

#include "io/allocations.hpp"
#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

const xt::xarray<int> integers{{0, 1, 2}, {100, 50, 127}};
const xt::xarray<double> floats{{-1, -0.875, -0.75}, {11.5, 5.25, 14.875}};

/// One array of each type: what safetensors_files.py calls by the types' names.
io::StateDict every_type() {
    return {{"int8", xt::cast<std::int8_t>(integers)},   {"uint8", xt::cast<std::uint8_t>(integers)},
            {"int16", xt::cast<std::int16_t>(integers)}, {"uint16", xt::cast<std::uint16_t>(integers)},
            {"int32", xt::cast<std::int32_t>(integers)}, {"uint32", xt::cast<std::uint32_t>(integers)},
            {"int64", xt::cast<std::int64_t>(integers)}, {"uint64", xt::cast<std::uint64_t>(integers)},
            {"float32", xt::cast<float>(floats)},        {"float64", floats}};
}

/// A file of this header and these many bytes of zeros.
std::string file(const std::string& header, std::size_t data_size = 0) {
    std::string bytes;
    for (std::size_t i = 0; i < 8; ++i) {
        bytes.push_back(static_cast<char>(header.size() >> 8 * i & 0xff));
    }
    return bytes + header + std::string(data_size, '\0');
}

/// The header's entry of a tensor.
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

io::SafeTensors parse(const std::string& bytes) {
    return io::parse_safetensors(std::as_bytes(std::span(bytes)), "file");
}

std::string problem(const std::string& bytes) {
    return io_error([&] { parse(bytes); });
}

}  // namespace

TEST_CASE("a file of Python's is read: every type, 0-d, empty, any name, spaces, escapes, any order, unaligned") {
    const io::SafeTensors read = io::read_safetensors(test_data("python.safetensors"));
    CHECK(read.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"größe", "α\n\"β\""}});
    CHECK(read.arrays.size() == 18);
    for (const auto& named : every_type()) {
        CAPTURE(named.first);
        CHECK(same(read.arrays.at(named.first), named.second));
    }
    CHECK(same(read.arrays.at("scalar"), 2.5F));
    CHECK(same(read.arrays.at("empty"), xt::xarray<double>::from_shape({0, 4})));
    CHECK(same(read.arrays.at("0.weight"), xt::xarray<float>{{1.5F, -2.5F}}));
    CHECK(same(read.arrays.at("größe 😀"), xt::xarray<std::int16_t>{-3}));
    CHECK(same(read.arrays.at("a/\"b\"\\c\n"), xt::xarray<std::uint8_t>{7}));
    CHECK(same(read.arrays.at("flags"), xt::xarray<std::uint8_t>{1, 0, 1}));
}

TEST_CASE("float16 and bfloat16 are read as float32, which holds all of their values") {
    const io::SafeTensors read = io::read_safetensors(test_data("python.safetensors"));
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(same(read.arrays.at("half"),
               xt::xarray<float>{{1.0F, -2.5F, 65504.0F, 0x1p-24F}, {-0x1p-15F, -0.0F, infinity, nan}}));
    const float largest = 0x1.fep127F;
    CHECK(same(read.arrays.at("bfloat"), xt::xarray<float>{1.0F, -2.5F, largest, 0x1p-133F, -0.0F, infinity, nan}));
    // All of float16: 2^(e - 15) (1 + f / 1024), or 2^-14 f / 1024 for e = 0.
    std::string bytes = file(fmt::format(R"({{"x":{}}})", tensor("F16", "[65536]", "[0,131072]")));
    for (unsigned half = 0; half < 65536; ++half) {
        bytes.push_back(static_cast<char>(half & 0xff));
        bytes.push_back(static_cast<char>(half >> 8));
    }
    const auto all = parse(bytes).arrays.at("x").as<float>();
    std::size_t wrong = 0;
    for (unsigned half = 0; half < 65536; ++half) {
        const int e = static_cast<int>(half >> 10 & 0x1f);
        const double f = half & 0x3ff;
        const double magnitude = e == 31 ? (f == 0 ? double{infinity} : double{nan})
                                         : std::ldexp(e == 0 ? f : f + 1024, std::max(e, 1) - 25);
        const float value = all(half);
        wrong += std::signbit(value) != (half >= 32768) ||
                 !(std::abs(value) == magnitude || (std::isnan(value) && std::isnan(magnitude)));
    }
    CHECK(wrong == 0);
}

TEST_CASE("a file is written as the format's description has it, byte for byte") {
    const Scratch scratch;
    io::write_safetensors(scratch / "a.safetensors",
                          {{"b", xt::xarray<float>{1.0F, 2.0F}}, {"a", std::uint8_t{3}}, {"c", 0.5}},
                          {{"format", "pt"}});
    const std::string header = R"({"__metadata__":{"format":"pt"},"c":{"dtype":"F64","shape":[],"data_offsets":[0,8]},)"
                               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                               R"("a":{"dtype":"U8","shape":[],"data_offsets":[16,17]}} )";
    REQUIRE(header.size() % 8 == 0);
    CHECK(read_bytes(scratch / "a.safetensors") ==
          file(header) + std::string("\0\0\0\0\0\0\xe0\x3f\0\0\x80\x3f\0\0\0\x40\x03", 17));
    CHECK(scratch.file_count() == 1);
    io::write_safetensors(scratch / "a.safetensors", {});
    CHECK(read_bytes(scratch / "a.safetensors") == file("{}      "));
    CHECK(io::read_safetensors(scratch / "a.safetensors").arrays.empty());
}

TEST_CASE("every type, 0-d and empty arrays, odd names, infinities and NaNs come back bit for bit") {
    const double infinity = std::numeric_limits<double>::infinity();
    io::StateDict arrays = every_type();
    arrays.emplace("", 1.5);
    arrays.emplace("a.b/c\\d\"e\x01\n", xt::xarray<float>::from_shape({3, 0, 2}));
    arrays.emplace("größe 日本 😀", xt::xarray<double>{infinity, -infinity, std::nan("7"), -0., 5e-324});
    const std::map<std::string, std::string> metadata{{"", ""}, {"größe", std::string("zero \0 byte", 11)}};
    const Scratch scratch;
    io::write_safetensors(scratch / "a", arrays, metadata);
    const io::SafeTensors read = io::read_safetensors(scratch / "a");
    CHECK(same(read.arrays, arrays));
    CHECK(read.metadata == metadata);
    const std::string bytes = read_bytes(scratch / "a");
    io::write_safetensors(scratch / "a", read.arrays, read.metadata);
    CHECK(read_bytes(scratch / "a") == bytes);
}

TEST_CASE("what a file cannot hold is refused, and the old file stays") {
    const Scratch scratch;
    const std::string path = scratch / "a";
    io::write_safetensors(path, {{"a", 1}});
    const std::string before = read_bytes(path);
    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {{"__metadata__", 1}}),
                         "safetensors: no array can be called __metadata__; rename it", ValueError);
    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {{"x\xff", 1}}),
                         "safetensors: a text that starts with 'x\xff' is not UTF-8", ValueError);
    CHECK_THROWS_AS(io::write_safetensors(path, {}, {{"\xc0", ""}}), ValueError);
    CHECK_THROWS_AS(io::write_safetensors(path, {}, {{"x", "\xc0"}}), ValueError);
    const io::Array deep(io::DType::uint8, std::vector<std::size_t>(65, 1), std::vector<std::byte>(1));
    CHECK_THROWS_AS(io::write_safetensors(path, {{"x", deep}}), ShapeError);
    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {}, {{"x", std::string(100'000'000, 'x')}}),
                         "safetensors: the header takes 100000032 bytes, more than the 100000000 that the format "
                         "allows; save less text, or fewer arrays a file",
                         ValueError);
    CHECK_THROWS_AS(io::write_safetensors(scratch / "no/a", {}), IoError);
    CHECK(read_bytes(path) == before);
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("a length that is wrong is told") {
    CHECK(problem("") ==
          "file: byte 0, header length: 8 bytes wanted, but the file ends after 0; it is truncated or damaged");
    CHECK(problem(file("{}").substr(0, 9)) ==
          "file: byte 8, header: 2 bytes wanted, but the file ends after 1; it is truncated or damaged");
    CHECK(problem(std::string(7, '\xff') + "\x7f{}") ==
          "file: byte 0, header length: 9223372036854775807 bytes are more than the 100000000 that the format allows");
    CHECK(problem(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)) ==
          "file: byte 0, header length: 100000001 bytes are more than the 100000000 that the format allows");
    CHECK(io_error([] { io::read_safetensors(test_data("numpy.npz")); }).find("numpy.npz: byte 0, header length: ") !=
          std::string::npos);
}

TEST_CASE("a header that is not of the format's form is refused at its place") {
    const std::string good = tensor("U8", "[2]", "[0,2]");
    REQUIRE(problem(file("{\"a\":" + good + "}  \n", 2)).empty());
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "byte 8, header: it does not begin with '{': this is no .safetensors file"},
        {"[]", "byte 8, header: it does not begin with '{': this is no .safetensors file"},
        {" {}", "byte 8, header: it does not begin with '{': this is no .safetensors file"},
        {std::string("{}\0x", 4), "byte 10, header: a zero byte is not JSON"},
        {"{", "byte 8, header: it is not JSON: syntax error while parsing object key - unexpected end of input; "
              "expected string literal"},
        {"{}x", "byte 10, header: it is not JSON: syntax error while parsing value - invalid literal"},
        {"{}{}", "byte 10, header: it is not JSON: syntax error while parsing value - unexpected '{'; expected end of "
                 "input"},
        {"{\"\xff\":" + good + "}",
         "byte 10, header: it is not JSON: syntax error while parsing object key - invalid string: ill-formed UTF-8 "
         "byte"},
        {R"({"a":null})", "byte 16, tensor 'a': an object expected, not null"},
        {R"({"a":[)", "byte 13, tensor 'a': an object expected, not an array"},
        {R"({"a":"x"})", "byte 15, tensor 'a': an object expected, not a string"},
        {R"({"a":{}})", "byte 14, tensor 'a': dtype, shape or data_offsets is missing"},
        {R"({"a":{"dtype":"U8","shape":[0]}})", "byte 38, tensor 'a': dtype, shape or data_offsets is missing"},
        {R"({"a":{"dtype":{)", "byte 22, tensor 'a', dtype: a string expected, not an object"},
        {R"({"a":{"dtype":3})", "byte 23, tensor 'a', dtype: a string expected, not a number"},
        {R"({"a":{"shape":"x")", "byte 24, tensor 'a', shape: an array expected, not a string"},
        {R"({"a":{"shape":[true]})", "byte 26, tensor 'a', shape: a non-negative integer expected, not a boolean"},
        {R"({"a":{"shape":[-1]})",
         "byte 25, tensor 'a', shape: a non-negative integer expected, not a negative number"},
        {R"({"a":{"shape":[1.0]})", "byte 26, tensor 'a', shape: a non-negative integer expected, not a number that is "
                                    "no integer of 64 bits"},
        {R"({"a":{"shape":[18446744073709551616]})", "byte 43, tensor 'a', shape: a non-negative integer expected, not "
                                                     "a number that is no integer of 64 bits"},
        {R"({"a":{"shape":[[)", "byte 23, tensor 'a', shape: a non-negative integer expected, not an array"},
        {R"({"a":{"data_offsets":[0]})", "byte 31, tensor 'a', data_offsets: it has less than two numbers"},
        {R"({"a":{"data_offsets":[0,0,0]})", "byte 35, tensor 'a', data_offsets: it has more than two numbers"},
        {R"({"a":{"offset":3})", "byte 21, tensor 'a', offset: it is none of dtype, shape, data_offsets"},
        {R"({"a":{"shape":[],"shape":[]}})", "byte 31, tensor 'a', shape: it comes twice"},
        {"{\"a\":" + good + ",\"a\":" + good + "}", "byte 63, tensor 'a': it comes twice"},
        {R"({"__metadata__":{},"__metadata__":{}})", "byte 40, tensor '__metadata__': it comes twice"},
        {R"({"__metadata__":{"a":"","a":""}})", "byte 34, __metadata__, a: it comes twice"},
        {R"({"__metadata__":{"a":1}})", "byte 30, __metadata__, a: a string expected, not a number"},
        {R"({"__metadata__":{"a":{)", "byte 29, __metadata__, a: a string expected, not an object"},
        {R"({"__metadata__":[)", "byte 24, tensor '__metadata__': an object expected, not an array"},
    };
    for (const auto& [header, message] : cases) {
        CHECK(problem(file(header, 2)) == "file: " + message);
    }
    std::string ones = "1";
    for (int i = 0; i < 63; ++i) {
        ones += ",1";
    }
    CHECK(parse(file("{\"a\":" + tensor("U8", "[" + ones + "]", "[0,1]") + "}", 1)).arrays.at("a").shape().size() ==
          64);
    CHECK(
        problem(file("{\"a\":" + tensor("U8", "[" + ones + ",1]", "[0,1]") + "}", 1)).find("more than 64 dimensions") !=
        std::string::npos);
}

TEST_CASE("tensors that do not cover the data one after the other are refused") {
    const auto refused = [](const std::string& a, const std::string& b, std::size_t size) {
        return problem(file("{\"a\":" + a + ",\"b\":" + b + "}", size));
    };
    const std::string first = tensor("U8", "[2]", "[0,2]");
    const std::string second = tensor("I16", "[2]", "[2,6]");
    CHECK(refused(first, second, 6).empty());
    CHECK(refused(second, first, 6).empty());
    CHECK(refused(tensor("U8", "[0]", "[0,0]"), first, 2).empty());
    const std::string begins = "file: byte 65, tensor 'b', data_offsets: [";
    CHECK(refused(first, second, 5) ==
          begins +
              "2, 6], but it should begin at 2, where the tensor before it ends, and end by 5, where the file does; "
              "it is truncated or damaged");
    CHECK(refused(first, second, 7).ends_with("data: 1 bytes at the end belong to no tensor"));
    CHECK(refused(first, tensor("I16", "[2]", "[3,7]"), 7).starts_with(begins + "3, 7], but it should begin at 2"));
    CHECK(refused(first, tensor("I16", "[2]", "[1,5]"), 5).starts_with(begins + "1, 5], but it should begin at 2"));
    CHECK(refused(first, tensor("I16", "[0]", "[2,1]"), 2).starts_with(begins + "2, 1]"));
    CHECK(refused(first, first, 2).starts_with(begins + "0, 2]"));
    CHECK(refused(first, tensor("I16", "[3]", "[2,6]"), 6) ==
          "file: byte 65, tensor 'b', shape: (3,) of I16 takes 6 bytes, but data_offsets gives it 4");
    CHECK(refused(first, tensor("I16", "[]", "[2,6]"), 6).find("takes 2 bytes") != std::string::npos);
    for (const char* shape : {"[4294967296,4294967296]", "[18446744073709551615,3]", "[0,9223372036854775807]"}) {
        CHECK(refused(first, tensor("I16", shape, "[2,2]"), 2).find("takes more than any file's bytes") !=
              std::string::npos);
    }
    CHECK(refused(first, tensor("F16", "[0,4611686018427387903]", "[2,2]"), 2).find("takes more than any file's") !=
          std::string::npos);
}

TEST_CASE("types that an array does not hold are named with a remedy, and a BOOL is 0 or 1") {
    for (const char* dtype : {"F8_E4M3", "C64", "f32", ""}) {
        CHECK(
            problem(file("{\"a\":" + tensor(dtype, "[1]", "[0,1]") + "}", 1)) ==
            "file: byte 13, tensor 'a', dtype: it is none of I8 to I64, U8 to U64, BOOL, BF16, F16, F32, F64; convert "
            "the tensor before saving it");
    }
    const std::string flags = file("{\"a\":" + tensor("BOOL", "[2]", "[0,2]") + "}", 1) + "\x02";
    CHECK(problem(flags) == fmt::format("file: byte {}, tensor 'a': a BOOL is neither 0 nor 1", flags.size() - 1));
}

TEST_CASE(
    "brackets nested without end are refused at the first, and a name of megabytes is not repeated in a message") {
    const std::string deep(1 << 20, '[');
    for (const std::string header : {"{\"a\":", "{\"a\":{\"shape\":", "{\"a\":{\"shape\":[", "{\"__metadata__\":"}) {
        const std::string bytes = file(header + deep);
        largest_allocation::reset();
        CHECK_FALSE(problem(bytes).empty());
        CHECK(largest_allocation::get() < 1 << 12);
        CHECK_FALSE(problem(file(header + std::string(1 << 20, '{'))).empty());
    }
    std::string objects;
    for (int i = 0; i < 1 << 17; ++i) {
        objects += "{\"a\":";
    }
    CHECK_FALSE(problem(file(objects)).empty());
    const std::string name(1 << 20, 'n');
    CHECK(problem(file("{\"" + name + "\":null}")).size() < 200);
    CHECK(problem(file("{\"" + name + "\xff")).size() < 200);
    CHECK(problem(file("{\"a\":" + name)).size() < 200);
    CHECK(problem(file("{\"a\":{\"" + name + "\":1}}")).size() < 200);
    CHECK(problem(file("{\"a\":" + tensor(name, "[1]", "[0,1]") + "}", 1)).size() < 200);
    CHECK(problem(file("{\"__metadata__\":{\"" + name + "\":1}}")).size() < 200);
}

TEST_CASE("a short file that promises much takes no memory for it") {
    const std::string huge = "1000000000000";
    for (const std::string dtype : {"U8", "F16", "F64"}) {
        const std::string bytes = file("{\"a\":" + tensor(dtype, "[" + huge + "]", "[0," + huge + "]") + "}", 64);
        largest_allocation::reset();
        CHECK_FALSE(problem(bytes).empty());
        CHECK(largest_allocation::get() < 1 << 12);
    }
    std::string bytes = file("{}");
    bytes[3] = 5;  // a header of 80 MiB
    largest_allocation::reset();
    CHECK_FALSE(problem(bytes).empty());
    CHECK(largest_allocation::get() < 1 << 12);
}
