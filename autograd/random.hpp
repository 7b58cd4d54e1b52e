#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <xtape/autograd/tensor.hpp>

/// Random numbers from counters: number k of a stream is a function of (seed, stream, k) alone, so that initialisation,
/// dropout and shuffling depend neither on each other nor on threads. Philox4x32-10: Salmon, Moraes, Dror and Shaw,
/// "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
namespace xtape::random {

/// A name for a purpose, as a number (FNV-1a).
[[nodiscard]] constexpr std::uint64_t stream_id(std::string_view purpose) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : purpose) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

/// Philox4x32-10 itself: 128 random bits for a counter under a key.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                                         std::array<std::uint32_t, 2> key) noexcept;

/// One sequence of random numbers. Streams with different (seed, stream, substream) are independent.
class Stream {
public:
    explicit Stream(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t substream = 0) noexcept;

    /// 32 random bits.
    [[nodiscard]] std::uint32_t bits() noexcept;
    /// 64 random bits.
    [[nodiscard]] std::uint64_t bits64() noexcept;
    /// Evenly from [0, 1), with 53 random bits.
    [[nodiscard]] double uniform() noexcept;
    /// Evenly from [low, high) as T has numbers there: what would round to `high` is drawn again.
    template <class T>
    [[nodiscard]] T uniform(double low, double high) noexcept;
    /// From the standard normal distribution (Box and Muller).
    [[nodiscard]] double normal() noexcept;
    /// Evenly from {0, ..., n - 1}, without bias. n must not be 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t n) noexcept;

private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
    double spare_ = 0;
    bool has_spare_ = false;
};

/// Seeds what follows on this thread: `uniform`, `normal`, `bernoulli`, initialisers and dropout, each from a stream of
/// its own.
void seed(std::uint64_t seed);
/// What `seed` and the streams drawn since have made of this thread, as numbers for a checkpoint: the seed, then for
/// each purpose that has drawn, smallest first, its stream_id and how many streams it has had.
[[nodiscard]] xt::xarray<std::uint64_t> state();
/// Goes on where `state` was taken, on this thread. Throws ValueError, and changes nothing, for numbers that `state`
/// cannot have given.
void set_state(const xt::xarray<std::uint64_t>& state);
/// The next stream for a purpose: the first one after `seed`, then the second, and so on, whatever other purposes draw
/// meanwhile.
[[nodiscard]] Stream next_stream(std::string_view purpose);

/// Evenly from [low, high). Throws ValueError unless both are finite and low <= high.
template <class T = float>
[[nodiscard]] Tensor<T> uniform(const Shape& shape, double low = 0.0, double high = 1.0);
/// Normally distributed. Throws ValueError unless both are finite and stddev >= 0.
template <class T = float>
[[nodiscard]] Tensor<T> normal(const Shape& shape, double mean = 0.0, double stddev = 1.0);
/// 1 with probability p, else 0. Throws ValueError for p outside [0, 1].
template <class T = float>
[[nodiscard]] Tensor<T> bernoulli(const Shape& shape, double p = 0.5);

}  // namespace xtape::random
