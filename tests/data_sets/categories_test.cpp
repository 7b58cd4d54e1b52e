#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/categories.hpp>

using namespace xtape;
using data::Categories;
using Texts = std::vector<std::string>;

TEST_CASE("categories are numbered in sorted order, or as they appear") {
    const Texts texts{"virginica", "setosa", "", "virginica", "Setosa"};
    const auto sorted = Categories::sorted(texts);
    CHECK(sorted.names() == Texts{"", "Setosa", "setosa", "virginica"});
    CHECK(sorted.encode(texts) == xt::xarray<int>{3, 2, 0, 3, 1});
    const auto appearing = Categories::by_appearance(texts);
    CHECK(appearing.size() == 4);
    CHECK(appearing.names() == Texts{"virginica", "setosa", "", "Setosa"});
    CHECK(appearing.encode(texts) == xt::xarray<int>{0, 1, 2, 0, 3});
}

TEST_CASE("categories made of their names encode as those that were kept") {
    const Texts texts{"b", "c", "a", "b"};
    const auto kept = Categories::by_appearance(texts);
    CHECK(Categories(kept.names()).encode(texts) == kept.encode(texts));
    for (std::size_t i = 0; i < texts.size(); ++i) {
        CHECK(kept.names().at(static_cast<std::size_t>(kept.encode(texts)(i))) == texts[i]);
    }
}

TEST_CASE("nothing has no categories, and encodes as nothing") {
    const auto none = Categories::sorted({});
    CHECK(none.size() == 0);
    CHECK(none.encode({}).shape() == xt::xarray<int>::shape_type{0});
}

TEST_CASE("an unknown text and a name given twice are refused") {
    const Categories categories({"cat", "dog"});
    CHECK_THROWS_WITH_AS(categories.encode(Texts{"dog", "cow"}),
                         "Categories::encode: texts[1] = 'cow' is none of 'cat', 'dog'", ValueError);
    CHECK_THROWS_WITH_AS(Categories({"a", "b", "a"}), "Categories: names holds 'a' twice", ValueError);
}
