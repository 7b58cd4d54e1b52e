// Reductions of a 1024 x 1024 matrix over axis 0, axis 1 and all of it, on one thread, without recording: the bytes
// that each reads in a second against memcpy's of the same matrix, and logsumexp against exp of it. Each is checked
// first, against sums in long double, then timed in turn with what it is measured against.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>

#include <xtape/autograd.hpp>
#include <xtape/autograd/recording.hpp>

#include "figures.hpp"
#include "options.hpp"

namespace {

using namespace xtape;

constexpr std::size_t extent = 1024;
constexpr double least_share = 0.6;           // of memcpy's read bandwidth
constexpr double least_share_variance = 0.3;  // which has to read twice, once for the mean
constexpr double most_over_exp = 1.3;

struct Direction {
    const char* name;
    Axes axes;
};

const std::vector<Direction>& directions() {
    static const std::vector<Direction> all = {{"axis 0", {0}}, {"axis 1", {1}}, {"all", {0, 1}}};
    return all;
}

/// A reduction: what is timed, its plain definition over the elements behind one result, and xtensor's own, if it has
/// one.
template <class T>
struct Reduction {
    using Elements = std::vector<long double>;
    std::string name;
    Tensor<T> (*reduce)(const Tensor<T>&, const Axes&);
    std::function<long double(const Elements&)> define;
    xt::xarray<T> (*by_xtensor)(const xt::xarray<T>&, const std::vector<std::size_t>&) = nullptr;
    double least = least_share;
};

template <class F>
long double total(const std::vector<long double>& elements, F f) {
    long double sum = 0;
    for (const long double x : elements) {
        sum += f(x);
    }
    return sum;
}

long double mean_of(const std::vector<long double>& elements) {
    return total(elements, [](long double x) { return x; }) / static_cast<long double>(elements.size());
}

long double squared_deviations(const std::vector<long double>& elements) {
    const long double mean = mean_of(elements);
    return total(elements, [mean](long double x) { return (x - mean) * (x - mean); });
}

template <class T>
std::vector<Reduction<T>> all_reductions() {
    using Elements = std::vector<long double>;
    const auto square = [](long double x) { return x * x; };
    const auto magnitude = [](long double x) { return std::abs(x); };
    const auto identity = [](long double x) { return x; };
#define XTAPE_BY(function) [](const Tensor<T>& x, const Axes& axes) { return function(x, axes); }
#define XTAPE_BY_XTENSOR(function) \
    [](const xt::xarray<T>& x, const std::vector<std::size_t>& axes) -> xt::xarray<T> { return function(x, axes); }
    return {
        {"sum", XTAPE_BY(xtape::sum), [=](const Elements& e) { return total(e, identity); }, XTAPE_BY_XTENSOR(xt::sum)},
        {"mean", XTAPE_BY(xtape::mean), mean_of, XTAPE_BY_XTENSOR(xt::mean)},
        {"amax", XTAPE_BY(xtape::amax), [](const Elements& e) { return *std::ranges::max_element(e); },
         XTAPE_BY_XTENSOR(xt::amax)},
        {"amin", XTAPE_BY(xtape::amin), [](const Elements& e) { return *std::ranges::min_element(e); },
         XTAPE_BY_XTENSOR(xt::amin)},
        {"prod", XTAPE_BY(xtape::prod),
         [](const Elements& e) { return std::accumulate(e.begin(), e.end(), 1.0L, std::multiplies<>()); },
         XTAPE_BY_XTENSOR(xt::prod)},
        {"norm_l1", XTAPE_BY(xtape::norm_l1), [=](const Elements& e) { return total(e, magnitude); }},
        {"norm_l2", XTAPE_BY(xtape::norm_l2), [=](const Elements& e) { return std::sqrt(total(e, square)); }},
        {"norm_sq", XTAPE_BY(xtape::norm_sq), [=](const Elements& e) { return total(e, square); }},
        {.name = "variance",
         .reduce = XTAPE_BY(xtape::variance),
         .define = [](const Elements& e) { return squared_deviations(e) / static_cast<long double>(e.size()); },
         .least = least_share_variance},
        {.name = "stddev",
         .reduce = XTAPE_BY(xtape::stddev),
         .define =
             [](const Elements& e) { return std::sqrt(squared_deviations(e) / static_cast<long double>(e.size())); },
         .least = least_share_variance},
        {.name = "logsumexp",
         .reduce = XTAPE_BY(xtape::logsumexp),
         .define = [](const Elements& e) { return std::log(total(e, [](long double x) { return std::exp(x); })); }},
    };
#undef XTAPE_BY
#undef XTAPE_BY_XTENSOR
}

/// Numbers whose products stay near 1, as likely above as below.
template <class T>
xt::xarray<T> random_matrix() {
    xt::xarray<T> x = xt::xarray<T>::from_shape({extent, extent});
    std::mt19937 generator(20240229);
    std::uniform_real_distribution<double> uniform(-0.03, 0.03);
    for (T& element : x) {
        element = static_cast<T>(std::exp(uniform(generator)) * (generator() % 2 == 0 ? 1.0 : -1.0));
    }
    return x;
}

/// The elements behind a result.
template <class T>
std::vector<long double> behind(const xt::xarray<T>& x, const Direction& direction, std::size_t result) {
    std::vector<long double> elements;
    for (std::size_t i = 0; i < extent; ++i) {
        for (std::size_t j = 0; j < extent; ++j) {
            const bool all = direction.axes.size() == 2;
            if (all || (direction.axes[0] == 0 ? j : i) == result) {
                elements.push_back(static_cast<long double>(x(i, j)));
            }
        }
    }
    return elements;
}

/// How far a result is off, relative to it or, for those near 0, to the elements' own size.
template <class T>
double error(const Reduction<T>& reduction, const xt::xarray<T>& x, const Tensor<T>& tensor,
             const Direction& direction) {
    const Tensor<T> y = reduction.reduce(tensor, direction.axes);
    double worst = 0.0;
    for (std::size_t i = 0; i < y.size(); i += 341) {
        const long double expected = reduction.define(behind(x, direction, i));
        const auto off =
            std::abs(static_cast<long double>(y.data()[i]) - expected) / std::max(std::abs(expected), 1.0L);
        worst = std::isnan(off) ? std::numeric_limits<double>::infinity() : std::max(worst, static_cast<double>(off));
    }
    return worst;
}

template <class T>
const char* type_name() {
    return sizeof(T) == sizeof(float) ? "float" : "double";
}

/// Checks a reduction and prints its row; false if it fails. `copied` is where memcpy writes.
template <class T>
bool run(const Reduction<T>& reduction, const Direction& direction, const xt::xarray<T>& x, const Tensor<T>& tensor,
         const Tensor<T>& copied, const bench::Options& options, bench::Figures& figures) {
    const std::string name = fmt::format("{} {}, {}", reduction.name, direction.name, type_name<T>());
    const double off = error(reduction, x, tensor, direction);
    if (!(off < 2e3 * static_cast<double>(std::numeric_limits<T>::epsilon()))) {
        fmt::print("{:<28} WRONG: off by {:.2g}\n", name, off);
        return false;
    }
    if (options.check_only) {
        return true;
    }
    const bool beside_exp = reduction.name == "logsumexp";
    std::vector<std::size_t> axes;
    for (const std::ptrdiff_t axis : direction.axes) {
        axes.push_back(static_cast<std::size_t>(axis));
    }
    const double bytes = static_cast<double>(x.size() * sizeof(T));
    std::vector<std::function<void()>> programs = {
        [&] { std::memcpy(raw(copied), tensor.data(), x.size() * sizeof(T)); },
        [&] { static_cast<void>(reduction.reduce(tensor, direction.axes)); },
        [&] { static_cast<void>(exp(tensor)); },
    };
    if (!beside_exp) {
        programs.pop_back();
    }
    if (reduction.by_xtensor != nullptr) {
        programs.emplace_back([&] {
            const xt::xarray<T> y = reduction.by_xtensor(x, axes);
            volatile T first = y.flat(0);
            static_cast<void>(first);
        });
    }
    const std::vector<double> taken = bench::best_in_turn(programs, options.effort());
    const auto rate = [bytes](double seconds) { return bytes / seconds * 1e-9; };
    const double share = taken[0] / taken[1];
    const double over_exp = beside_exp ? taken[1] / taken[2] : 0.0;
    const bool met = beside_exp ? over_exp <= most_over_exp : share >= reduction.least;
    fmt::print("{:<28} {:>9.1f} {:>9.1f} {:>9.1f} {:>7.2f} {:>10} {:>8} {:>8}{}\n", name, taken[1] * 1e6,
               rate(taken[1]), rate(taken[0]), share,
               reduction.by_xtensor != nullptr ? fmt::format("{:.1f}", rate(taken.back())) : "",
               beside_exp ? fmt::format("{:.2f}", over_exp) : "",
               beside_exp ? fmt::format("<= {:.1f}", most_over_exp) : fmt::format(">= {:.1f}", reduction.least),
               met ? "" : "  TOO SLOW");
    std::fflush(stdout);
    if (beside_exp) {
        figures.at_most(most_over_exp, name + ": over exp of the same", over_exp);
    } else {
        figures.at_least(reduction.least, name + ": share of memcpy's rate", share);
    }
    return options.accept(met);
}

template <class T>
bool run_all(const bench::Options& options, bench::Figures& figures, std::size_t& rows) {
    const xt::xarray<T> x = random_matrix<T>();
    const Tensor<T> tensor(x);
    const Tensor<T> copied(x);
    bool passed = true;
    for (const Reduction<T>& reduction : all_reductions<T>()) {
        for (const Direction& direction : directions()) {
            const std::string name = fmt::format("{} {}, {}", reduction.name, direction.name, type_name<T>());
            if (name.find(options.only) != std::string::npos) {
                passed = run(reduction, direction, x, tensor, copied, options, figures) && passed;
                ++rows;
            }
        }
    }
    return passed;
}

constexpr const char* usage = R"(usage: bench_reductions [OPTION...]

Times every reduction of a 1024 x 1024 matrix over axis 0, axis 1 and all of it, in float and in double, on one thread and
without recording, in turn with memcpy of the same matrix (and logsumexp with exp of it), after checking its results.

  --check           only check the results
  --seconds S       how long to time a row of the table (0.5)
  --only SUBSTRING  only rows whose name contains it, such as "sum axis 0" or double

The rates are the bytes that are read in a second: by xtape, by memcpy and by xtensor's own reduction. The share is xtape's rate over memcpy's. Fails if a result is wrong, a share less than 0.6 (variance and stddev: 0.3), or
logsumexp takes more than 1.3 times as long as exp.)";

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 0.5});
    xtape::set_num_threads(1);
    if (!options.check_only) {
        fmt::print("{:<28} {:>9} {:>9} {:>9} {:>7} {:>10} {:>8} {:>8}\n", "reduction of 1024 x 1024", "xtape/us",
                   "GB/s", "memcpy", "share", "xtensor", "of exp", "limit");
    }
    bench::Figures figures("reductions", options.json);
    std::size_t rows = 0;
    bool passed = run_all<float>(options, figures, rows);
    passed = run_all<double>(options, figures, rows) && passed;
    if (rows == 0) {
        fmt::print("no row's name contains \"{}\"\n", options.only);
        return EXIT_FAILURE;
    }
    if (options.check_only) {
        fmt::print("{} reductions checked\n", rows);
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
