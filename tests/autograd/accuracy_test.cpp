// Every elementwise function against mpmath's 50 digits (tests/data/accuracy.json), in units in the last place.

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kernel_reading.hpp"

using namespace xtape;

namespace {

constexpr double usual_bound = 4.0;
const std::map<std::string, double> bounds = {{"erfc", 5.0}};

double number(const nlohmann::json& value) {
    if (value.is_string()) {
        return value == "-inf" ? -HUGE_VAL : HUGE_VAL;
    }
    return value.get<double>();
}

template <class T>
std::vector<T> numbers(const nlohmann::json& values) {
    std::vector<T> result;
    for (const auto& value : values) {
        result.push_back(static_cast<T>(number(value)));
    }
    return result;
}

/// Distance from y + rest; below the smallest normal number units stay as they are there.
template <class T>
double ulps(T got, double y, double rest) {
    const auto rounded = static_cast<T>(y);
    if (std::isinf(rounded) || !std::isfinite(got)) {
        return got == rounded ? 0.0 : HUGE_VAL;
    }
    const T magnitude = std::max(std::abs(rounded), std::numeric_limits<T>::min());
    const T ulp = std::nextafter(magnitude, std::numeric_limits<T>::infinity()) - magnitude;
    return std::abs((static_cast<double>(got) - y) - rest) / static_cast<double>(ulp);
}

/// Looks the rule up by its name; false if there is none.
template <class T>
bool evaluate(const nlohmann::json& line, std::vector<T>& y) {
    bool found = false;
    if (line.contains("x")) {
        const auto x = numbers<T>(line["x"]);
        y.resize(x.size());
        one_by_one::for_each_rule(UnaryRules{}, [&]<class Rule>(Rule) {
            if (line["name"] == Rule::name) {
                kernels::unary<Rule, T>().forward(x.data(), y.data(), x.size());
                found = true;
            }
        });
        return found;
    }
    const auto a = numbers<T>(line["a"]);
    const auto b = numbers<T>(line["b"]);
    y.resize(a.size());
    one_by_one::for_each_rule(BinaryRules{}, [&]<class Rule>(Rule) {
        if (line["name"] == Rule::name) {
            kernels::binary<Rule, T>().forward(a.data(), b.data(), y.data(), a.size(), {1, 1});
            found = true;
        }
    });
    return found;
}

template <class T>
void check(const nlohmann::json& line) {
    const auto name = line["name"].get<std::string>();
    const auto where = line.value("where", "");
    std::vector<T> y;
    REQUIRE_MESSAGE(evaluate(line, y), "no rule is called ", name);
    double worst = 0.0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        const double error = ulps(y[i], number(line["y"][i]), number(line["rest"][i]));
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    const double bound = bounds.contains(name) ? bounds.at(name) : usual_bound;
    const auto input = [&](const char* operand) {
        return line.contains(operand) ? fmt::format(" {}={}", operand, number(line[operand][at])) : std::string();
    };
    MESSAGE(fmt::format("{} {} ({}): {:.2f} ulp", name, where, line["type"].get<std::string>(), worst));
    CHECK_MESSAGE(worst <= bound, name, " at", input("x"), input("a"), input("b"), ": ", y[at], ", not ",
                  number(line["y"][at]));
}

}  // namespace

TEST_CASE("elementwise functions agree with mpmath to a few units in the last place") {
    std::ifstream file(XTAPE_TEST_DATA_DIR "/accuracy.json");
    const auto lines = nlohmann::json::parse(file);
    CHECK(lines.size() >= 84);
    for (const auto& line : lines) {
        line["type"] == "float" ? check<float>(line) : check<double>(line);
    }
}
