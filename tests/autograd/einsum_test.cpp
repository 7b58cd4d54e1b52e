// Einstein's sums against loops over all letters, values and gradients; what the subscripts may say; messages.

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/einsum.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Array = xt::xarray<double>;
using Numbers = std::vector<double>;
using Tensors = std::vector<Tensor<double>>;

/// Small integers, so that sums of products are exact in any order.
Tensor<double> filled(const Shape& shape, std::size_t which) {
    Tensor<double> x = Tensor<double>::uninitialized(shape);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.fresh_data()[i] = static_cast<double>((7 * i + 3 * which + i * i) % 9) - 4.0;
    }
    return x;
}

/// The definition, without an ellipsis: all values of all letters, an element of each operand.
class Naive {
public:
    Naive(const std::string& subscripts, const Tensors& operands) : operands_(operands) {
        const std::size_t arrow = subscripts.find("->");
        result_ = subscripts.substr(arrow + 2);
        names_.emplace_back();
        for (const char c : subscripts.substr(0, arrow)) {
            if (c == ',') {
                names_.emplace_back();
            } else {
                names_.back() += c;
            }
        }
        for (std::size_t k = 0; k < operands.size(); ++k) {
            for (std::size_t axis = 0; axis < names_[k].size(); ++axis) {
                std::size_t& extent = extents_.emplace(names_[k][axis], 1).first->second;
                extent = extent == 1 ? operands[k].shape()[axis] : extent;
            }
        }
        Shape shape;
        for (const char c : result_) {
            shape.push_back(extents_.at(c));
        }
        value.assign(element_count(shape), 0.0);
        for (const auto& operand : operands) {
            gradients.emplace_back(operand.size(), 0.0);
        }
        loop(extents_.begin());
    }

    static double cotangent(std::size_t place) { return static_cast<double>(place % 5) - 1.0; }

    Numbers value;
    std::vector<Numbers> gradients;  // for cotangents as above

private:
    using Letter = std::map<char, std::size_t>::const_iterator;

    void loop(Letter letter) {
        if (letter == extents_.end()) {
            add();
            return;
        }
        for (std::size_t i = 0; i < letter->second; ++i) {
            index_[letter->first] = i;
            loop(std::next(letter));
        }
    }

    void add() {
        std::vector<std::size_t> places;
        double product = 1.0;
        for (std::size_t k = 0; k < operands_.size(); ++k) {
            std::size_t place = 0;
            for (std::size_t axis = 0; axis < names_[k].size(); ++axis) {
                const std::size_t extent = operands_[k].shape()[axis];
                place = place * extent + (extent == 1 ? 0 : index_.at(names_[k][axis]));
            }
            places.push_back(place);
            product *= operands_[k].data()[place];
        }
        std::size_t to = 0;
        for (const char c : result_) {
            to = to * extents_.at(c) + index_.at(c);
        }
        value[to] += product;
        for (std::size_t k = 0; k < operands_.size(); ++k) {
            double others = cotangent(to);
            for (std::size_t other = 0; other < operands_.size(); ++other) {
                others *= other == k ? 1.0 : operands_[other].data()[places[other]];
            }
            gradients[k][places[k]] += others;
        }
    }

    const Tensors& operands_;
    std::vector<std::string> names_;
    std::string result_;
    std::map<char, std::size_t> extents_;
    std::map<char, std::size_t> index_;
};

void check_einsum(const std::string& subscripts, const std::vector<Shape>& shapes) {
    INFO(subscripts);
    Tensors xs;
    for (const Shape& shape : shapes) {
        xs.push_back(parameter(filled(shape, xs.size())));
    }
    const Naive expected(subscripts, xs);
    const Tensor<double> y = einsum(subscripts, xs);
    CHECK(elements(y) == expected.value);
    Tensor<double> v = Tensor<double>::uninitialized(y.shape());
    for (std::size_t i = 0; i < v.size(); ++i) {
        v.fresh_data()[i] = Naive::cotangent(i);
    }
    for (const bool recorded : {false, true}) {
        const auto gradients = grad(y, xs, {.seed = v, .retain_graph = true, .create_graph = recorded});
        for (std::size_t k = 0; k < xs.size(); ++k) {
            CHECK(to_string(gradients[k].shape()) == to_string(shapes[k]));
            CHECK(elements(gradients[k]) == expected.gradients[k]);
        }
    }
}

template <class... Xs>
std::string refusal(const std::string& subscripts, const Xs&... xs) {
    return message<ValueError>([&] { (void)einsum(subscripts, xs...); });
}

template <class... Xs>
std::string misfit(const std::string& subscripts, const Xs&... xs) {
    return message<ShapeError>([&] { (void)einsum(subscripts, xs...); });
}

}  // namespace

TEST_CASE("einsum of one operand sums, transposes and takes diagonals") {
    check_einsum("ij->ij", {{2, 3}});
    check_einsum("ij->ji", {{2, 3}});
    check_einsum("ij->", {{2, 3}});
    check_einsum("ijk->j", {{2, 3, 4}});
    check_einsum("ijk->ki", {{2, 3, 4}});
    check_einsum("ii->", {{3, 3}});
    check_einsum("ii->i", {{3, 3}});
    check_einsum("iji->ji", {{3, 2, 3}});
    check_einsum("iii->i", {{3, 3, 3}});
    check_einsum("->", {Shape{}});
    check_einsum("aA->Aa", {{2, 3}});
}

TEST_CASE("einsum of two operands is each product with its letters") {
    for (const char* left : {"ij", "ji"}) {
        for (const char* right : {"jk", "kj"}) {
            for (const char* result : {"ik", "ki", "i", "k", "", "ijk", "kji", "j"}) {
                const auto shape = [](const std::string& letters) {
                    Shape extents;
                    for (const char c : letters) {
                        extents.push_back(c == 'i' ? 2 : c == 'j' ? 3 : 4);
                    }
                    return extents;
                };
                check_einsum(fmt::format("{},{}->{}", left, right, result), {shape(left), shape(right)});
            }
        }
    }
    check_einsum("i,i->", {{4}, {4}});
    check_einsum("i,i->i", {{4}, {4}});
    check_einsum("i,j->ij", {{2}, {3}});
    check_einsum("ij,ij->i", {{2, 3}, {2, 3}});
    check_einsum("ij,ji->", {{2, 3}, {3, 2}});
    check_einsum("ij,kl->ik", {{2, 3}, {2, 2}});
    check_einsum("bij,bjk->bik", {{2, 2, 3}, {2, 3, 4}});
    check_einsum("bij,bkj->ikb", {{2, 2, 3}, {2, 4, 3}});
    check_einsum("ibj,jkb->bik", {{2, 2, 3}, {3, 4, 2}});
    check_einsum("ijab,abk->ijk", {{2, 2, 3, 2}, {3, 2, 2}});
    check_einsum("ijab,bak->kij", {{2, 2, 3, 2}, {2, 3, 2}});
    check_einsum("iij,jk->ik", {{2, 2, 3}, {3, 2}});
    check_einsum(",ij->ij", {Shape{}, {2, 3}});
}

TEST_CASE("einsum of many operands contracts them in any order to the same") {
    check_einsum("ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 2}});
    check_einsum("ij,jk,kl->", {{2, 3}, {3, 4}, {4, 2}});
    check_einsum("i,ij,j->", {{2}, {2, 3}, {3}});
    check_einsum("ai,bi,ci->abc", {{2, 2}, {3, 2}, {2, 2}});
    check_einsum("i,i,i->i", {{3}, {3}, {3}});
    check_einsum("i,j,k->kij", {{2}, {3}, {2}});
    check_einsum("ni,nj,ijk->nk", {{3, 2}, {3, 3}, {2, 3, 2}});
    check_einsum("ij,jk,kl,lm->im", {{2, 3}, {3, 2}, {2, 3}, {3, 2}});
    check_einsum("ij,ij,ij,ij->j", {{2, 3}, {2, 3}, {2, 3}, {2, 3}});
    check_einsum("ab,cd,ef->ace", {{2, 2}, {2, 2}, {2, 2}});
}

TEST_CASE("einsum repeats axes of extent 1, and takes extents of 0") {
    check_einsum("ij,jk->ik", {{2, 1}, {3, 2}});
    check_einsum("ij,ij->ij", {{2, 1}, {1, 3}});
    check_einsum("ij,ij->j", {{1, 3}, {2, 3}});
    check_einsum("ij,jk->ik", {{2, 0}, {0, 3}});
    check_einsum("ij,jk->ik", {{0, 2}, {2, 3}});
    check_einsum("ij,jk->ijk", {{2, 0}, {1, 3}});
    check_einsum("i->", {{0}});
    check_einsum("ii->i", {{0, 0}});
}

TEST_CASE("einsum without an arrow has the letters that occur once, in alphabetical order") {
    const auto a = filled({2, 3}, 0);
    const auto b = filled({3, 4}, 1);
    CHECK(elements(einsum("ba", a)) == elements(transpose(a)));
    CHECK(elements(einsum("ij,jk", a, b)) == elements(matmul(a, b)));
    CHECK(elements(einsum("kj,ji", a, b)) == elements(transpose(matmul(a, b))));
    CHECK(einsum("ii", filled({3, 3}, 0)).dimension() == 0);
    CHECK(to_string(einsum("aB", a).shape()) == "(3, 2)");  // capitals first, as in NumPy
}

TEST_CASE("an ellipsis stands for the axes not named, and broadcasts them") {
    const auto a = filled({2, 1, 2, 3}, 0);
    const auto b = filled({4, 3, 2}, 1);
    CHECK(elements(einsum("...ij,...jk->...ik", a, b)) == elements(matmul(a, b)));
    CHECK(elements(einsum("...ij,...jk", a, b)) == elements(matmul(a, b)));
    CHECK(to_string(einsum("...ij,...jk->i...k", a, b).shape()) == "(2, 2, 4, 2)");
    CHECK(elements(einsum("...->...", b)) == elements(b));
    CHECK(elements(einsum("i...->...", b)) == elements(sum(b, 0)));
    CHECK(elements(einsum("...i->i...", b)) == elements(transpose(b, {2, 0, 1})));
    CHECK(elements(einsum("...,...->...", b, filled({2}, 2))) == elements(b * filled({2}, 2)));
    CHECK(elements(einsum("...i->i", filled({3}, 0))) == elements(filled({3}, 0)));
    CHECK(elements(einsum(" i j , j k -> i k ", filled({2, 3}, 0), filled({3, 2}, 1))) ==
          elements(matmul(filled({2, 3}, 0), filled({3, 2}, 1))));
}

TEST_CASE("operands may be expressions beside tensors") {
    const auto a = parameter(Array{{1., 2.}, {3., 4.}});
    const Array b = {{1., 0.}, {2., 1.}};
    CHECK(elements(einsum("ij,jk->ik", a, b)) == Numbers{5, 2, 11, 4});
    CHECK(elements(einsum("ij,jk->ik", b + 0.0, a)) == Numbers{1, 2, 5, 8});
    CHECK(elements(grad(sum(einsum("ij,jk->ik", a, b)), {a}).front()) == Numbers{1, 3, 1, 3});
    const Tensor<float> f(xt::xarray<float>{1.F, 2.F});
    CHECK(einsum("i,i->", f, f).item() == 5.F);
    CHECK(outer(a, xt::xarray<double>{1., 2.}).size() == 8);
    CHECK(vdot(b, a).item() == 11.0);
}

TEST_CASE("a chain of matrices is contracted where it is cheapest") {
    const auto x = parameter(ones<double>({200, 200}));
    const auto v = ones<double>({200});
    const auto y = einsum("ij,jk,kl,l->i", x, x, x, v);
    CHECK(y.data()[0] == 8e6);
    // From the right all products are vectors. From the left there would be matrices, and they would be saved.
    CHECK(tape().bytes() < 2 * 200 * 200 * sizeof(double));
}

TEST_CASE("outer, vdot and trace read their operands as their names say") {
    const auto a = parameter(Array{{1., 2.}, {3., 4.}});
    const auto b = parameter(Array{-1., 0., 2.});
    CHECK(elements(outer(a, b)) == Numbers{-1, 0, 2, -2, 0, 4, -3, 0, 6, -4, 0, 8});
    CHECK(to_string(outer(a, b).shape()) == "(4, 3)");
    CHECK(vdot(a, a).item() == 30.0);
    CHECK(elements(grad(vdot(a, a), {a}).front()) == Numbers{2, 4, 6, 8});
    CHECK(trace(a).item() == 5.0);
    CHECK(trace(a, 1).item() == 2.0);
    CHECK(trace(a, 5).item() == 0.0);
    CHECK(elements(grad(trace(a, -1), {a}).front()) == Numbers{0, 0, 1, 0});
    CHECK(elements(trace(filled({2, 3, 3}, 0), 0, -2, -1)) == elements(einsum("bii->b", filled({2, 3, 3}, 0))));
}

TEST_CASE("einsum's errors quote the subscripts and say what is wrong") {
    const auto a = filled({2, 3}, 0);
    const auto b = filled({4, 2}, 1);
    CHECK(refusal("ij,jk->ik", a) == "einsum: \"ij,jk->ik\": it has subscripts for 2, but is given 1");
    CHECK(refusal("ij", a, b) == "einsum: \"ij\": it has subscripts for 1, but is given 2");
    CHECK(refusal("ij->ik", a) == "einsum: \"ij->ik\": index 'k' of the result is in no operand");
    CHECK(refusal("ij->ii", a) == "einsum: \"ij->ii\": index 'i' is twice in the result");
    CHECK(refusal("i1", a) ==
          "einsum: \"i1\": '1' is no letter, nor part of the one ellipsis (...) that an operand may have");
    CHECK(refusal("i..", a).starts_with("einsum: \"i..\": '.' is no letter"));
    CHECK(refusal("...i...", a).starts_with("einsum: \"...i...\": '.' is no letter"));
    CHECK(refusal("ij->i->j", a).starts_with("einsum: \"ij->i->j\": '-' is no letter"));
    CHECK(refusal("ij-i", a).starts_with("einsum: \"ij-i\": '-' is no letter"));
    CHECK(refusal("...j->j", a) == "einsum: \"...j->j\": the ellipsis of the operands must be in the result too; name "
                                   "axes to sum over them");
    CHECK(misfit("ijk", a) == "einsum: \"ijk\": operand 0 of shape (2, 3) does not fit \"ijk\", which takes 3 axes; "
                              "\"...\" stands for axes not named");
    CHECK(misfit("ij,j", a, b) == "einsum: \"ij,j\": operand 1 of shape (4, 2) does not fit \"j\", which takes 1 axis; "
                                  "\"...\" stands for axes not named");
    CHECK(misfit("...ijk", a) ==
          "einsum: \"...ijk\": operand 0 of shape (2, 3) does not fit \"...ijk\", which takes 3 axes or more");
    CHECK(misfit("ij,jk->ik", a, b) == "einsum: \"ij,jk->ik\": index 'j' is 3 in operand 0 of shape (2, 3), and 4 in "
                                       "operand 1 of shape (4, 2)");
    CHECK(misfit("ii", a) ==
          "einsum: \"ii\": index 'i' is 2 in operand 0 of shape (2, 3), and 3 in operand 0 of shape (2, 3)");
    CHECK(misfit("...i,...j->...", a, b) == "einsum: \"...i,...j->...\": axis -1 of the ellipsis is 2 in operand 0 of "
                                            "shape (2, 3), and 4 in operand 1 of shape (4, 2)");
    CHECK(message<ShapeError>([&] { (void)vdot(a, b); }) ==
          "vdot: shapes (2, 3) and (4, 2) have 6 and 8 elements; they must have as many");
    CHECK(message<ShapeError>([&] { (void)trace(view(a, 0)); }).starts_with("diagonal: axis 1 is out of range"));
}
