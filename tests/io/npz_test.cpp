#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/npz.hpp>

#include "io/allocations.hpp"
#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;

namespace {

using Arrays = io::StateDict;

template <class T>
void add_type(Arrays& arrays) {
    const bool floating = std::floating_point<T>;
    const xt::xarray<double> integers{{0, 1, 2}, {100, 50, 127}};
    arrays.emplace(io::name(io::dtype_of<T>()),
                   xt::cast<T>(floating ? xt::xarray<double>(integers / 8 - 1) : integers));
}

/// One array of each type: what make_npz.py calls every_type.
Arrays every_type() {
    Arrays arrays;
    add_type<std::int8_t>(arrays);
    add_type<std::uint8_t>(arrays);
    add_type<std::int16_t>(arrays);
    add_type<std::uint16_t>(arrays);
    add_type<std::int32_t>(arrays);
    add_type<std::uint32_t>(arrays);
    add_type<std::int64_t>(arrays);
    add_type<std::uint64_t>(arrays);
    add_type<float>(arrays);
    add_type<double>(arrays);
    return arrays;
}

}  // namespace

TEST_CASE("an archive of NumPy's is read: every type, 0-d, empty, Fortran order, big-endian, any name") {
    const Arrays arrays = io::read_npz(test_data("numpy.npz"));
    CHECK(arrays.size() == 15);
    for (const auto& named : every_type()) {
        CAPTURE(named.first);
        CHECK(same(arrays.at(named.first), named.second));
    }
    CHECK(same(arrays.at("scalar"), 2.5F));
    CHECK(same(arrays.at("empty"), xt::xarray<double>::from_shape({0, 4})));
    CHECK(arrays.at("big_endian").as<double>() == xt::xarray<double>{1.5, -2.25});
    CHECK(arrays.at("größe").as<std::int64_t>() == xt::xarray<std::int64_t>{0, 1, 2});
    const auto fortran = arrays.at("fortran").as<double>();
    CHECK(fortran.shape() == xt::xarray<double>::shape_type{2, 3, 4});
    for (std::size_t i = 0; i < 24; ++i) {
        CHECK(fortran(i / 12, i / 4 % 3, i % 4) == static_cast<double>(i));
    }
}

TEST_CASE("a compressed archive of NumPy's is read") {
    const Arrays arrays = io::read_npz(test_data("numpy_compressed.npz"));
    CHECK(arrays.size() == 2);
    CHECK(arrays.at("zeros").as<double>() == xt::xarray<double>(xt::xarray<double>::shape_type{300, 200}, 0.));
    CHECK(arrays.at("cube").as<double>()(1, 2, 3) == 23);
}

TEST_CASE("write_npz writes the file that NumPy was seen to read") {
    // tests/data/make_npz.py checks what NumPy finds in xtape.npz. If this test fails because write_npz, or libzip, has
    // come to write other bytes: copy the file over xtape.npz, and run make_npz.py again.
    Arrays arrays = every_type();
    arrays.emplace("0.weight", xt::xarray<float>{{1, 2, 3}, {4, 5, 6}});
    arrays.emplace("empty", xt::xarray<double>::from_shape({0, 4}));
    arrays.emplace("größe", xt::xarray<double>{0.5});
    arrays.emplace("step", std::int64_t{12});
    const Scratch scratch;
    io::write_npz(scratch / "xtape.npz", arrays);
    CHECK(read_bytes(scratch / "xtape.npz") == read_bytes(test_data("xtape.npz")));
    CHECK(same(io::read_npz(scratch / "xtape.npz"), arrays));
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("infinities, NaNs and signed zeros come back bit for bit") {
    const double infinity = std::numeric_limits<double>::infinity();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Arrays arrays{{"a", xt::xarray<double>{infinity, -infinity, nan, -0., 5e-324}}};
    const Scratch scratch;
    io::write_npz(scratch / "a.npz", arrays);
    CHECK(same(io::read_npz(scratch / "a.npz"), arrays));
}

TEST_CASE("an archive may hold nothing") {
    const Scratch scratch;
    io::write_npz(scratch / "empty.npz", {});
    CHECK(io::read_npz(scratch / "empty.npz").empty());
}

TEST_CASE("an archive larger than the blocks it is read and written in comes back") {
    xt::xarray<double> large = xt::xarray<double>::from_shape({300'001});
    for (std::size_t i = 0; i < large.size(); ++i) {
        large(i) = static_cast<double>(i * i);
    }
    const Arrays arrays{{"large", large}, {"small", 1}};
    const Scratch scratch;
    io::write_npz(scratch / "a.npz", arrays);
    CHECK(same(io::read_npz(scratch / "a.npz"), arrays));
}

TEST_CASE("a name that an archive cannot hold is refused, and the old file stays") {
    const Scratch scratch;
    io::write_npz(scratch / "a.npz", {{"a", 1}});
    const std::string before = read_bytes(scratch / "a.npz");
    CHECK_THROWS_WITH_AS(
        io::write_npz(scratch / "a.npz", {{std::string("x\0y", 3), 1}}),
        "write_npz: the name of an array that starts with 'x' has 3 bytes; it may have up to 65531, and "
        "no zero byte",
        ValueError);
    CHECK_THROWS_AS(io::write_npz(scratch / "a.npz", {{std::string(65'532, 'x'), 1}}), ValueError);
    CHECK(io_error([&] { io::write_npz(scratch / "a.npz", {{"\xff", 1}}); }).starts_with("cannot save '"));
    CHECK(read_bytes(scratch / "a.npz") == before);
    CHECK(scratch.file_count() == 1);
    const Arrays longest{{std::string(65'531, 'x'), 1}};
    io::write_npz(scratch / "a.npz", longest);
    CHECK(same(io::read_npz(scratch / "a.npz"), longest));
}

TEST_CASE("what is no npz archive says so") {
    const Scratch scratch;
    CHECK(io_error([&] { io::read_npz(scratch / "no.npz"); }) ==
          "cannot read '" + (scratch / "no.npz") + "' as an npz archive: No such file");
    const std::string npy = test_data("numpy.npy");
    CHECK(io_error([&] { io::read_npz(npy); }) == "cannot read '" + npy + "' as an npz archive: Not a zip archive");
    write_bytes(scratch / "a.npz", "");
    CHECK(io_error([&] { io::read_npz(scratch / "a.npz"); }).starts_with("cannot read '"));
}

TEST_CASE("an entry that is no array is named") {
    // Same length, so that the archive stays sound: "w.npy" becomes "w.txt" in both places that hold the name.
    std::string bytes = read_bytes(test_data("numpy_small.npz"));
    for (std::size_t at = 0; (at = bytes.find("w.npy", at)) != std::string::npos;) {
        bytes.replace(at, 5, "w.txt");
    }
    const Scratch scratch;
    write_bytes(scratch / "a.npz", bytes);
    CHECK(io_error([&] { io::read_npz(scratch / "a.npz"); }) ==
          (scratch / "a.npz") + ": entry 'w.txt': its name does not end in .npy; an npz archive holds arrays only");
}

TEST_CASE("an entry that comes twice is refused") {
    std::string bytes = read_bytes(test_data("numpy_small.npz"));
    for (std::size_t at = 0; (at = bytes.find("w.npy", at)) != std::string::npos;) {
        bytes.replace(at, 5, "n.npy");
    }
    const Scratch scratch;
    write_bytes(scratch / "a.npz", bytes);
    CHECK(io_error([&] { io::read_npz(scratch / "a.npz"); }) ==
          "cannot read '" + (scratch / "a.npz") + "' as an npz archive: File already exists");
}

TEST_CASE("an archive cut off anywhere is refused") {
    const Scratch scratch;
    for (const char* name : {"numpy_small.npz", "numpy_compressed.npz", "xtape.npz"}) {
        const std::string whole = read_bytes(test_data(name));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            write_bytes(scratch / "a.npz", whole.substr(0, size));
            CHECK(io_error([&] { io::read_npz(scratch / "a.npz"); }).find(scratch / "a.npz") != std::string::npos);
        }
    }
}

TEST_CASE("an archive with a bit flipped is refused or gives the right data, and takes no memory for false lengths") {
    const Scratch scratch;
    for (const auto& [name, step] : {std::pair{"numpy_small.npz", 1U}, {"numpy_compressed.npz", 3U}}) {
        const std::string whole = read_bytes(test_data(name));
        const Arrays right = io::read_npz(test_data(name));
        largest_allocation::reset();
        io::read_npz(test_data(name));
        const std::size_t enough = std::max<std::size_t>(largest_allocation::get(), 1 << 16) * 2;
        std::size_t refused = 0;
        for (std::size_t bit = 0; bit < 8 * whole.size(); bit += step) {
            CAPTURE(bit);
            write_bytes(scratch / "a.npz", flip_bit(whole, bit));
            Arrays arrays;
            largest_allocation::reset();
            const std::string problem = io_error([&] { arrays = io::read_npz(scratch / "a.npz"); });
            CHECK(largest_allocation::get() <= enough);
            CHECK((same(arrays, right) || !problem.empty()));
            refused += problem.empty() ? 0 : 1;
        }
        CHECK(step * refused > 6 * whole.size());
    }
}
