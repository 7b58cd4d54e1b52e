#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "html.hpp"

namespace train {
namespace {

// In pixels of the drawing, which scales with the page.
constexpr double width = 460;
constexpr double height = 280;
constexpr double left = 58;
constexpr double right = 14;
constexpr double top = 14;
constexpr double bottom = 42;
constexpr std::size_t series_colours = 8;

/// Round numbers, about `count` of them, that lie in [low, high].
std::vector<double> ticks(double low, double high, int count) {
    const double raw = (high - low) / count;
    const double power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> result;
    const double first = std::ceil(low / step - 1e-9);
    for (int i = 0; (first + i) * step <= high + 1e-9 * step; ++i) {
        result.push_back((first + i) * step + 0.0);  // + 0.0: no -0
    }
    return result;
}

/// A range of values and what becomes of them on the page.
class Axis {
public:
    Axis(double low, double high, double from, double to, bool logarithmic = false)
        : low_(low), high_(high), from_(from), to_(to), logarithmic_(logarithmic) {
        if (logarithmic_) {
            low_ = std::log10(low);
            high_ = std::log10(high);
        }
        if (!(high_ - low_ > 1e-12 * std::max(std::abs(low_), std::abs(high_)))) {  // one value only
            const double room = low_ == 0 || logarithmic_ ? 1 : 0.1 * std::abs(low_);
            low_ -= room;
            high_ += room;
        }
    }

    /// With a little room at both ends.
    Axis padded(double part) const {
        Axis axis = *this;
        const double room = part * (high_ - low_);
        axis.low_ -= room;
        axis.high_ += room;
        return axis;
    }

    bool shows(double value) const { return std::isfinite(value) && (!logarithmic_ || value > 0); }
    double at(double value) const {
        return from_ + ((logarithmic_ ? std::log10(value) : value) - low_) / (high_ - low_) * (to_ - from_);
    }
    /// Where there are lines, and numbers beside them.
    std::vector<double> marks(int count) const {
        if (!logarithmic_) {
            return ticks(low_, high_, count);
        }
        std::vector<double> result;
        const double decades = high_ - low_;
        const int stride = static_cast<int>(std::ceil(decades / 8));
        for (int exponent = static_cast<int>(std::floor(low_)); exponent <= high_; exponent += stride) {
            for (const double factor : {1.0, 2.0, 5.0}) {
                const double value = factor * std::pow(10, exponent);
                const bool wanted = factor == 1.0 || decades < 2.5;
                if (wanted && std::log10(value) >= low_ - 1e-9 && std::log10(value) <= high_ + 1e-9) {
                    result.push_back(value);
                }
            }
        }
        return result.size() >= 2 ? result : linear_marks(count);
    }

private:
    /// Of less than a decade.
    std::vector<double> linear_marks(int count) const { return ticks(std::pow(10, low_), std::pow(10, high_), count); }

    double low_;
    double high_;
    double from_;
    double to_;
    bool logarithmic_;
};

std::string number_text(double value, bool percent) {
    return percent ? fmt::format("{:.6g}%", 100 * value) : fmt::format("{:.6g}", value);
}

struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    void add(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    bool empty() const { return low > high; }
};

std::string start(const std::string& label) {
    return fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", width, height,
                       escaped(label));
}

/// Lines across and numbers beside both axes.
std::string frame(const Axis& x, const Axis& y, const std::string& x_label, const std::string& y_label, bool percent) {
    std::string svg;
    for (const double mark : y.marks(7)) {
        svg += fmt::format("<line class=\"rule\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
                           "<text class=\"tick\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
                           left, width - right, y.at(mark), left - 7, y.at(mark) + 4, number_text(mark, percent));
    }
    for (const double mark : x.marks(9)) {
        svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x.at(mark),
                           height - bottom + 17, number_text(mark, false));
    }
    svg += fmt::format("<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       (left + width - right) / 2, height - 6, escaped(x_label));
    if (!y_label.empty()) {
        svg += fmt::format("<text class=\"label\" transform=\"translate(13 {}) rotate(-90)\" "
                           "text-anchor=\"middle\">{}</text>\n",
                           (top + height - bottom) / 2, escaped(y_label));
    }
    return svg;
}

std::string legend(const std::vector<Line>& lines) {
    std::string html = "<p class=\"legend\">";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        html += fmt::format("<span><i class=\"s{}\"></i>{}</span> ", i % series_colours + 1, escaped(lines[i].name));
    }
    return html + "</p>\n";
}

}  // namespace

std::string line_chart(const ChartOptions& options, const std::vector<Line>& lines) {
    Range across;
    Range up;
    for (const Line& line : lines) {
        for (std::size_t i = 0; i < line.x.size(); ++i) {
            if (std::isfinite(line.y[i]) && (!options.logarithmic || line.y[i] > 0)) {
                across.add(line.x[i]);
                up.add(line.y[i]);
            }
        }
    }
    if (up.empty()) {
        return {};
    }
    const Axis x(across.low, across.high, left, width - right);
    const Axis y = Axis(up.low, up.high, height - bottom, top, options.logarithmic).padded(0.04);

    std::string svg = start(options.title) + frame(x, y, options.x_label, "", options.percent);
    if (options.mark > 0) {
        svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\">"
                           "<title>{3}</title></line>\n",
                           x.at(options.mark), top, height - bottom, escaped(options.mark_name));
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const Line& line = lines[i];
        const std::size_t colour = i % series_colours + 1;
        std::string path;
        std::string dots;
        bool pen_down = false;
        for (std::size_t j = 0; j < line.x.size(); ++j) {
            if (!y.shows(line.y[j])) {
                pen_down = false;
                continue;
            }
            path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x.at(line.x[j]), y.at(line.y[j]));
            pen_down = true;
            if (line.x.size() <= 60) {
                dots += fmt::format("<circle class=\"f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\"><title>{}, {} {}: "
                                    "{}</title></circle>",
                                    colour, x.at(line.x[j]), y.at(line.y[j]), escaped(line.name),
                                    escaped(options.x_label), line.x[j], number_text(line.y[j], options.percent));
            }
        }
        svg += fmt::format("<path class=\"line l{}\" d=\"{}\"/>\n{}\n", colour, path, dots);
    }
    return fmt::format("<figure><figcaption>{}</figcaption>\n{}{}</svg></figure>\n", escaped(options.title),
                       lines.size() > 1 ? legend(lines) : "", svg);
}

std::string scatter_chart(const std::vector<std::pair<double, double>>& points) {
    constexpr std::size_t most = 2000;
    const std::size_t stride = (points.size() + most - 1) / most;
    Range both;
    for (const auto& [truth, prediction] : points) {
        if (std::isfinite(prediction)) {
            both.add(truth);
            both.add(prediction);
        }
    }
    if (both.empty()) {
        return {};
    }
    const Axis x = Axis(both.low, both.high, left, width - right).padded(0.03);
    const Axis y = Axis(both.low, both.high, height - bottom, top).padded(0.03);
    std::string svg = start("prediction against truth") + frame(x, y, "truth", "prediction", false);
    svg += fmt::format("<line class=\"mark\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", x.at(both.low),
                       y.at(both.low), x.at(both.high), y.at(both.high));
    for (std::size_t i = 0; i < points.size(); i += stride) {
        const auto& [truth, prediction] = points[i];
        if (std::isfinite(prediction)) {
            svg += fmt::format("<circle class=\"f1 dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\"/>\n", x.at(truth),
                               y.at(prediction));
        }
    }
    return fmt::format("<figure><figcaption>Prediction against truth{}</figcaption>\n{}</svg></figure>\n",
                       stride > 1 ? fmt::format(", every {}th of {} samples", stride, points.size()) : "", svg);
}

}  // namespace train
