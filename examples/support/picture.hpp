#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// Points joined by a line.
struct Curve {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;
};

/// An image that was taken for something it is not.
struct Mistake {
    std::vector<double> pixels;  ///< row-major, 0 = paper, 1 = ink
    std::size_t truth = 0;
    std::size_t taken_for = 0;
};

/// What the picture of a training run shows.
struct Report {
    std::string title;
    std::vector<Curve> loss;
    std::vector<Curve> accuracy;  ///< shares, 1 = everything right
    std::string mistakes_title;
    std::vector<Mistake> mistakes;
    std::size_t height = 0;  ///< of each image, in pixels
    std::size_t width = 0;
};

/// Draws curves over a logarithmic y axis into `<stem>.svg` with gnuplot, and returns a sentence for the user: where
/// the picture is, or why there is none and what to do (then `<stem>.gnuplot` holds everything needed to draw it
/// later).
std::string draw_curves(const std::filesystem::path& stem, const std::string& title, const std::string& x_label,
                        const std::string& y_label, const std::vector<Curve>& curves);

/// Draws the report into `<stem>.svg`; otherwise as draw_curves.
std::string draw_report(const std::filesystem::path& stem, const Report& report);

}  // namespace support
