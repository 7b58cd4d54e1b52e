#pragma once

#include <string>
#include <utility>
#include <vector>

namespace train {

/// Points joined by a line.
struct Line {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;
};

struct ChartOptions {
    std::string title;
    std::string x_label = "epoch";
    bool logarithmic = false;  ///< the y axis; what is not above 0 is left out
    bool percent = false;      ///< values are parts of 1
    double mark = 0;           ///< an x to be marked; 0: none
    std::string mark_name{};
};

/// An SVG element of lines over a common axis, with a legend if there are several. Its colours are the page's variables
/// --series-1 and so on, --ink, --faint and --rule. What is not finite is left out. Empty if no point is left.
std::string line_chart(const ChartOptions& options, const std::vector<Line>& lines);

/// An SVG element of points, truth across and prediction up, with the diagonal on which they should be.
std::string scatter_chart(const std::vector<std::pair<double, double>>& points);

}  // namespace train
