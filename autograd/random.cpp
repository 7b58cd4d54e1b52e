#include <xtape/autograd/random.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/draws.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape::random {
namespace {

std::uint64_t mix(std::uint64_t x) noexcept {  // the finaliser of SplitMix64
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

struct Seeded {
    std::uint64_t seed = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> drawn;  // purposes, and how many streams each has had
};

Seeded& seeded() {
    static thread_local Seeded state;
    return state;
}

template <class T, class F>
Tensor<T> filled(const Shape& shape, F next) {
    Tensor<T> x = Tensor<T>::uninitialized(shape);
    for (std::size_t i = 0; i < x.size(); ++i) {
        raw(x)[i] = static_cast<T>(next());
    }
    return x;
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
        c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
             static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
        k = {k[0] + 0x9E3779B9U, k[1] + 0xBB67AE85U};
    }
    return c;
}

Stream::Stream(std::uint64_t seed, std::uint64_t stream, std::uint64_t substream) noexcept {
    key_ = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    const std::uint64_t high = mix(stream + 0x9e3779b97f4a7c15ULL * (substream + 1));
    counter_ = {0, 0, static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
}

std::uint32_t Stream::bits() noexcept {
    if (used_ == 4) {
        block_ = philox4x32_10(counter_, key_);
        if (++counter_[0] == 0) {
            ++counter_[1];
        }
        used_ = 0;
    }
    return block_[used_++];
}

std::uint64_t Stream::bits64() noexcept {
    const std::uint64_t low = bits();
    return low | std::uint64_t{bits()} << 32;
}

double Stream::uniform() noexcept { return static_cast<double>(bits64() >> 11) * 0x1.0p-53; }

template <class T>
T Stream::uniform(double low, double high) noexcept {
    const auto draw = [&] { return static_cast<T>(low + (high - low) * uniform()); };
    T drawn = draw();
    while (drawn >= static_cast<T>(high) &&
           static_cast<T>(low) < static_cast<T>(high)) {  // rounded up to what is excluded
        drawn = draw();
    }
    return drawn;
}

double Stream::normal() noexcept {
    if (std::exchange(has_spare_, false)) {
        return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

std::uint64_t Stream::below(std::uint64_t n) noexcept {
    const std::uint64_t excess = -n % n;  // 2^64 mod n: as many of the smallest numbers are drawn again
    std::uint64_t drawn = bits64();
    while (drawn < excess) {
        drawn = bits64();
    }
    return drawn % n;
}

void seed(std::uint64_t seed) {
    seeded().seed = seed;
    seeded().drawn.clear();
}

xt::xarray<std::uint64_t> state() {
    auto drawn = seeded().drawn;
    std::ranges::sort(drawn);
    auto numbers = xt::xarray<std::uint64_t>::from_shape({1 + 2 * drawn.size()});
    auto next = numbers.begin();
    *next++ = seeded().seed;
    for (const auto& [purpose, count] : drawn) {
        *next++ = purpose;
        *next++ = count;
    }
    return numbers;
}

void set_state(const xt::xarray<std::uint64_t>& state) {
    if (state.dimension() != 1 || state.size() % 2 == 0) {
        throw ValueError(fmt::format("set_state: {} numbers of {} dimensions; what state() gives is a list of a seed "
                                     "and pairs",
                                     state.size(), state.dimension()));
    }
    Seeded restored{state(0), {}};
    for (std::size_t i = 1; i < state.size(); i += 2) {
        if (i > 1 && state(i) <= state(i - 2)) {
            throw ValueError(
                fmt::format("set_state: purpose {} comes after {}; state() gives each once, smallest first", state(i),
                            state(i - 2)));
        }
        restored.drawn.emplace_back(state(i), state(i + 1));
    }
    seeded() = std::move(restored);
}

Stream next_stream(std::string_view purpose) {
    return draw([&] {
        Seeded& state = seeded();
        const std::uint64_t id = stream_id(purpose);
        auto it = std::ranges::find(state.drawn, id, &std::pair<std::uint64_t, std::uint64_t>::first);
        if (it == state.drawn.end()) {
            it = state.drawn.insert(it, {id, 0});
        }
        return Stream(state.seed, id, it->second++);
    });
}

template <class T>
Tensor<T> uniform(const Shape& shape, double low, double high) {
    if (!(low <= high) || !std::isfinite(high - low)) {
        throw ValueError(fmt::format(
            "uniform: from {} to {}; both must be finite, and the first no larger than the second", low, high));
    }
    Stream stream = next_stream("uniform");
    return filled<T>(shape, [&] { return stream.uniform<T>(low, high); });
}

template <class T>
Tensor<T> normal(const Shape& shape, double mean, double stddev) {
    if (!(stddev >= 0) || !std::isfinite(stddev) || !std::isfinite(mean)) {
        throw ValueError(fmt::format(
            "normal: mean {}, standard deviation {}; both must be finite, and the second not negative", mean, stddev));
    }
    Stream stream = next_stream("normal");
    return filled<T>(shape, [&] { return mean + stddev * stream.normal(); });
}

template <class T>
Tensor<T> bernoulli(const Shape& shape, double p) {
    if (!(p >= 0 && p <= 1)) {
        throw ValueError(fmt::format("bernoulli: p is {}; a probability lies in [0, 1]", p));
    }
    Stream stream = next_stream("bernoulli");
    return filled<T>(shape, [&] { return stream.uniform() < p ? 1.0 : 0.0; });
}

#define XTAPE_INSTANTIATE(T)                                     \
    template T Stream::uniform<T>(double, double) noexcept;      \
    template Tensor<T> uniform<T>(const Shape&, double, double); \
    template Tensor<T> normal<T>(const Shape&, double, double);  \
    template Tensor<T> bernoulli<T>(const Shape&, double);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::random
