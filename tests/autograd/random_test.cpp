// Random numbers: the generator against its published vectors, and the distributions made of it.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using random::Stream;

namespace {

// How many standard deviations the mean of n samples lies from what it should be.
double deviation(double mean, double expected, double stddev, std::size_t n) {
    return std::abs(mean - expected) / (stddev / std::sqrt(static_cast<double>(n)));
}

struct Moments {
    double mean = 0;
    double variance = 0;
    double skewness = 0;
    double kurtosis = 0;
};

template <class Values>
Moments moments(const Values& values) {
    const auto n = static_cast<double>(values.size());
    Moments m;
    for (const double v : values) {
        m.mean += v / n;
    }
    double third = 0;
    double fourth = 0;
    for (const double v : values) {
        const double d = v - m.mean;
        m.variance += d * d / n;
        third += d * d * d / n;
        fourth += d * d * d * d / n;
    }
    m.skewness = third / std::pow(m.variance, 1.5);
    m.kurtosis = fourth / (m.variance * m.variance);
    return m;
}

template <class A, class B>
double correlation(const A& a, const B& b) {
    const Moments in_a = moments(a);
    const Moments in_b = moments(b);
    double covariance = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        covariance += (a[i] - in_a.mean) * (b[i] - in_b.mean) / static_cast<double>(a.size());
    }
    return covariance / std::sqrt(in_a.variance * in_b.variance);
}

std::vector<double> uniforms(Stream stream, std::size_t n) {
    std::vector<double> values(n);
    std::generate(values.begin(), values.end(), [&] { return stream.uniform(); });
    return values;
}

constexpr std::size_t many = 200'000;

}  // namespace

TEST_CASE("philox4x32_10 gives the known answers of its authors (Random123's kat_vectors)") {
    using Counter = std::array<std::uint32_t, 4>;
    CHECK(random::philox4x32_10({0, 0, 0, 0}, {0, 0}) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    constexpr std::uint32_t ones = 0xffffffff;
    CHECK(random::philox4x32_10({ones, ones, ones, ones}, {ones, ones}) ==
          Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(random::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream's words are the blocks of consecutive counters, in order") {
    // The one stream whose place, the upper half of the counter, is 0. What is drawn from a seed is to stay the same
    // for good.
    constexpr std::uint64_t at_zero = 0 - 0x9e3779b97f4a7c15ULL;
    CHECK(Stream(0, at_zero).bits() == 0x6627e8d5);
    Stream stream(0x0123456789abcdefULL, at_zero);
    Stream pairs(0x0123456789abcdefULL, at_zero);
    for (std::uint32_t block = 0; block < 5; ++block) {
        const auto words = random::philox4x32_10({block, 0, 0, 0}, {0x89abcdef, 0x01234567});
        for (const std::uint32_t word : words) {
            CHECK(stream.bits() == word);
        }
        CHECK(pairs.bits64() == (words[0] | std::uint64_t{words[1]} << 32));
        CHECK(pairs.bits64() == (words[2] | std::uint64_t{words[3]} << 32));
    }
}

TEST_CASE("streams differ by seed, by stream and by substream, and each is reproducible") {
    std::set<std::uint64_t> firsts;
    std::size_t made = 0;
    for (const std::uint64_t seed : {0ULL, 1ULL, 1ULL << 32, ~0ULL}) {
        for (const std::uint64_t stream : {0ULL, 1ULL, 2ULL, ~0ULL}) {
            for (const std::uint64_t substream : {0ULL, 1ULL, 2ULL}) {
                Stream s(seed, stream, substream);
                const std::uint64_t first = s.bits64();
                firsts.insert(first);
                ++made;
                CHECK(Stream(seed, stream, substream).bits64() == first);
            }
        }
    }
    CHECK(firsts.size() == made);
}

TEST_CASE("neighbouring streams are uncorrelated") {
    const auto one = uniforms(Stream(1, 1, 0), many);
    const double limit = 4.5 / std::sqrt(static_cast<double>(many));
    CHECK(std::abs(correlation(one, uniforms(Stream(1, 1, 1), many))) < limit);
    CHECK(std::abs(correlation(one, uniforms(Stream(1, 2, 0), many))) < limit);
    CHECK(std::abs(correlation(one, uniforms(Stream(2, 1, 0), many))) < limit);
    const std::vector<double> shifted(one.begin() + 1, one.end());
    CHECK(std::abs(correlation(std::vector<double>(one.begin(), one.end() - 1), shifted)) < limit);
    CHECK(correlation(one, one) == doctest::Approx(1.0));  // the measure can fail
}

TEST_CASE("uniform has the moments of its distribution and keeps to [low, high)") {
    random::seed(3);
    const auto x = elements(random::uniform<double>({many}, -2.0, 4.0));
    const auto [lowest, highest] = std::minmax_element(x.begin(), x.end());
    CHECK(*lowest >= -2.0);
    CHECK(*lowest < -1.999);
    CHECK(*highest < 4.0);
    CHECK(*highest > 3.999);
    const Moments m = moments(x);
    CHECK(deviation(m.mean, 1.0, std::sqrt(3.0), many) < 4.5);
    CHECK(m.variance == doctest::Approx(3.0).epsilon(0.01));
    CHECK(std::abs(m.skewness) < 0.03);
    CHECK(m.kurtosis == doctest::Approx(1.8).epsilon(0.02));
}

TEST_CASE("what rounds up to the upper bound is drawn again") {
    constexpr std::uint64_t seed = 2278;
    constexpr std::size_t at = 874;
    Stream stream(seed, random::stream_id("uniform"));
    for (std::size_t i = 0; i < at; ++i) {
        (void)stream.uniform();
    }
    const double close = stream.uniform();
    CHECK(close < 1.0);
    CHECK(static_cast<float>(close) == 1.0F);
    random::seed(seed);
    for (const float v : elements(random::uniform<float>({at + 100}))) {
        CHECK(v < 1.0F);
    }
    // Where T has no number between the bounds.
    CHECK(Stream(1).uniform<float>(1.0, 1.0 + 1e-12) == 1.0F);
    CHECK(Stream(1).uniform<double>(1.0, 1.0) == 1.0);
    for (int i = 0; i < 100; ++i) {
        CHECK(stream.uniform<float>(1.0, 1.0 + 0x1p-23) == 1.0F);
    }
}

TEST_CASE("uniform fills its range evenly") {
    random::seed(4);
    std::vector<double> bins(100);
    for (const double v : elements(random::uniform<double>({many}))) {
        bins.at(static_cast<std::size_t>(v * 100.0)) += 1.0;
    }
    double chi_squared = 0;
    for (const double n : bins) {
        chi_squared += (n - many / 100.0) * (n - many / 100.0) / (many / 100.0);
    }
    CHECK(chi_squared > 55.0);  // 99 degrees of freedom: 0.01 % at either end
    CHECK(chi_squared < 162.0);
}

TEST_CASE("normal has the moments of its distribution") {
    random::seed(5);
    const auto x = elements(random::normal<double>({many}, 1.5, 2.0));
    const Moments m = moments(x);
    CHECK(deviation(m.mean, 1.5, 2.0, many) < 4.5);
    CHECK(m.variance == doctest::Approx(4.0).epsilon(0.015));
    CHECK(std::abs(m.skewness) < 0.03);
    CHECK(m.kurtosis == doctest::Approx(3.0).epsilon(0.03));
    const auto within = std::count_if(x.begin(), x.end(), [](double v) { return std::abs(v - 1.5) < 2.0; });
    CHECK(static_cast<double>(within) / many == doctest::Approx(0.682689).epsilon(0.01));
    const auto beyond = std::count_if(x.begin(), x.end(), [](double v) { return std::abs(v - 1.5) > 6.0; });
    CHECK(static_cast<double>(beyond) / many == doctest::Approx(0.0027).epsilon(0.2));
    // The two numbers of a pair are independent.
    std::vector<double> even;
    std::vector<double> odd;
    for (std::size_t i = 0; i < many; i += 2) {
        even.push_back(x[i]);
        odd.push_back(x[i + 1]);
    }
    CHECK(std::abs(correlation(even, odd)) < 0.015);
}

TEST_CASE("bernoulli is 1 as often as it is told") {
    random::seed(6);
    for (const double p : {0.0, 0.1, 0.5, 1.0}) {
        const auto x = elements(random::bernoulli<float>({many}, p));
        CHECK(std::all_of(x.begin(), x.end(), [](float v) { return v == 0.0F || v == 1.0F; }));
        const auto share = static_cast<double>(std::count(x.begin(), x.end(), 1.0F)) / many;
        CHECK(std::abs(share - p) <= 4.5 * std::sqrt(p * (1 - p) / many));
    }
}

TEST_CASE("below is even and without bias, also where n does not divide 2^64") {
    Stream stream(7);
    for (const std::uint64_t n : {1ULL, 2ULL, 3ULL, 10ULL}) {
        std::vector<double> counts(n);
        for (std::size_t i = 0; i < many; ++i) {
            counts.at(stream.below(n)) += 1.0;
        }
        const double expected = static_cast<double>(many) / static_cast<double>(n);
        for (const double count : counts) {
            CHECK(std::abs(count - expected) <= 4.5 * std::sqrt(expected));
        }
    }
    // Of n = 2^63 + 1 a plain remainder would draw the numbers below 2^63 - 1 twice as often as it should and no others
    // as rarely.
    const std::uint64_t large = (1ULL << 63) + 1;
    std::size_t lower_half = 0;
    for (std::size_t i = 0; i < many; ++i) {
        const std::uint64_t drawn = stream.below(large);
        CHECK_MESSAGE(drawn < large, drawn);
        lower_half += drawn < large / 2 ? 1 : 0;
    }
    CHECK(std::abs(static_cast<double>(lower_half) - many / 2.0) <= 4.5 * std::sqrt(many / 4.0));
    const std::uint64_t three_quarters = 3ULL
                                         << 62;  // here a plain remainder would draw the first third twice as often
    std::size_t first_third = 0;
    for (std::size_t i = 0; i < many; ++i) {
        first_third += stream.below(three_quarters) < (1ULL << 62) ? 1 : 0;
    }
    CHECK(std::abs(static_cast<double>(first_third) - many / 3.0) <= 4.5 * std::sqrt(many / 4.0));
}

TEST_CASE("uniform and normal take all 53 bits") {
    Stream stream(8);
    std::uint64_t seen = 0;
    for (int i = 0; i < 1000; ++i) {
        const double u = stream.uniform();
        CHECK(u >= 0.0);
        CHECK(u < 1.0);
        seen |= static_cast<std::uint64_t>(u * 0x1p53);
    }
    CHECK(seen == (1ULL << 53) - 1);
}

TEST_CASE("one seed, the same numbers; another seed, others") {
    const auto draw = [] {
        auto all = elements(random::uniform<double>({5}));
        const auto normal = elements(random::normal<double>({5}));
        const auto bernoulli = elements(random::bernoulli<double>({20}));
        all.insert(all.end(), normal.begin(), normal.end());
        all.insert(all.end(), bernoulli.begin(), bernoulli.end());
        return all;
    };
    random::seed(11);
    const auto first = draw();
    const auto second = draw();
    CHECK(first != second);
    random::seed(11);
    CHECK(draw() == first);
    CHECK(draw() == second);
    random::seed(12);
    CHECK(draw() != first);
}

TEST_CASE("float and double draw the same numbers") {
    random::seed(13);
    const auto in_double = elements(random::normal<double>({10}));
    random::seed(13);
    const auto in_float = elements(random::normal<float>({10}));
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(in_float[i] == static_cast<float>(in_double[i]));
    }
}

TEST_CASE("what one purpose draws does not depend on what others draw meanwhile") {
    random::seed(17);
    const auto uniform = elements(random::uniform<double>({4}));
    const auto again = elements(random::uniform<double>({4}));
    random::seed(17);
    (void)random::normal<double>({100});
    (void)random::next_stream("shuffle");
    CHECK(elements(random::uniform<double>({4})) == uniform);
    (void)random::bernoulli<double>({3});
    CHECK(elements(random::uniform<double>({4})) == again);
    random::seed(17);
    CHECK(elements(random::normal<double>({4})) != uniform);
}

TEST_CASE("a call draws one stream, however much of it it takes") {
    random::seed(19);
    (void)random::uniform<double>({1});
    const auto after_one = elements(random::uniform<double>({3}));
    random::seed(19);
    (void)random::uniform<double>({1000});
    CHECK(elements(random::uniform<double>({3})) == after_one);
}

TEST_CASE("threads have seeds of their own, and the numbers don't depend on the thread") {
    random::seed(23);
    const auto here = elements(random::uniform<double>({4}));
    random::seed(29);
    std::vector<double> there;
    std::thread([&] {
        random::seed(23);
        there = elements(random::uniform<double>({4}));
    }).join();
    CHECK(there == here);
    random::seed(29);
    const auto undisturbed = elements(random::uniform<double>({4}));
    CHECK(undisturbed != here);
}

TEST_CASE("purposes have different streams") {
    static_assert(random::stream_id("") == 0xcbf29ce484222325ULL);
    static_assert(random::stream_id("a") == 0xaf63dc4c8601ec8cULL);  // FNV-1a's published test vectors
    static_assert(random::stream_id("foobar") == 0x85944171f73967e8ULL);
    std::set<std::uint64_t> firsts;
    random::seed(31);
    for (const char* purpose : {"uniform", "normal", "bernoulli", "init", "dropout", "shuffle"}) {
        firsts.insert(random::next_stream(purpose).bits64());
    }
    CHECK(firsts.size() == 6);
}
