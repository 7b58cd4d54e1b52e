#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/array.hpp>

using namespace xtape;

TEST_CASE_TEMPLATE("an array gives back what it was made from", T, std::int8_t, std::uint8_t, std::int16_t,
                   std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, long long, float, double) {
    const xt::xarray<T> matrix{{T(1), T(2), T(3)}, {T(4), T(5), std::numeric_limits<T>::max()}};
    const io::Array array = matrix;
    CHECK(array.dtype() == io::dtype_of<T>());
    CHECK(array.shape() == std::vector<std::size_t>{2, 3});
    CHECK(array.size() == 6);
    CHECK(array.bytes().size() == 6 * sizeof(T));
    CHECK(array.as<T>() == matrix);
}

TEST_CASE("an array evaluates expressions, in row-major order whatever theirs") {
    xt::xarray<double, xt::layout_type::column_major> columns{{1, 2, 3}, {4, 5, 6}};
    CHECK(io::Array(columns).as<double>() == xt::xarray<double>{{1, 2, 3}, {4, 5, 6}});
    CHECK(io::Array(2. * columns).as<double>() == xt::xarray<double>{{2, 4, 6}, {8, 10, 12}});
}

TEST_CASE("an array may be 0-d or empty") {
    const io::Array scalar = 2.5F;
    CHECK(scalar.dtype() == io::DType::float32);
    CHECK(scalar.shape().empty());
    CHECK(scalar.as<float>()() == 2.5F);
    CHECK(io::Array().as<double>()() == 0);

    const io::Array empty = xt::xarray<int>::from_shape({0, 3});
    CHECK(empty.size() == 0);
    CHECK(empty.as<int>().shape() == xt::xarray<int>::shape_type{0, 3});
    CHECK(empty.cast<double>().shape() == xt::xarray<int>::shape_type{0, 3});
}

TEST_CASE("an array converts nothing unless asked to") {
    const io::Array array = xt::xarray<std::uint8_t>{0, 255};
    CHECK_THROWS_WITH_AS(
        array.as<float>(),
        "io::Array: it holds uint8, not float32; read it as uint8, or convert it with cast<float>() or "
        "cast<double>()",
        ValueError);
    CHECK_THROWS_AS(array.as<std::int8_t>(), ValueError);
    CHECK(array.cast<float>() == xt::xarray<float>{0.F, 255.F});
    CHECK(io::Array(xt::xarray<std::int64_t>{-3, 4}).cast<double>() == xt::xarray<double>{-3., 4.});
    CHECK(io::Array(xt::xarray<float>{0.5F}).cast<double>() == xt::xarray<double>{0.5});
    CHECK(io::Array(xt::xarray<double>{0.1}).cast<float>() == xt::xarray<float>{0.1F});
}

TEST_CASE("an array's bytes must be those of its shape") {
    const std::vector<std::byte> bytes(8);
    CHECK(io::Array(io::DType::int32, {2, 1}, bytes).size() == 2);
    CHECK_THROWS_WITH_AS(io::Array(io::DType::int32, {3}, bytes),
                         "io::Array: 8 bytes are not an array of int32 with shape (3,)", ShapeError);
    const std::size_t huge = std::numeric_limits<std::size_t>::max() / 2 + 1;
    CHECK_THROWS_AS(io::Array(io::DType::int8, {huge, 2, 8}, bytes), ShapeError);
    CHECK_THROWS_AS(io::Array(io::DType::int8, {huge, 2, 0}, {}), ShapeError);
}
