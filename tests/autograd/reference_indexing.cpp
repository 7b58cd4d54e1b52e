#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;
using namespace xt::placeholders;  // xt::range(2, _)

namespace {

using Integers = xt::xarray<int>;

void add_parts(Expressions& table) {
    table.insert({
        {"stack",
         [](const auto& x) {
             return stack({x[0], x[1]});
         }},
        {"stack axis 1",
         [](const auto& x) {
             return sin(stack({x[0], x[1], x[0]}, 1));
         }},
        {"stack axis -1", [](const auto& x) { return exp(stack(x, -1)); }},
        {"stack 0-d",
         [](const auto& x) {
             return square(stack({x[0], x[1]}));
         }},
        {"split",
         [](const auto& x) {
             const auto parts = split(x[0], 3);
             return parts[0] * parts[1] * parts[2];
         }},
        {"split axis 1",
         [](const auto& x) {
             const auto parts = split(x[0], 2, 1);
             return parts[0] * sin(parts[1]);
         }},
        {"split at indices",
         [](const auto& x) {
             const auto parts = split(x[0], {1, 3});
             return sum(parts[0]) * exp(parts[1]) + sum(parts[2]);
         }},
    });
}

void add_takes(Expressions& table) {
    table.insert({
        {"take axis 0",
         [](const auto& x) {
             return take(x[0], {2, 0}, 0);
         }},
        {"take axis 1, repeated",
         [](const auto& x) {
             return square(take(x[0], Integers{0, 3, 0, 0}, 1));
         }},
        {"take by a matrix",
         [](const auto& x) {
             return sin(take(x[0], Integers{{0, 2}, {2, 1}}, 1));
         }},
        {"take negative",
         [](const auto& x) {
             return exp(take(x[0], {-1, -3}, 0));
         }},
        {"take from all",
         [](const auto& x) {
             return square(take(x[0], Integers{{5, 0}, {1, 5}}));
         }},
        {"take of nothing", [](const auto& x) { return take(x[0], Integers::from_shape({0}), 0); }},
        {"embedding",
         [](const auto& x) {
             return tanh(matmul(take(x[0], {1, 3, 1, 0}, 0), x[1]));
         }},
        {"take_along_axis 1",
         [](const auto& x) {
             return square(take_along_axis(x[0], Integers{{2, 0, 0}, {1, 1, 3}}, 1));
         }},
        {"take_along_axis 0",
         [](const auto& x) {
             return sin(take_along_axis(x[0], Integers{{1, 0, 1, 1}}, 0));
         }},
        {"take_along_axis, indices repeated",
         [](const auto& x) {
             return exp(take_along_axis(x[0], Integers{{1, 0, 1}}, 1));
         }},
        {"row maximum by argmax",
         [](const auto& x) {
             auto indices = argmax(x[0], 1);
             indices.reshape({3, 1});
             return square(take_along_axis(x[0], indices, 1));
         }},
        {"column minimum by argmin",
         [](const auto& x) {
             auto indices = argmin(x[0], 0);
             indices.reshape({1, 4});
             return square(take_along_axis(x[0], indices, 0));
         }},
        {"sort", [](const auto& x) { return square(sort(x[0])); }},
        {"sort axis 0", [](const auto& x) { return sin(sort(x[0], 0)); }},
        {"sort axis 1 of 3", [](const auto& x) { return exp(sort(x[0], 1)); }},
        {"sort with ties", [](const auto& x) { return square(sort(x[0])); }},
        {"trimmed mean", [](const auto& x) { return square(mean(view(sort(x[0]), xt::all(), xt::range(1, -1)), -1)); }},
    });
}

void add_arrangements(Expressions& table) {
    table.insert({
        {"flip", [](const auto& x) { return flip(x[0]); }},
        {"flip axis 1", [](const auto& x) { return flip(x[0], 1) * x[0]; }},
        {"flip axes 0 and 2",
         [](const auto& x) {
             return sin(flip(x[0], {0, 2}));
         }},
        {"roll", [](const auto& x) { return roll(x[0], 2) * x[0]; }},
        {"roll axis 1", [](const auto& x) { return roll(x[0], 2, 1) * x[0]; }},
        {"roll backward", [](const auto& x) { return roll(x[0], -5, 0) * x[0]; }},
        {"pad",
         [](const auto& x) {
             return cos(pad(x[0], {{1, 2}, {0, 1}}));
         }},
        {"pad with a value",
         [](const auto& x) {
             return square(pad(x[0], {{2, 0}}, 0.5));
         }},
        {"pad one pair for all",
         [](const auto& x) {
             return exp(pad(x[0], {{1, 2}}, -1.0));
         }},
        {"tile",
         [](const auto& x) {
             return square(tile(x[0], {2, 3}));
         }},
        {"tile with a new axis",
         [](const auto& x) {
             return sin(tile(x[0], {2, 1, 2}));
         }},
        {"tile the last axis", [](const auto& x) { return exp(tile(x[0], 3)); }},
        {"diagonal", [](const auto& x) { return square(diagonal(x[0])); }},
        {"diagonal below", [](const auto& x) { return square(diagonal(x[0], -1)); }},
        {"diagonal of the last axes", [](const auto& x) { return sin(diagonal(x[0], 1, -2, -1)); }},
        {"diag", [](const auto& x) { return matmul(diag(x[0]), diag(x[0])); }},
        {"diag above", [](const auto& x) { return exp(diag(x[0], 2)); }},
        {"diag of a matrix", [](const auto& x) { return square(diag(x[0], -1)); }},
        {"tril", [](const auto& x) { return matmul(tril(x[0]), transpose(tril(x[0]))); }},
        {"tril -1 batched", [](const auto& x) { return exp(tril(x[0], -1)); }},
        {"triu", [](const auto& x) { return square(triu(x[0])); }},
        {"triu 1", [](const auto& x) { return matmul(triu(x[0], 1), x[1]); }},
        {"causal attention",
         [](const auto& x) {
             const auto scores = matmul(x[0], transpose(x[1]));
             return softmax(where(tril(ones_like(scores)).value() > 0, scores, -1e30));
         }},
    });
}

void add_scans(Expressions& table) {
    table.insert({
        {"cumsum", [](const auto& x) { return square(cumsum(x[0])); }},
        {"cumsum axis 1", [](const auto& x) { return sin(cumsum(x[0], 1)); }},
        {"cumsum axis 0 of 3", [](const auto& x) { return exp(cumsum(x[0], 0)); }},
        {"cumsum of all", [](const auto& x) { return square(cumsum(x[0])); }},
        {"cumprod", [](const auto& x) { return cumprod(x[0]); }},
        {"cumprod axis 1", [](const auto& x) { return cumprod(x[0], 1); }},
        {"cumprod axis 0, of exponentials", [](const auto& x) { return cumprod(exp(x[0]), 0); }},
        {"cumprod of all", [](const auto& x) { return cumprod(x[0]); }},
        {"cumprod with a zero", [](const auto& x) { return cumprod(x[0], 0); }},
        {"cumprod with two zeros", [](const auto& x) { return cumprod(x[0], -1); }},
        {"cumprod starting with a zero", [](const auto& x) { return square(cumprod(x[0], 0)); }},
        {"stick breaking",
         [](const auto& x) {
             const auto broken = sigmoid(x[0]);
             return broken * view(cumprod(pad(1.0 - broken, {{1, 0}}, 1.0)), xt::range(_, -1));
         }},
    });
}

void add_products(Expressions& table) {
    table.insert({
        {"outer", [](const auto& x) { return sin(outer(x[0], x[1])); }},
        {"outer of matrices", [](const auto& x) { return outer(x[0], x[1]); }},
        {"vdot", [](const auto& x) { return square(vdot(x[0], x[1])); }},
        {"trace", [](const auto& x) { return square(trace(x[0])); }},
        {"trace of a product", [](const auto& x) { return trace(matmul(x[0], x[1])); }},
        {"trace above, batched", [](const auto& x) { return square(trace(x[0], 1, -2, -1)); }},
        {"einsum with data", [](const auto& x) { return square(einsum("ij,j->i", x[0], x[1].value())); }},
        {"einsum with itself", [](const auto& x) { return einsum("ij,jk,ki->", x[0], x[0], x[0]); }},
    });
    for (const char* subscripts : {"ij->ji",          "ba",           "ii->i",           "ii",
                                   "iij->j",          "ij->",         "ij,jk->ik",       "ij,jk",
                                   "ij,kj->ki",       "i,j->ij",      "ij,ij->i",        "ij,ij->",
                                   "i,ij->ij",        "bij,bjk->bik", "bhqd,bhkd->bhqk", "...ij,...jk->...ik",
                                   "...i,...i->...",  "i...,i...",    "ij,jk->ki",       "ij,jk,kl->il",
                                   "ij,jk,kl,lm->im", "i,ij,j->",     "ni,nj,ijk->nk",   "ai,bi,ci->abc",
                                   "ij,kl->ik"}) {
        table.emplace(std::string("einsum ") + subscripts,
                      [subscripts](const auto& x) { return einsum(subscripts, x); });
    }
}

}  // namespace

void add_indexing(Expressions& table) {
    add_parts(table);
    add_takes(table);
    add_arrangements(table);
    add_scans(table);
    add_products(table);
}

}  // namespace reference
