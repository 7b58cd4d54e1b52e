// The state of a thread's random numbers, saved and restored.

#include <cstdint>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using State = xt::xarray<std::uint64_t>;

/// What three purposes draw next.
std::vector<float> drawn() {
    std::vector<float> numbers = elements(random::normal({3}));
    for (const auto& more : {random::uniform({2}), random::bernoulli({8})}) {
        const auto values = elements(more);
        numbers.insert(numbers.end(), values.begin(), values.end());
    }
    return numbers;
}

}  // namespace

TEST_CASE("random numbers go on from a state as they went on when it was taken, on any thread") {
    random::seed(~std::uint64_t{0});
    (void)drawn();
    (void)random::normal({1});
    const State state = random::state();
    const auto first = drawn();
    const auto second = drawn();
    CHECK(first != second);
    random::seed(5);
    (void)random::uniform({1});
    random::set_state(state);
    CHECK(drawn() == first);
    CHECK(drawn() == second);
    std::vector<float> elsewhere;
    std::thread([&] {
        random::set_state(state);
        elsewhere = drawn();
    }).join();
    CHECK(elsewhere == first);
}

TEST_CASE("a state is the seed, then each purpose and how many streams it has had, whatever the order of the draws") {
    random::seed(7);
    CHECK(random::state() == State{7});
    (void)random::normal({1});
    (void)random::uniform({1});
    (void)random::normal({1});
    const State state = random::state();
    random::seed(7);
    (void)random::uniform({1});
    (void)random::normal({1});
    (void)random::normal({1});
    CHECK(random::state() == state);
    const std::uint64_t uniform = random::stream_id("uniform");
    const std::uint64_t normal = random::stream_id("normal");
    CHECK(state == (uniform < normal ? State{7, uniform, 1, normal, 2} : State{7, normal, 2, uniform, 1}));
    random::set_state(state);
    CHECK(random::state() == state);
    random::set_state(State{8});
    CHECK(random::state() == State{8});
}

TEST_CASE("numbers that are no state are refused, and nothing changes") {
    random::seed(9);
    (void)random::normal({1});
    const State before = random::state();
    CHECK(message<ValueError>([] {
              random::set_state(State{1, 2});
          }) == "set_state: 2 numbers of 1 dimensions; what state() gives is a list of a seed and pairs");
    CHECK_THROWS_AS(random::set_state(State::from_shape({0})), ValueError);
    CHECK_THROWS_AS(random::set_state(State{{1, 2, 3}}), ValueError);
    CHECK_THROWS_AS(random::set_state(State(7)), ValueError);
    CHECK(message<ValueError>([] {
              random::set_state(State{1, 2, 1, 2, 1});
          }) == "set_state: purpose 2 comes after 2; state() gives each once, smallest first");
    CHECK_THROWS_AS(random::set_state(State{1, 3, 1, 2, 1}), ValueError);
    CHECK(random::state() == before);
}
