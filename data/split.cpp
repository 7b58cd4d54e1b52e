#include <xtape/data/split.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/shuffle.hpp>

namespace xtape::data {

namespace {

void check_fraction(const char* function, double fraction) {
    if (!(fraction >= 0 && fraction <= 1)) {
        throw ValueError(fmt::format("{}: fraction = {}: it must be within [0, 1]", function, fraction));
    }
}

std::size_t share(double fraction, std::size_t size) {
    return static_cast<std::size_t>(std::llround(fraction * static_cast<double>(size)));
}

}  // namespace

Split split(std::size_t size, double fraction, std::uint64_t seed) {
    check_fraction("split", fraction);
    return detail::stratified_split(std::vector<std::int64_t>(size, 0), fraction, seed);
}

Split detail::stratified_split(std::span<const std::int64_t> labels, double fraction, std::uint64_t seed) {
    check_fraction("stratified_split", fraction);
    std::map<std::int64_t, std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        members[labels[i]].push_back(i);
    }

    // Every class gives the whole part of its share; what is still wanted then comes from the classes with the largest
    // remainders, one sample each.
    struct Share {
        std::vector<std::size_t>* samples;
        std::size_t count;
        double remainder;
    };
    std::vector<Share> shares;
    std::size_t wanted = share(fraction, labels.size());
    for (auto& [label, samples] : members) {
        const double exact = fraction * static_cast<double>(samples.size());
        const double whole = std::floor(exact);
        shares.push_back({&samples, static_cast<std::size_t>(whole), exact - whole});
        wanted -= std::min(wanted, shares.back().count);
    }
    std::ranges::stable_sort(shares, std::ranges::greater(), &Share::remainder);

    Split result;
    random::Stream stream(seed, random::stream_id("split"));
    for (auto& [samples, count, remainder] : shares) {
        if (wanted > 0 && count < samples->size()) {
            ++count;
            --wanted;
        }
        shuffle(*samples, stream);
        const auto middle = samples->begin() + static_cast<std::ptrdiff_t>(count);
        result.test.insert(result.test.end(), samples->begin(), middle);
        result.train.insert(result.train.end(), middle, samples->end());
    }
    std::ranges::sort(result.train);
    std::ranges::sort(result.test);
    return result;
}

}  // namespace xtape::data
