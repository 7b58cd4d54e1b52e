// What xtape writes is read by others, and what they write of it by xtape: tests/data/safetensors_files.py, over struct
// and json alone and through NumPy.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/wait.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/io/npz.hpp>
#include <xtape/io/safetensors.hpp>

#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

int run(const std::string& command) {
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// The first Python that runs `statement`; nothing if none does.
std::string python(const char* statement) {
    for (const char* candidate : {"python3", "/usr/bin/python3"}) {
        if (run(fmt::format("{} -c '{}' >/dev/null 2>&1", candidate, statement)) == 0) {
            return candidate;
        }
    }
    return {};
}

std::string script(const std::string& python, const char* verb, const std::string& from, const std::string& to) {
    return fmt::format("{} '{}' {} '{}' '{}'", python, test_data("safetensors_files.py"), verb, from, to);
}

io::StateDict arrays() {
    xt::xarray<double> many = xt::xarray<double>::from_shape({7, 11});
    double x = 0.1;
    for (double& element : many) {
        element = x = 3.9 * x * (1 - x);
    }
    return {{"0.weight", xt::cast<float>(many)},
            {"0.bias", many},
            {"scalar", 2.5F},
            {"step", std::int64_t{1} << 60},
            {"empty", xt::xarray<double>::from_shape({0, 4})},
            {"also/empty", xt::xarray<float>::from_shape({3, 0})},
            {"größe.日本 😀", xt::xarray<double>{INFINITY, -INFINITY, NAN, -0.0, 5e-324}},
            {"int8", xt::xarray<std::int8_t>{-128, 127}},
            {"uint64", xt::xarray<std::uint64_t>{~std::uint64_t{0}}}};
}

}  // namespace

TEST_CASE("safetensors of xtape's pass through Python's struct and json, and come back as they were, byte for byte") {
    const std::string interpreter = python("import json, struct");
    if (interpreter.empty()) {
        MESSAGE("skipped: there is no python3");
        return;
    }
    const Scratch scratch;
    const std::string from = scratch / "a.safetensors";
    const std::string to = scratch / "b.safetensors";
    const std::map<std::string, std::string> metadata{{"format", "pt"}, {"größe", "\"α\"\n"}};
    io::write_safetensors(from, arrays(), metadata);
    REQUIRE(run(script(interpreter, "copy", from, to)) == 0);
    CHECK(read_bytes(to) == read_bytes(from));
    const io::SafeTensors read = io::read_safetensors(to);
    CHECK(same(read.arrays, arrays()));
    CHECK(read.metadata == metadata);
    // The script does look: a damaged file does not pass.
    write_bytes(from, read_bytes(from) + "x");
    CHECK(run(script(interpreter, "copy", from, to) + " 2>/dev/null") == 1);
}

TEST_CASE("weights pass through NumPy, as safetensors and as npz, and come back bit for bit") {
    const std::string interpreter = python("import numpy");
    if (interpreter.empty()) {
        MESSAGE("skipped: there is no python3 with NumPy");
        return;
    }
    const Scratch scratch;
    const std::string tensors = scratch / "a.safetensors";
    const std::string archive = scratch / "a.npz";
    io::write_safetensors(tensors, arrays());
    io::write_npz(archive, arrays());
    const std::string tensors_copy = scratch / "b.safetensors";
    const std::string archive_copy = scratch / "b.npz";
    for (const std::string& from : {tensors, archive}) {
        REQUIRE(run(script(interpreter, "numpy", from, tensors_copy)) == 0);
        CHECK(same(io::read_safetensors(tensors_copy).arrays, arrays()));
        REQUIRE(run(script(interpreter, "numpy", from, archive_copy)) == 0);
        CHECK(same(io::read_npz(archive_copy), arrays()));
    }
    CHECK(read_bytes(tensors_copy) == read_bytes(tensors));
}
