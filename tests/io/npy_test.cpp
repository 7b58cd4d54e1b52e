#include <cstdint>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>
#include <xtape/io/npy.hpp>

#include "io/allocations.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

io::Array parse(const std::string& bytes) {
    const auto view = std::as_bytes(std::span(bytes));
    return io::parse_npy({view.begin(), view.end()}, "a.npy");
}

/// A version 1.0 file with this dict and these bytes of elements.
std::string npy(const std::string& dict, std::size_t element_bytes) {
    std::string file("\x93NUMPY\x01\x00", 8);
    file.push_back(static_cast<char>(dict.size()));
    file.push_back('\0');
    return file + dict + std::string(element_bytes, '\0');
}

xt::xarray<double> cube() {
    xt::xarray<double> result = xt::xarray<double>::from_shape({2, 3, 4});
    for (std::size_t i = 0; i < 24; ++i) {
        result.data()[i] = static_cast<double>(i);
    }
    return result;
}

}  // namespace

TEST_CASE("npy files of NumPy's are read") {
    CHECK(io::read_npy<double>(test_data("numpy.npy")) == cube());
    CHECK(io::read_npy(test_data("numpy.npy")).as<double>() == cube());
    CHECK(io::read_npy<std::int64_t>(test_data("numpy_v2.npy")) == xt::xarray<std::int64_t>{0, 1, 2});
    CHECK(io::read_npy<std::int64_t>(test_data("numpy_v3.npy")) == xt::xarray<std::int64_t>{0, 1, 2});
}

TEST_CASE("a npy file of another type than asked for says what it holds") {
    const std::string path = test_data("numpy.npy");
    CHECK_THROWS_WITH_AS(io::read_npy<float>(path),
                         (path + ": descr: the file holds float64, not float32; read it as float64, or read it as an "
                                 "Array and convert that with cast<float>() or cast<double>()")
                             .c_str(),
                         IoError);
}

TEST_CASE("types that xtape has not say so") {
    CHECK(io_error([] { io::read_npy(test_data("numpy_bool.npy")); })
              .ends_with("numpy_bool.npy: byte 20, descr: its type is none of int8 to int64, uint8 to uint64, float32, "
                         "float64; convert "
                         "it with NumPy's astype before saving"));
    CHECK(io_error([] { io::read_npy(test_data("numpy_records.npy")); })
              .ends_with("numpy_records.npy: byte 20, descr: it holds records with fields; save each field as an array "
                         "of its own"));
}

TEST_CASE("a missing file, a folder and a pipe are named") {
    const Scratch scratch;
    CHECK(io_error([&] { io::read_npy(scratch / "no.npy"); }) ==
          "cannot read '" + (scratch / "no.npy") + "': No such file or directory");
    CHECK(io_error([&] { io::read_npy(scratch / ""); }).ends_with("it is a directory"));
    CHECK(io_error([&] { io::read_npy("/dev/zero"); }) == "cannot read '/dev/zero': it is not a regular file");
}

TEST_CASE("a header may be written in other ways than NumPy's") {
    CHECK(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", 24)).shape() ==
          std::vector<std::size_t>{2, 3});
    CHECK(parse(npy("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}", 8)).size() == 2);
    CHECK(parse(npy("{'descr': '|u1', 'fortran_order': True, 'shape': ()}", 1)).shape().empty());
    CHECK(parse(npy("{'descr': '<i2', 'fortran_order': True, 'shape': (0, 5)}", 0)).size() == 0);
}

TEST_CASE("what a header must not say is refused, with its place and its field") {
    const auto problem = [](const std::string& dict, std::size_t element_bytes) {
        return io_error([&] { parse(npy(dict, element_bytes)); });
    };
    const std::string rest = ", 'fortran_order': False, 'shape': (1,)}";
    CHECK(problem("", 8) == "a.npy: byte 10, header: '{' expected");
    CHECK(problem("{'descr': '<f8'}", 8) == "a.npy: byte 10, header: descr, fortran_order or shape is missing");
    CHECK(problem("{'descr': '<f8', 'descr': '<f8'" + rest, 8) ==
          "a.npy: byte 27, header: a key is unknown or comes twice");
    CHECK(problem("{'desc': '<f8'" + rest, 8) == "a.npy: byte 11, header: a key is unknown or comes twice");
    CHECK(problem("{'descr': '<f8" + rest, 8).starts_with("a.npy: byte 20, descr: its type is none of"));
    CHECK(problem("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x", 8) ==
          "a.npy: byte 66, header: something follows the dict");
    for (const char* type : {"<f2", "<c8", "|b1", "|O", "<U3", "f8", "=f8", "|f8", "<f16", ""}) {
        CAPTURE(type);
        CHECK(
            problem("{'descr': '" + std::string(type) + "'" + rest, 8).starts_with("a.npy: byte 20, descr: its type"));
    }
    CHECK(problem("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", 8) ==
          "a.npy: byte 44, fortran_order: True or False expected");

    const auto shape_problem = [&](const std::string& shape, std::size_t element_bytes) {
        return problem("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}", element_bytes);
    };
    CHECK(shape_problem("(-1,)", 8) == "a.npy: byte 61, shape: a non-negative integer of at most 64 bits expected");
    CHECK(shape_problem("(1.0,)", 8).starts_with("a.npy: byte 62, shape"));
    CHECK(shape_problem("(18446744073709551616,)", 8).starts_with("a.npy: byte 61, shape: a non-negative integer"));
    CHECK(shape_problem("(1)", 8) == "a.npy: byte 62, shape: ',' expected: (n) is not a tuple");
    CHECK(shape_problem("(1, 1", 8).starts_with("a.npy: byte 65, header: ')' expected"));
    CHECK(shape_problem("[1]", 8) == "a.npy: byte 60, header: '(' expected");
    std::string many = "(";
    for (int i = 0; i < 65; ++i) {
        many += "1,";
    }
    CHECK(shape_problem(many + ")", 8).ends_with("shape: it has more than 64 dimensions"));
}

TEST_CASE("a length that the file does not have is refused before memory is taken for it") {
    const auto problem = [](const std::string& shape) {
        const std::string bytes = npy("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}", 16);
        largest_allocation::reset();
        const std::string message = io_error([&] { parse(bytes); });
        CHECK(largest_allocation::get() < 1024);
        return message;
    };
    CHECK(problem("(2,)").empty());
    CHECK(problem("(3,)") ==
          "a.npy: byte 65, elements: shape (3,) of float64 takes 24 bytes, but the file has 16; it is "
          "truncated or damaged");
    CHECK(problem("(1,)").find("takes 8 bytes, but the file has 16") != std::string::npos);
    CHECK(problem("(1000000000, 1000)").find("takes 8000000000000 bytes") != std::string::npos);
    // The product is 2 modulo 2^64.
    CHECK(problem("(9223372036854775809, 2)").find("takes more than any file's bytes") != std::string::npos);
    // No element, but strides that no pointer difference holds.
    CHECK(problem("(0, 4611686018427387904, 4611686018427387904)").find("more than any file's") != std::string::npos);
}

TEST_CASE("a npy file cut off anywhere is refused") {
    for (const char* name : {"numpy.npy", "numpy_v2.npy", "numpy_v3.npy"}) {
        const std::string whole = read_bytes(test_data(name));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            CHECK(io_error([&] { parse(whole.substr(0, size)); }).find("a.npy: byte ") == 0);
        }
        CHECK(io_error([&] { parse(whole + "x"); }).find("a.npy: byte ") == 0);
    }
}

TEST_CASE("a npy file with any bit flipped is read or refused, within its own size") {
    for (const char* name : {"numpy.npy", "numpy_v2.npy"}) {
        const std::string whole = read_bytes(test_data(name));
        std::size_t refused = 0;
        for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
            const std::string damaged = flip_bit(whole, bit);
            io::Array array;
            largest_allocation::reset();
            refused += io_error([&] { array = parse(damaged); }).empty() ? 0 : 1;
            CHECK(largest_allocation::get() <= whole.size() + 512);
            CHECK(array.bytes().size() <= whole.size());
        }
        // Nearly all of the dict, and none of the elements, can tell.
        CHECK(refused > 400);
        CHECK(refused < 8 * 128);
    }
}

TEST_CASE("a header puts the elements at a multiple of 64 bytes and is read back") {
    for (const std::size_t extent : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{123456}}) {
        const io::Array array = xt::xarray<std::uint8_t>(xt::xarray<std::uint8_t>::from_shape({extent, 1}) * 0);
        const std::string header = io::npy_header(array);
        CHECK(header.size() % 64 == 0);
        CHECK(header.back() == '\n');
        CHECK(parse(header + std::string(array.bytes().size(), '\0')).shape() == array.shape());
    }
}
