#include <xtape/autograd/einsum.hpp>

#include <algorithm>
#include <map>
#include <string>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape {
namespace {

// A letter, or an axis that an ellipsis stands for.
using Label = int;
using LabelList = std::vector<Label>;
using Extents = std::map<Label, std::size_t>;

// The axes of an ellipsis are negative, -1 the last of them: so they sort as they stand, and before all letters.
constexpr Label ellipsis_label(std::size_t back) { return -static_cast<Label>(back); }

bool contains(const LabelList& labels, Label label) { return std::ranges::find(labels, label) != labels.end(); }

double size_of(const LabelList& labels, const Extents& extents) {
    double size = 1;
    for (const Label label : labels) {
        size *= static_cast<double>(extents.at(label));
    }
    return size;
}

// ------------------------------------------------------------------------------------------------------------ parsing

[[noreturn]] void throw_subscripts(std::string_view subscripts, const std::string& reason) {
    throw ValueError(fmt::format("einsum: \"{}\": {}", subscripts, reason));
}

// The letters of one operand or of the result, with '.' for an ellipsis.
std::string letters_of(std::string_view subscripts, std::string_view part) {
    std::string letters;
    for (std::size_t i = 0; i < part.size(); ++i) {
        const char c = part[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            letters += c;
        } else if (part.substr(i, 3) == "..." && letters.find('.') == std::string::npos) {
            letters += '.';
            i += 2;
        } else if (c != ' ') {
            throw_subscripts(subscripts, fmt::format("'{}' is no letter, nor part of the one ellipsis (...) that an "
                                                     "operand may have",
                                                     c));
        }
    }
    return letters;
}

struct Subscripts {
    std::vector<std::string> operands;
    std::string result;
    bool has_result = false;  // false: to be worked out
};

Subscripts parse(std::string_view text) {
    Subscripts parsed;
    const std::size_t arrow = text.find("->");
    std::string_view left = text.substr(0, arrow);
    if (arrow != std::string_view::npos) {
        parsed.has_result = true;
        parsed.result = letters_of(text, text.substr(arrow + 2));
    }
    for (;;) {
        const std::size_t comma = left.find(',');
        parsed.operands.push_back(letters_of(text, left.substr(0, comma)));
        if (comma == std::string_view::npos) {
            return parsed;
        }
        left.remove_prefix(comma + 1);
    }
}

std::string spelled_out(std::string letters) {
    const std::size_t ellipsis = letters.find('.');
    return ellipsis == std::string::npos ? letters : letters.replace(ellipsis, 1, "...");
}

// The labels of an operand's axes, its ellipsis written out.
LabelList labels_of(std::string_view text, const std::string& letters, std::size_t operand, const Shape& shape) {
    const bool has_ellipsis = letters.find('.') != std::string::npos;
    const std::size_t named = letters.size() - (has_ellipsis ? 1 : 0);
    if (has_ellipsis ? named > shape.size() : named != shape.size()) {
        throw ShapeError(fmt::format("einsum: \"{}\": operand {} of shape {} does not fit \"{}\", which takes {} {}{}",
                                     text, operand, to_string(shape), spelled_out(letters), named,
                                     named == 1 ? "axis" : "axes",
                                     has_ellipsis ? " or more" : "; \"...\" stands for axes not named"));
    }
    LabelList labels;
    for (const char c : letters) {
        if (c != '.') {
            labels.push_back(c);
            continue;
        }
        for (std::size_t back = shape.size() - named; back > 0; --back) {
            labels.push_back(ellipsis_label(back));
        }
    }
    return labels;
}

std::string describe(Label label) {
    return label < 0 ? fmt::format("axis {} of the ellipsis", label)
                     : fmt::format("index '{}'", static_cast<char>(label));
}

LabelList result_labels(std::string_view text, const Subscripts& parsed, const std::vector<LabelList>& operands,
                        const Extents& extents) {
    std::size_t ellipsis_axes = 0;
    while (extents.contains(ellipsis_label(ellipsis_axes + 1))) {
        ++ellipsis_axes;
    }
    LabelList result;
    const auto append_ellipsis = [&] {
        for (std::size_t back = ellipsis_axes; back > 0; --back) {
            result.push_back(ellipsis_label(back));
        }
    };
    if (!parsed.has_result) {
        append_ellipsis();
        for (const auto& [label, extent] : extents) {
            std::ptrdiff_t times = 0;
            for (const LabelList& labels : operands) {
                times += std::ranges::count(labels, label);
            }
            if (label > 0 && times == 1) {
                result.push_back(label);
            }
        }
        return result;
    }
    for (const char c : parsed.result) {
        if (c == '.') {
            append_ellipsis();
        } else if (contains(result, c)) {
            throw_subscripts(text, fmt::format("index '{}' is twice in the result", c));
        } else if (!extents.contains(c)) {
            throw_subscripts(text, fmt::format("index '{}' of the result is in no operand", c));
        } else {
            result.push_back(c);
        }
    }
    if (ellipsis_axes != 0 && parsed.result.find('.') == std::string::npos) {
        throw_subscripts(text, "the ellipsis of the operands must be in the result too; name axes to sum over them");
    }
    return result;
}

// -------------------------------------------------------------------------------------------------------- contraction

// A tensor whose axes have labels, no two the same.
template <class T>
struct Term {
    Tensor<T> tensor;
    LabelList labels;
};

// An operand with each label once: equal ones become a diagonal, and an axis of extent 1 whose label has another extent
// elsewhere goes.
template <class T>
Term<T> make_term(const Tensor<T>& x, const LabelList& labels, const Extents& extents) {
    const Axes strides = contiguous_strides(x.shape());
    StridedLayout layout;
    Term<T> term;
    for (std::size_t axis = 0; axis < labels.size(); ++axis) {
        const std::size_t extent = x.shape()[axis];
        if (extent == 1 && extents.at(labels[axis]) != 1) {
            continue;
        }
        const auto found = std::ranges::find(term.labels, labels[axis]);
        if (found == term.labels.end()) {
            term.labels.push_back(labels[axis]);
            layout.extents.push_back(extent);
            layout.strides.push_back(strides[axis]);
        } else {
            layout.strides[static_cast<std::size_t>(found - term.labels.begin())] += strides[axis];
        }
    }
    const bool is_whole = element_count(layout.extents) == x.size();
    term.tensor = is_whole ? reshape(x, Axes(layout.extents)) : gather(x, layout);
    return term;
}

template <class T>
Tensor<T> transposed_to(const Term<T>& term, const LabelList& order) {
    Axes permutation;
    for (const Label label : order) {
        permutation.push_back(std::ranges::find(term.labels, label) - term.labels.begin());
    }
    return transpose(term.tensor, permutation);
}

LabelList joined(const LabelList& a, const LabelList& b, const LabelList& c = {}) {
    LabelList all = a;
    all.insert(all.end(), b.begin(), b.end());
    all.insert(all.end(), c.begin(), c.end());
    return all;
}

Shape shape_of(const LabelList& labels, const Extents& extents) {
    Shape shape;
    for (const Label label : labels) {
        shape.push_back(extents.at(label));
    }
    return shape;
}

// A term as a stack of matrices (stack, rows, columns), or (stack, columns, rows) where its axes lie so already.
template <class T>
struct Matrices {
    Tensor<T> tensor;
    bool is_transposed;

    Matrices(const Term<T>& term, const LabelList& stack, const LabelList& rows, const LabelList& columns,
             const Extents& extents)
        : is_transposed(term.labels == joined(stack, columns, rows) && term.labels != joined(stack, rows, columns)) {
        const LabelList& first = is_transposed ? columns : rows;
        const LabelList& second = is_transposed ? rows : columns;
        Shape shape = shape_of(stack, extents);
        shape.push_back(element_count(shape_of(first, extents)));
        shape.push_back(element_count(shape_of(second, extents)));
        tensor = reshape(transposed_to(term, joined(stack, first, second)), Axes(shape));
    }
};

// The labels of two terms by their part in the product: those that stay and are in both, that go (and are then in
// both), that are in one alone.
struct Parts {
    LabelList stack, summed, left, right;

    Parts(const LabelList& a, const LabelList& b, const auto& is_kept) {
        for (const Label label : a) {
            (!contains(b, label) ? left : is_kept(label) ? stack : summed).push_back(label);
        }
        std::ranges::copy_if(b, std::back_inserter(right), [&](Label label) { return !contains(a, label); });
    }
    [[nodiscard]] LabelList result() const { return joined(stack, left, right); }
};

template <class T>
Term<T> contract(const Term<T>& a, const Term<T>& b, const Parts& parts, const Extents& extents) {
    const auto& [stack, summed, left, right] = parts;
    const Matrices<T> rows(a, stack, left, summed, extents);
    const Matrices<T> columns(b, stack, summed, right, extents);
    Tensor<T> product;
    if (summed.empty()) {
        product = rows.tensor * columns.tensor;  // (stack, rows, 1) by (stack, 1, columns)
    } else {
        product = matmul_transposed(rows.tensor, rows.is_transposed, columns.tensor, columns.is_transposed);
    }
    return {reshape(product, Axes(shape_of(parts.result(), extents))), parts.result()};
}

template <class T>
class Contraction {
public:
    Contraction(std::vector<Term<T>> terms, LabelList result, Extents extents)
        : terms_(std::move(terms)), result_(std::move(result)), extents_(std::move(extents)) {}

    Tensor<T> run() && {
        for (std::size_t i = 0; i < terms_.size(); ++i) {
            sum_out(i);
        }
        while (terms_.size() > 1) {
            const auto [i, j] = cheapest_pair();
            Term<T> product = contract(terms_[i], terms_[j], parts(i, j), extents_);
            terms_.erase(terms_.begin() + static_cast<std::ptrdiff_t>(j));
            terms_[i] = std::move(product);
        }
        return transposed_to(terms_.front(), result_);
    }

private:
    // True if a label is wanted beside the terms i and j.
    [[nodiscard]] bool is_kept(Label label, std::size_t i, std::size_t j) const {
        bool kept = contains(result_, label);
        for (std::size_t k = 0; k < terms_.size(); ++k) {
            kept = kept || (k != i && k != j && contains(terms_[k].labels, label));
        }
        return kept;
    }

    [[nodiscard]] Parts parts(std::size_t i, std::size_t j) const {
        return Parts(terms_[i].labels, terms_[j].labels, [&](Label label) { return is_kept(label, i, j); });
    }

    // Sums over what is in this term alone.
    void sum_out(std::size_t i) {
        Term<T>& term = terms_[i];
        Axes axes;
        LabelList left;
        for (std::size_t axis = 0; axis < term.labels.size(); ++axis) {
            if (is_kept(term.labels[axis], i, i)) {
                left.push_back(term.labels[axis]);
            } else {
                axes.push_back(static_cast<std::ptrdiff_t>(axis));
            }
        }
        if (!axes.empty()) {
            term = {sum(term.tensor, axes), std::move(left)};
        }
    }

    // The pair whose product takes the fewest multiplications; of equals, the one with the smallest result.
    [[nodiscard]] std::pair<std::size_t, std::size_t> cheapest_pair() const {
        std::pair<std::size_t, std::size_t> best{0, 1};
        std::pair<double, double> best_cost{-1, 0};
        for (std::size_t i = 0; i < terms_.size(); ++i) {
            for (std::size_t j = i + 1; j < terms_.size(); ++j) {
                const Parts pair = parts(i, j);
                const double size = size_of(pair.result(), extents_);
                const std::pair cost{size * size_of(pair.summed, extents_), size};
                if (best_cost.first < 0 || cost < best_cost) {
                    best_cost = cost;
                    best = {i, j};
                }
            }
        }
        return best;
    }

    std::vector<Term<T>> terms_;
    LabelList result_;
    Extents extents_;
};

}  // namespace

template <class T>
Tensor<T> einsum(std::string_view text, std::span<const Tensor<T>> operands) {
    const Subscripts parsed = parse(text);
    if (parsed.operands.size() != operands.size()) {
        throw_subscripts(
            text, fmt::format("it has subscripts for {}, but is given {}", parsed.operands.size(), operands.size()));
    }
    std::vector<LabelList> labels;
    Extents extents;
    std::map<Label, std::size_t> named_by;  // the operand that gave a label its extent
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const Shape& shape = operands[i].shape();
        labels.push_back(labels_of(text, parsed.operands[i], i, shape));
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            const Label label = labels[i][axis];
            const auto [found, is_new] = extents.emplace(label, shape[axis]);
            if (is_new || found->second == 1) {
                found->second = shape[axis];
                named_by[label] = i;
            } else if (shape[axis] != 1 && shape[axis] != found->second) {
                throw ShapeError(fmt::format("einsum: \"{}\": {} is {} in operand {} of shape {}, and {} in operand {} "
                                             "of shape {}",
                                             text, describe(label), found->second, named_by[label],
                                             to_string(operands[named_by[label]].shape()), shape[axis], i,
                                             to_string(shape)));
            }
        }
    }
    LabelList result = result_labels(text, parsed, labels, extents);
    std::vector<Term<T>> terms;
    for (std::size_t i = 0; i < operands.size(); ++i) {
        terms.push_back(make_term(operands[i], labels[i], extents));
    }
    return Contraction<T>(std::move(terms), std::move(result), std::move(extents)).run();
}

template <class T>
Tensor<T> detail::outer(const Tensor<T>& a, const Tensor<T>& b) {
    return reshape(a, Axes{a.size(), std::size_t{1}}) * reshape(b, Axes{std::size_t{1}, b.size()});
}

template <class T>
Tensor<T> detail::vdot(const Tensor<T>& a, const Tensor<T>& b) {
    if (a.size() != b.size()) {
        throw ShapeError(fmt::format("vdot: shapes {} and {} have {} and {} elements; they must have as many",
                                     to_string(a.shape()), to_string(b.shape()), a.size(), b.size()));
    }
    return xtape::matmul(reshape(a, Axes{a.size()}), reshape(b, Axes{b.size()}));
}

template <class T>
Tensor<T> detail::trace(const Tensor<T>& x, std::ptrdiff_t offset, std::ptrdiff_t axis1, std::ptrdiff_t axis2) {
    return sum(diagonal(x, offset, axis1, axis2), {-1});
}

#define XTAPE_INSTANTIATE(T)                                                 \
    template Tensor<T> einsum(std::string_view, std::span<const Tensor<T>>); \
    template Tensor<T> detail::outer(const Tensor<T>&, const Tensor<T>&);    \
    template Tensor<T> detail::vdot(const Tensor<T>&, const Tensor<T>&);     \
    template Tensor<T> detail::trace(const Tensor<T>&, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
