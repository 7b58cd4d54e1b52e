#include "gradient_rows.hpp"

namespace gradients {

using namespace xtape;

namespace {

using Integers = xt::xarray<int>;

void add_takes(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        add_linear(rows, name, f, {Input(std::move(shape))});
    };
    add("take", [](const auto& x) { return take(x[0], Integers{2, 0}, 0); }, {3, 2});
    add("take repeated and negative", [](const auto& x) { return take(x[0], Integers{-1, 0, 2, 0}, 1); }, {2, 3});
    add("take of the middle axis", [](const auto& x) { return take(x[0], {1, 1}, 1); }, {2, 3, 2});
    add("take by a matrix", [](const auto& x) { return take(x[0], Integers{{0, 2}, {1, 1}}, -1); }, {2, 3});
    add("take by one integer", [](const auto& x) { return take(x[0], -1, 0); }, {3, 2});
    add("take from all", [](const auto& x) { return take(x[0], Integers{{5, -6}, {2, 5}}); }, {2, 3});
    add("take from 0-d", [](const auto& x) { return take(x[0], {0, 0, -1}); }, {});
    add("take of nothing", [](const auto& x) { return take(x[0], Integers::from_shape({0}), 0); }, {3, 2});
    add("take from (2,0)", [](const auto& x) { return take(x[0], {1, 1, 0}, 0); }, {2, 0});
    add("take_along_axis",
        [](const auto& x) {
            return take_along_axis(x[0], Integers{{2, 0}, {1, 1}, {0, -1}}, 1);
        },
        {3, 3});
    add("take_along_axis 0",
        [](const auto& x) {
            return take_along_axis(x[0], Integers{{1, 0, 1}, {0, 0, -1}}, 0);
        },
        {2, 3});
    add("take_along_axis, indices repeated",
        [](const auto& x) {
            return take_along_axis(x[0], Integers{{2, 0, 0}}, -1);
        },
        {2, 3});
    add("take_along_axis, x repeated",
        [](const auto& x) {
            return take_along_axis(x[0], Integers{{2, 0}, {1, 1}}, 1);
        },
        {1, 3});
    add("take_along_axis of 3",
        [](const auto& x) {
            return take_along_axis(x[0], Integers{{{1, 0}}, {{0, 0}}}, 1);
        },
        {2, 2, 2});
    add("take_along_axis of nothing",
        [](const auto& x) {
            return take_along_axis(x[0], Integers::from_shape({2, 0}), 1);
        },
        {2, 3});
    rows.push_back({"sort", [](const auto& x) { return sort(x[0]); }, {Input({7}, Domain::distinct)}});
    rows.push_back({"sort axis 0", [](const auto& x) { return sort(x[0], 0); }, {Input({3, 4}, Domain::distinct)}});
    rows.push_back({"sort axis 1 of 3, squared",
                    [](const auto& x) { return square(sort(x[0], 1)); },
                    {Input({2, 3, 2}, Domain::distinct)}});
    rows.push_back({"sort (2,0)", [](const auto& x) { return sort(x[0]); }, {Input({2, 0})}});
}

void add_arrangements(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        add_linear(rows, name, f, {Input(std::move(shape))});
    };
    add("flip", [](const auto& x) { return flip(x[0]); }, {2, 3});
    add("flip -1", [](const auto& x) { return flip(x[0], -1); }, {2, 3});
    add("flip 0 2", [](const auto& x) { return flip(x[0], {0, 2}); }, {2, 2, 3});
    add("flip 0-d", [](const auto& x) { return flip(x[0]); }, {});
    add("flip (2,0)", [](const auto& x) { return flip(x[0]); }, {2, 0});
    add("roll", [](const auto& x) { return roll(x[0], 2); }, {2, 3});
    add("roll axis 1", [](const auto& x) { return roll(x[0], 1, 1); }, {2, 3, 2});
    add("roll backward", [](const auto& x) { return roll(x[0], -4, -1); }, {2, 3});
    add("roll (2,0)", [](const auto& x) { return roll(x[0], 3, 1); }, {2, 0});
    add("pad", [](const auto& x) { return pad(x[0], {{1, 2}, {0, 1}}); }, {2, 3});
    add("pad with a value", [](const auto& x) { return pad(x[0], {{1, 1}}, -1.5); }, {2, 3});
    add("pad by nothing", [](const auto& x) { return pad(x[0], {{0, 0}, {0, 0}}); }, {2, 3});
    add("pad (0,2)", [](const auto& x) { return pad(x[0], {{1, 1}, {0, 0}}); }, {0, 2});
    add("tile", [](const auto& x) { return tile(x[0], {2, 3}); }, {2, 2});
    add("tile once", [](const auto& x) { return tile(x[0], 2); }, {2, 3});
    add("tile with new axes", [](const auto& x) { return tile(x[0], {2, 1, 2}); }, {3});
    add("tile 0-d", [](const auto& x) { return tile(x[0], {2, 2}); }, {});
    add("tile to nothing", [](const auto& x) { return tile(x[0], {0, 2}); }, {2, 2});
    add("diagonal", [](const auto& x) { return diagonal(x[0]); }, {3, 4});
    add("diagonal below", [](const auto& x) { return diagonal(x[0], -1); }, {3, 4});
    add("diagonal batched", [](const auto& x) { return diagonal(x[0], 1, -2, -1); }, {2, 2, 3});
    add("diagonal of axes 2 0", [](const auto& x) { return diagonal(x[0], 0, 2, 0); }, {2, 3, 3});
    add("diagonal beyond", [](const auto& x) { return diagonal(x[0], 7); }, {2, 3});
    add("diag", [](const auto& x) { return diag(x[0]); }, {3});
    add("diag above", [](const auto& x) { return diag(x[0], 2); }, {2});
    add("diag below", [](const auto& x) { return diag(x[0], -1); }, {3});
    add("diag of a matrix", [](const auto& x) { return diag(x[0], -1); }, {3, 3});
    add("diag of nothing", [](const auto& x) { return diag(x[0], 1); }, {0});
    add("tril", [](const auto& x) { return tril(x[0]); }, {3, 3});
    add("tril above", [](const auto& x) { return tril(x[0], 1); }, {2, 2, 4});
    add("triu", [](const auto& x) { return triu(x[0]); }, {3, 3});
    add("triu below", [](const auto& x) { return triu(x[0], -1); }, {2, 4, 2});
    add("triu (2,0)", [](const auto& x) { return triu(x[0]); }, {2, 0});
}

void add_parts(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, std::vector<Input> inputs) {
        add_linear(rows, name, f, std::move(inputs));
    };
    add("stack", [](const auto& x) { return stack({x[0], x[1]}); }, {{2, 3}, {2, 3}});
    add("stack axis 1", [](const auto& x) { return stack({x[0], x[1], x[0]}, 1); }, {{2, 3}, {2, 3}});
    add("stack axis -1, from a vector", [](const auto& x) { return stack(x, -1); }, {{2, 2}, {2, 2}, {2, 2}});
    add("stack 0-d", [](const auto& x) { return stack({x[0], x[1]}); }, {Input(Shape{}), Input(Shape{})});
    add("stack (0,2)", [](const auto& x) { return stack(x, 1); }, {{0, 2}, {0, 2}});
    const auto weighted = [](const auto& parts) {
        auto total = parts[0] * 1.0;
        for (std::size_t i = 1; i < parts.size(); ++i) {
            total = total + parts[i] * static_cast<double>(i + 1);
        }
        return total;
    };
    add("split", [weighted](const auto& x) { return weighted(split(x[0], 3)); }, {{6, 2}});
    add("split axis -1", [weighted](const auto& x) { return weighted(split(x[0], 2, -1)); }, {{3, 4}});
    add("split at indices", [weighted](const auto& x) { return weighted(split(x[0], {1, 2, -1}, 1)); }, {{2, 4}});
    add("parts of a split the other way round",
        [](const auto& x) {
            const auto parts = split(x[0], {1, 3, 9});
            return concatenate({parts[3], parts[2], parts[1], parts[0]});
        },
        {{5, 2}});
    add("one part of a split", [](const auto& x) { return split(x[0], {1, -1})[1]; }, {{4, 2}});
    add("split of nothing", [weighted](const auto& x) { return weighted(split(x[0], 2, 1)); }, {{0, 4}});
}

void add_scans(std::vector<Row>& rows) {
    add_linear(rows, "cumsum", [](const auto& x) { return cumsum(x[0]); }, {Input({2, 3})});
    add_linear(rows, "cumsum 0-d", [](const auto& x) { return cumsum(x[0]); }, {Input(Shape{})});
    add_linear(rows, "cumsum axis 0", [](const auto& x) { return cumsum(x[0], 0); }, {Input({3, 2})});
    add_linear(rows, "cumsum axis -1", [](const auto& x) { return cumsum(x[0], -1); }, {Input({2, 4})});
    add_linear(rows, "cumsum axis 1 of 3", [](const auto& x) { return cumsum(x[0], 1); }, {Input({2, 3, 2})});
    add_linear(rows, "cumsum (2,0)", [](const auto& x) { return cumsum(x[0], 1); }, {Input({2, 0})});
    const auto add = [&](const std::string& name, auto f, Shape shape) {
        rows.push_back({name, f, {Input(std::move(shape), Domain::nonzero)}, 3, 1e-6});
    };
    add("cumprod", [](const auto& x) { return cumprod(x[0]); }, {4});
    add("cumprod squared", [](const auto& x) { return square(cumprod(x[0])); }, {4});
    add("cumprod of all", [](const auto& x) { return cumprod(x[0]); }, {2, 2});
    add("cumprod 0-d", [](const auto& x) { return cumprod(x[0]); }, {});
    add("cumprod axis 0", [](const auto& x) { return cumprod(x[0], 0); }, {3, 2});
    add("cumprod axis 1 of 3", [](const auto& x) { return cumprod(x[0], 1); }, {2, 3, 2});
    add("cumprod (2,0)", [](const auto& x) { return cumprod(x[0], 1); }, {2, 0});
    add("cumprod (0,2)", [](const auto& x) { return cumprod(x[0], 1); }, {0, 2});
    add("cumprod of one", [](const auto& x) { return cumprod(x[0], 0); }, {1, 2});
    // At zeros no derivative may divide: inputs from which their own numbers are taken away where the mask is 1.
    const auto add_at_zeros = [&](const std::string& name, xt::xarray<double> mask) {
        const std::vector<Input> inputs = {{Shape(mask.shape()), Domain::nonzero}};
        const Tensor<double> drawn(sample<double>({name, [](const auto& x) { return x[0]; }, inputs})[0].value() *
                                   mask);
        const auto f = [drawn](const auto& x) {
            return cumprod(x[0] - drawn.cast<typename std::decay_t<decltype(x[0])>::value_type>(), -1);
        };
        rows.push_back({name, f, inputs, 3, 1e-6});
    };
    add_at_zeros("cumprod at a zero", {0.0, 0.0, 1.0, 0.0});
    add_at_zeros("cumprod at two zeros", {0.0, 1.0, 0.0, 1.0, 0.0});
    add_at_zeros("cumprod at zeros", {{1.0, 1.0, 1.0}, {0.0, 1.0, 1.0}});
}

void add_products_of_letters(std::vector<Row>& rows) {
    const auto add = [&](const std::string& name, auto f, std::vector<Input> inputs) {
        rows.push_back(exact(name, f, std::move(inputs)));
    };
    add("outer", [](const auto& x) { return outer(x[0], x[1]); }, {{3}, {2}});
    add("outer of matrices", [](const auto& x) { return outer(x[0], x[1]); }, {{2, 2}, {3}});
    add("outer with itself", [](const auto& x) { return outer(x[0], x[0]); }, {{3}});
    add("outer of nothing", [](const auto& x) { return outer(x[0], x[1]); }, {{0}, {2}});
    add("vdot", [](const auto& x) { return vdot(x[0], x[1]); }, {{2, 3}, {6}});
    add("vdot 0-d", [](const auto& x) { return vdot(x[0], x[1]); }, {Input(Shape{}), Input(Shape{})});
    add("vdot of nothing", [](const auto& x) { return vdot(x[0], x[1]); }, {{0}, {0}});
    add_linear(rows, "trace", [](const auto& x) { return trace(x[0]); }, {{3, 3}});
    add_linear(rows, "trace above", [](const auto& x) { return trace(x[0], 1); }, {{2, 3}});
    add_linear(rows, "trace batched", [](const auto& x) { return trace(x[0], 0, -2, -1); }, {{2, 3, 3}});

    const auto einsum_of = [&](const std::string& subscripts, std::vector<Input> inputs) {
        add(
            "einsum " + subscripts, [subscripts](const auto& x) { return einsum(subscripts, x); }, std::move(inputs));
    };
    for (const char* linear : {"ij->ji", "ij", "ij->", "ij->j", "ji", "...->..."}) {
        einsum_of(linear, {{2, 3}});
    }
    for (const char* square : {"ii", "ii->i"}) {
        einsum_of(square, {{3, 3}});
    }
    einsum_of("->", {Input(Shape{})});
    einsum_of("iij->j", {{2, 2, 3}});
    einsum_of("ij,jk->ik", {{2, 3}, {3, 2}});
    einsum_of("ij,kj", {{2, 3}, {2, 3}});
    einsum_of("ji,jk->ki", {{3, 2}, {3, 4}});
    einsum_of("ij,ij->i", {{2, 3}, {2, 3}});
    einsum_of("ij,ij->", {{2, 3}, {2, 3}});
    einsum_of("ij,j->ij", {{2, 3}, {3}});
    einsum_of("i,j->ji", {{2}, {3}});
    einsum_of("ij,kl->ik", {{2, 2}, {2, 2}});
    einsum_of("bij,bjk->bik", {{2, 2, 3}, {2, 3, 2}});
    einsum_of("bij,bkj->kbi", {{2, 2, 3}, {2, 2, 3}});
    einsum_of("...ij,...jk->...ik", {{2, 1, 2, 2}, {3, 2, 2}});
    einsum_of("i...,i...", {{2, 3}, {2, 3}});
    einsum_of("...,->...", {Input({2, 3}), Input(Shape{})});
    einsum_of("ij,jk", {{2, 1}, {3, 2}});
    einsum_of("ij,jk->ki", {{0, 3}, {3, 2}});
    einsum_of("ij,jl->il", {{2, 0}, {0, 2}});
    einsum_of("ii,i->i", {{3, 3}, {3}});
    for (const char* three : {"ij,jk,kl->il", "ij,jk,kl->li", "ij,jk,kl"}) {
        rows.push_back({std::string("einsum ") + three,
                        [three](const auto& x) { return einsum(three, x); },
                        {{2, 3}, {3, 2}, {2, 2}}});
    }
    rows.push_back(
        {"einsum i,ij,j->", [](const auto& x) { return einsum("i,ij,j->", x[0], x[1], x[0]); }, {{3}, {3, 3}}});
    rows.push_back(
        {"einsum ai,bi,ci->abc", [](const auto& x) { return einsum("ai,bi,ci->abc", x); }, {{2, 2}, {2, 2}, {3, 2}}});
}

}  // namespace

void add_indexing(std::vector<Row>& rows) {
    add_takes(rows);
    add_arrangements(rows);
    add_parts(rows);
    add_scans(rows);
    add_products_of_letters(rows);
}

}  // namespace gradients
