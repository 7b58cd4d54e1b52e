#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/data/csv.hpp>

#include "io/scratch.hpp"

using namespace xtape;

namespace {

data::CsvTable read(const std::string& text, const data::CsvOptions& options = {}) {
    const Scratch scratch;
    write_bytes(scratch / "a.csv", text);
    return data::read_csv(scratch / "a.csv", options);
}

/// What reading this text says, without the file's path.
std::string problem(const std::string& text, const data::CsvOptions& options = {}) {
    const std::string message = io_error([&] { read(text, options); });
    const std::size_t name = message.find("/a.csv: ");
    return name == std::string::npos ? message : message.substr(name + 8);
}

const xt::xarray<double> two_by_two{{1., 2.}, {3., 4.}};

}  // namespace

TEST_CASE("the digits are read: 1,797 images of 64 pixels, and their classes") {
    const data::CsvTable digits = data::read_csv(XTAPE_SOURCE_DIR "/examples/data/digits.csv");
    CHECK(digits.names.empty());
    REQUIRE(digits.values.shape() == xt::xarray<double>::shape_type{1797, 65});
    std::vector<int> count(10);
    double sum = 0;
    for (std::size_t row = 0; row < 1797; ++row) {
        ++count.at(static_cast<std::size_t>(digits.values(row, 64)));
        for (std::size_t pixel = 0; pixel < 64; ++pixel) {
            const double value = digits.values(row, pixel);
            REQUIRE((value >= 0 && value <= 16));
            sum += value;
        }
    }
    CHECK(count == std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180});
    CHECK(sum == 561718);  // sklearn.datasets.load_digits().data.sum()
    CHECK(digits.values(0, 2) == 5);
    CHECK(digits.values(1796, 64) == 8);
}

TEST_CASE("rows may end and fields may be written in many ways") {
    CHECK(read("1,2\n3,4\n").values == two_by_two);
    CHECK(read("1,2\n3,4").values == two_by_two);
    CHECK(read("1,2\r\n3,4\r\n").values == two_by_two);
    CHECK(read("\n1,2\n\n\n3,4\n\n").values == two_by_two);
    CHECK(read(" 1 ,\t2\n3 , 4 \n").values == two_by_two);
    CHECK(read("\"1\",2\n\"3\",\"4\"\n").values == two_by_two);
    CHECK(read("\xEF\xBB\xBF"
               "1,2\n3,4\n")
              .values == two_by_two);
    CHECK(read("1;2\n3;4\n", {.delimiter = ';'}).values == two_by_two);
    CHECK(read("1\t2\n3\t4\n", {.delimiter = '\t'}).values == two_by_two);
    CHECK(read("+1,-2.5e-3\n1e300,.5\n").values == xt::xarray<double>{{1., -2.5e-3}, {1e300, .5}});
    CHECK(std::isnan(read("nan\n").values(0, 0)));
    CHECK(read("-inf\n").values(0, 0) == -INFINITY);
    CHECK(read("0.1\n").values(0, 0) == 0.1);
}

TEST_CASE("a header names the columns") {
    const auto table = read("x,\"y, in m\",\"a \"\"b\"\"\"\n1,2,3\n", {.header = true});
    CHECK(table.names == std::vector<std::string>{"x", "y, in m", "a \"b\""});
    CHECK(table.values == xt::xarray<double>{{1., 2., 3.}});
    CHECK(table.column("y, in m") == 1);
    CHECK_THROWS_WITH_AS(table.column("z"), "CsvTable::column: name = 'z': the table has only x, y, in m, a \"b\"",
                         ValueError);
    CHECK_THROWS_WITH_AS(read("1\n").column("z"),
                         "CsvTable::column: name = 'z': the table has no names; read it with {.header = true}",
                         ValueError);
    CHECK(read("x,y\n", {.header = true}).values.shape() == xt::xarray<double>::shape_type{0, 2});
}

TEST_CASE("missing values are NaN where they are asked for") {
    const data::CsvOptions options{.missing = {"", "NA", "?"}};
    const auto table = read("1,\nNA,?\n\"\",2\n", options);
    CHECK(table.values.shape() == xt::xarray<double>::shape_type{3, 2});
    CHECK(table.values(0, 0) == 1);
    CHECK(table.values(2, 1) == 2);
    CHECK(std::isnan(table.values(0, 1)));
    CHECK(std::isnan(table.values(1, 0)));
    CHECK(std::isnan(table.values(1, 1)));
    CHECK(std::isnan(table.values(2, 0)));
    CHECK(problem("1,x\n", options).starts_with("line 1, column 2: 'x' is not a number"));
}

TEST_CASE("columns may hold text: where a field is no number, and where they are told to") {
    const std::string text = "id,size,kind\n007,1.5,setosa\n008,,\"iris, \"\"virginica\"\"\"\n009,NA,NA\n";
    const data::CsvOptions options{.header = true, .missing = {"", "NA"}, .text = true};
    const auto table = read(text, options);
    REQUIRE(table.texts.size() == 1);
    CHECK(table.text(2) == std::vector<std::string>{"setosa", "iris, \"virginica\"", ""});
    const auto numbers = table.numbers(table.columns({"size", "id"}));
    CHECK(numbers.shape() == xt::xarray<double>::shape_type{3, 2});
    CHECK(numbers(0, 0) == 1.5);
    CHECK(std::isnan(numbers(1, 0)));
    CHECK(std::isnan(numbers(2, 0)));
    CHECK((numbers(0, 1) == 7 && numbers(1, 1) == 8 && numbers(2, 1) == 9));
    CHECK(std::isnan(table.values(0, 2)));

    const auto told = read(text, {.header = true, .missing = {"", "NA"}, .text_columns = {"kind", "id"}});
    CHECK(told.texts.size() == 2);
    CHECK(told.text(told.column("id")) == std::vector<std::string>{"007", "008", "009"});
    CHECK(told.text(2) == table.text(2));
    CHECK(std::isnan(told.values(0, 0)));
    CHECK(told.values(0, 1) == 1.5);
}

TEST_CASE("a column whose first text comes late keeps the spelling of what came before") {
    const auto table = read("1,01\n2,1e2\n3,x\ny,4\n", {.text = true});
    CHECK(table.text(0) == std::vector<std::string>{"1", "2", "3", "y"});
    CHECK(table.text(1) == std::vector<std::string>{"01", "1e2", "x", "4"});
    const auto named = read("a,b,c\nx,1,2\ny,2,z\n", {.header = true, .text = true, .text_columns = {"b"}});
    CHECK(named.names == std::vector<std::string>{"a", "b", "c"});
    CHECK(named.text(0) == std::vector<std::string>{"x", "y"});
    CHECK(named.text(1) == std::vector<std::string>{"1", "2"});
    CHECK(named.text(2) == std::vector<std::string>{"2", "z"});
}

TEST_CASE("a table without text is the same whether text is allowed or not") {
    const auto table = read("1,2\n3,4\n", {.text = true});
    CHECK(table.texts.empty());
    CHECK(table.values == two_by_two);
    CHECK(table.numbers(std::vector<std::size_t>{1, 1, 0}) == xt::xarray<double>{{2, 2, 1}, {4, 4, 3}});
    CHECK(table.numbers({}).shape() == xt::xarray<double>::shape_type{2, 0});
    CHECK(std::isnan(read("NA\n", {.missing = {"NA"}, .text = true}).values(0, 0)));
}

TEST_CASE("who asks a column of text for numbers is told what in the file is none") {
    const auto table = read("x,y,z\n1,2,3\n1.o,2,\n", {.header = true, .text = true});
    const auto problem_of = [&](std::size_t column) -> std::string {
        try {
            (void)table.numbers(std::vector<std::size_t>{column});
        } catch (const ValueError& error) {
            return error.what();
        }
        return {};
    };
    CHECK(problem_of(0).starts_with("CsvTable::numbers: column 1, 'x', holds text: /"));
    CHECK(problem_of(0).ends_with("/a.csv: line 3, column 1: '1.o' is not a number"));
    CHECK(problem_of(1).empty());
    CHECK(problem_of(2).ends_with(
        "/a.csv: line 3, column 3: the field is empty; to read it as NaN, pass {.missing = {\"\"}}"));
    CHECK(problem_of(3) == "CsvTable::numbers: wanted = 3: the table has 3 columns, from 0");
    CHECK_THROWS_WITH_AS(table.text(1),
                         "CsvTable::text: column 2, 'y', holds numbers; name it in text_columns to have its text",
                         ValueError);
    CHECK_THROWS_WITH_AS(table.text(3), "CsvTable::text: wanted = 3: the table has 3 columns, from 0", ValueError);
    CHECK_THROWS_WITH_AS(table.columns({"x", "w"}), "CsvTable::columns: wanted = 'w': the table has only x, y, z",
                         ValueError);
    const auto told = read("x\n1\n", {.header = true, .text_columns = {"x"}});
    CHECK_THROWS_WITH_AS(told.numbers(std::vector<std::size_t>{0}),
                         "CsvTable::numbers: column 1, 'x', holds text: text_columns asked for its text", ValueError);
}

TEST_CASE("text columns are named by the header, and by nothing else") {
    CHECK_THROWS_WITH_AS(read("x,y\n1,2\n", {.header = true, .text_columns = {"z"}}),
                         "read_csv: text_columns = 'z': the table has only x, y", ValueError);
    CHECK_THROWS_WITH_AS(read("1,2\n", {.text_columns = {"z"}}),
                         "read_csv: text_columns = z: without {.header = true} columns have no names", ValueError);
}

TEST_CASE("Fisher's irises are read: 150 of 4 measures, and their species by name") {
    const data::CsvTable iris =
        data::read_csv(test_data("csv/iris.csv"), {.header = true, .text_columns = {"species"}});
    CHECK(iris.names ==
          std::vector<std::string>{"sepal_length", "sepal_width", "petal_length", "petal_width", "species"});
    const auto measures = iris.numbers(std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(measures.shape() == xt::xarray<double>::shape_type{150, 4});
    // As R's summary(iris) prints them.
    const auto means = mean(Tensor<double>(measures), 0);
    CHECK(xt::allclose(means.value(), xt::xarray<double>{5.843, 3.057, 3.758, 1.199}, 0, 5e-4));
    const auto& species = iris.text(4);
    for (const char* name : {"setosa", "versicolor", "virginica"}) {
        CHECK(std::ranges::count(species, name) == 50);
    }
    CHECK(data::read_csv(test_data("csv/iris.csv"), {.header = true, .text = true}).text(4) == species);
}

TEST_CASE("what is wrong is named, with its line and its column") {
    CHECK(problem("1,2\n3,four\n") == "line 2, column 2: 'four' is not a number");
    CHECK(problem("a,b\n1,2\n") ==
          "line 1, column 1: 'a' is not a number; if this line names the columns, pass {.header = true}");
    CHECK(problem("a,b\nx,2\n", {.header = true}) ==
          "line 2, column 1: 'x' is not a number; if its column holds text, pass {.text = true}");
    CHECK(problem("1,2\n,4\n") == "line 2, column 1: the field is empty; to read it as NaN, pass {.missing = {\"\"}}");
    CHECK(problem("1,2\n\n\n3\n") == "line 4, column 1: the row ends after 1 fields, but the first has 2");
    CHECK(problem("1,2\n3,4,5\n") == "line 2, column 3: the row has more fields than the first, which has 2");
    CHECK(problem("x,y\n1,2,3\n", {.header = true}) ==
          "line 2, column 3: the row has more fields than the first, which has 2");
    CHECK(problem("1,2\n3,1e999\n") == "line 2, column 2: '1e999' is beyond the range of a double");
    CHECK(problem("1,2 3\n").starts_with("line 1, column 2: '2 3' is not a number"));
    CHECK(problem("1,0x10\n").starts_with("line 1, column 2: '0x10' is not a number"));
    CHECK(problem("1\n+-2\n") == "line 2, column 1: '+-2' is not a number");
    CHECK(problem(std::string("1\n2\0\n", 5)) == "line 2, column 1: '2\\x00' is not a number");
    CHECK(problem("1\n" + std::string(100, 'x') + "\n") ==
          "line 2, column 1: '" + std::string(40, 'x') + "...' is not a number");
    CHECK(problem("") == "line 1: the file holds no rows");
    CHECK(problem("\n\n") == "line 1: the file holds no rows");
    // A quoted field over two lines: the line is the one where it ends.
    CHECK(problem("\"1\n\",2\nx,2\n") ==
          "line 2, column 1: '1\\x0a' is not a number; if this line names the columns, pass "
          "{.header = true}");
    const std::string quotes = "a quote is out of place or is not closed; inside a quoted field it is written twice";
    CHECK(problem("1,2\n3,\"4") == "line 2, column 2: " + quotes);
    CHECK(problem("1,2\n\"3\"3,4\n") == "line 2, column 1: " + quotes);
    CHECK(problem("1,2\n3\"3,4\n") == "line 2, column 1: " + quotes);

    const Scratch scratch;
    CHECK(io_error([&] { data::read_csv(scratch / "no.csv"); }) ==
          "cannot read '" + (scratch / "no.csv") + "': No such file or directory");
}

TEST_CASE("a delimiter that CSV needs itself is refused") {
    for (const char delimiter : {'"', '\n', '\r', ' ', '\0'}) {
        CHECK_THROWS_AS(read("1\n", {.delimiter = delimiter}), ValueError);
    }
}

TEST_CASE("a CSV file cut off anywhere gives its whole rows' numbers, or is refused") {
    const std::string whole = "1.25,\"2\"\r\n3,4\r\n";
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        CAPTURE(size);
        data::CsvTable table;
        if (io_error([&] { table = read(whole.substr(0, size)); }).empty()) {
            REQUIRE(table.values.dimension() == 2);
            CHECK(table.values.shape(0) <= 2);
            CHECK((table.values.shape(1) < 2 || table.values(0, 0) == 1.25));
        }
    }
}

TEST_CASE("a CSV file with any bit flipped is read or refused") {
    const std::string whole = "x,\"y\"\n1.25,\"2\"\r\n3,4\r\n";
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
        refused += problem(flip_bit(whole, bit), {.header = true}).empty() ? 0 : 1;
        problem(flip_bit(whole, bit), {.header = true, .text = true});
    }
    CHECK(refused > 80);
}
