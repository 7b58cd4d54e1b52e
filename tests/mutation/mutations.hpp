#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <xtape/autograd/mutation.hpp>

/// The steps of all rules, as the tests run them; and the one that is broken now.
namespace xtape::mutation {

/// One step of one rule, and the test cases that take it.
struct Point {
    std::string name;
    int rule;
    int step;
    Part part;
    std::vector<std::size_t> cases;
};

[[nodiscard]] const std::vector<std::string>& ways(Part part);

/// Notes the steps that are taken until `stop_recording`, as those of this test case.
void record_case(std::size_t test_case);
[[nodiscard]] std::vector<Point> stop_recording();

/// From now on this step is broken in this way, counted from 1.
void break_point(const Point& point, int way);
/// False if that has made no difference so far: the sign of a gradient that is always 0.
[[nodiscard]] bool has_changed();

}  // namespace xtape::mutation
