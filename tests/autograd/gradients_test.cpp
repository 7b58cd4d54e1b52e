// Every op's rule, at every kind of shape: one row of the table each (gradient_rows*.cpp).

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gradient_rows.hpp"

using namespace xtape;
using gradients::all_rows;
using gradients::Row;
using gradients::sample;

namespace {

template <typename T>
using Tensors = std::vector<Tensor<T>>;

template <typename T>
Tensors<T> as_parameters(const Tensors<T>& xs) {
    Tensors<T> leaves;
    for (const auto& x : xs) {
        leaves.push_back(parameter(x));
    }
    return leaves;
}

/// A cotangent of y's shape, of multiples of 1/8: the same in both precisions.
template <typename T>
Tensor<T> cotangent_of(const Tensor<T>& y) {
    Tensor<T> v = Tensor<T>::uninitialized(y.shape());
    T* element = v.fresh_data();
    for (std::size_t i = 0; i < v.size(); ++i) {
        element[i] = static_cast<T>(0.125 * (1.0 + static_cast<double>(5 * i % 11)) * (i % 3 == 1 ? -1.0 : 1.0));
    }
    return v;
}

/// Gradients by all inputs; zeros by those that y does not depend on.
template <typename T>
Tensors<T> gradients_of(const Tensor<T>& y, const Tensors<T>& xs, bool create_graph) {
    return grad(y, xs,
                {.seed = cotangent_of(y), .retain_graph = true, .create_graph = create_graph, .allow_unused = true});
}

/// The gradient of all the gradients, each with weights of its own.
template <typename T>
Tensors<T> second_order(const Tensors<T>& first, const Tensors<T>& xs, bool create_graph) {
    Tensor<T> total = T(0);
    for (const auto& g : first) {
        total = total + sum(g * cotangent_of(g));
    }
    return gradients_of(total, xs, create_graph);
}

/// Empty if the tensors agree to `tolerance`, relative to the largest magnitude in each; else what differs.
template <typename A, typename B>
std::string difference(const std::string& what, const Tensors<A>& got, const Tensors<B>& expected, double tolerance) {
    for (std::size_t k = 0; k < expected.size(); ++k) {
        if (got[k].shape() != expected[k].shape()) {
            return fmt::format("{} {}: another shape", what, k);
        }
        double largest = 0;
        for (const B e : expected[k].value()) {
            largest = std::max(largest, std::abs(static_cast<double>(e)));
        }
        const double allowed = tolerance * (largest == 0.0 ? 1.0 : largest);
        for (std::size_t i = 0; i < expected[k].size(); ++i) {
            const auto mine = static_cast<double>(got[k].data()[i]);
            const auto theirs = static_cast<double>(expected[k].data()[i]);
            if (!(std::abs(mine - theirs) <= allowed)) {
                return fmt::format("{} {}: element {} is {:.12g}, not {:.12g}", what, k, i, mine, theirs);
            }
        }
    }
    return {};
}

template <typename T>
struct Derivatives {
    Tensors<T> value;
    Tensors<T> plain;
    Tensors<T> recorded;
    Tensors<T> second;
    Tensors<T> second_recorded;

    explicit Derivatives(const Row& row) {
        const Tensors<T> xs = as_parameters(sample<T>(row));
        const Tensor<T> y = row.f(xs);
        value = {y};
        plain = gradients_of(y, xs, false);
        recorded = gradients_of(y, xs, true);
        second = second_order(recorded, xs, false);
        second_recorded = second_order(recorded, xs, true);
    }
};

void check_each_row(const std::function<std::string(const Row&)>& check) {
    for (const Row& row : all_rows()) {
        std::string message;
        try {
            message = check(row);
        } catch (const std::exception& error) {
            message = fmt::format("throws {}", error.what());
        }
        if (!message.empty()) {
            FAIL_CHECK(fmt::format("{}: {}", row.name, message));
        }
    }
    CHECK(all_rows().size() > 400);
}

std::string check_by_differences(const Row& row, CheckMode mode) {
    const auto result =
        check_gradients([&](const Tensors<double>& xs) { return row.f(xs); }, sample<double>(row),
                        {.order = row.orders, .mode = mode, .tolerance = row.tolerance, .step = row.step});
    return result.ok ? "" : result.message;
}

}  // namespace

TEST_CASE("the rows have names of their own") {
    std::set<std::string> names;
    for (const Row& row : all_rows()) {
        CHECK_MESSAGE(names.insert(row.name).second, row.name);
    }
}

TEST_CASE("full Jacobians agree with differences, to the order that the row gives") {
    check_each_row([](const Row& row) { return check_by_differences(row, CheckMode::jacobian); });
}

TEST_CASE("random projections agree with differences, to the order that the row gives") {
    check_each_row([](const Row& row) { return check_by_differences(row, CheckMode::projection); });
}

TEST_CASE("values and derivatives in float are those in double") {
    check_each_row([](const Row& row) {
        const Derivatives<float> got(row);
        const Derivatives<double> expected(row);
        return difference("value", got.value, expected.value, row.in_float) +
               difference("gradient", got.plain, expected.plain, row.in_float) +
               difference("recorded gradient", got.recorded, expected.recorded, row.in_float) +
               difference("second derivative", got.second, expected.second, row.in_float);
    });
}

TEST_CASE("a recorded gradient is the fused one") {
    check_each_row([](const Row& row) {
        const Derivatives<double> both(row);
        return difference("gradient", both.recorded, both.plain, 1e-14) +
               difference("second derivative", both.second_recorded, both.second, 1e-13);
    });
}

namespace {

/// How a rule's gradients meet others: contributions to the same inputs that were recorded later arrive earlier, so
/// that the rule finds its slots taken; those recorded before it add to what the rule leaves there.
struct Meeting {
    bool others_first;            // arrive first
    bool output_is_wanted;        // then somebody else holds the incoming gradient
    std::size_t only = no_index;  // the only input with other contributions; else all have some

    static constexpr std::size_t no_index = ~std::size_t{0};
    [[nodiscard]] bool concerns(std::size_t input) const { return only == no_index || only == input; }
};

std::string check_meeting(const Row& row, const Tensors<double>& xs, const Tensors<double>& alone, Meeting meeting) {
    const auto others = [&] {
        Tensor<double> total = 0.0;
        for (std::size_t k = 0; k < xs.size(); ++k) {
            total = meeting.concerns(k) ? total + sum(xs[k] * cotangent_of(xs[k])) : total;
        }
        return total;
    };
    const Tensor<double> recorded_before = meeting.others_first ? Tensor<double>(0.0) : others();
    const Tensor<double> y = row.f(xs);
    const Tensor<double> of_rule = sum(y * cotangent_of(y));
    const Tensor<double> total = of_rule + (meeting.others_first ? others() : recorded_before);
    Tensors<double> wanted = xs;
    Tensors<double> expected;
    for (std::size_t k = 0; k < xs.size(); ++k) {
        expected.push_back(meeting.concerns(k) ? alone[k] + cotangent_of(xs[k]) : alone[k]);
    }
    // Where nothing had to be done, y is one of the inputs itself.
    if (meeting.output_is_wanted && std::ranges::none_of(xs, [&](const auto& x) { return x.ref() == y.ref(); })) {
        wanted.push_back(y);
        expected.push_back(cotangent_of(y));
    }
    return difference("gradient", grad(total, wanted, {.allow_unused = true}), expected, 1e-14);
}

}  // namespace

TEST_CASE("a gradient is added to what is there already, and takes nothing from who else holds it") {
    check_each_row([](const Row& row) {
        const Tensors<double> xs = as_parameters(sample<double>(row));
        const Tensors<double> alone = gradients_of(row.f(xs), xs, false);
        std::string message;
        for (const bool others_first : {false, true}) {
            for (const bool output_is_wanted : {false, true}) {
                message += check_meeting(row, xs, alone, {others_first, output_is_wanted});
                for (std::size_t only = 0; xs.size() > 1 && only < xs.size(); ++only) {
                    message += check_meeting(row, xs, alone, {others_first, output_is_wanted, only});
                }
            }
        }
        return message;
    });
}
