#include "picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include "process.hpp"

namespace support {
namespace {

// Okabe and Ito's colours, which colour-blind readers tell apart.
constexpr std::array<const char*, 4> colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7"};

// The images that were mistaken, in pixels of the picture.
constexpr std::size_t tile_columns = 10;
constexpr double tile = 64;
constexpr double tile_pitch_x = 88;
constexpr double tile_pitch_y = 102;

/// A gnuplot string: within single quotes nothing is special but the quote itself.
std::string quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) {
        result += c == '\'' ? "''" : std::string(1, c);
    }
    return result + "'";
}

struct Box {
    double left;
    double top;
    double right;
    double bottom;
};

/// A gnuplot script under way: a canvas of that many pixels, measured from the top left corner.
class Script {
public:
    Script(const std::filesystem::path& stem, double width, double height) : width_(width), height_(height) {
        text_ = fmt::format("# {0}.svg, drawn by: gnuplot {0}.gnuplot\n"
                            "set terminal svg size {1},{2} enhanced font 'Helvetica,13' background '#ffffff'\n"
                            "set encoding utf8\nset output {3}\n",
                            stem.filename().string(), width, height, quoted(stem.filename().string() + ".svg"));
    }

    template <class... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        text_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
    }

    /// Puts the next plot's axes exactly there.
    void frame(const Box& box) {
        line("set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\nset bmargin at screen {}",
             box.left / width_, box.right / width_, 1 - box.top / height_, 1 - box.bottom / height_);
    }

    void label(const std::string& text, double x, double y, const std::string& options) {
        line("set label {} at screen {},{} {}", quoted(text), x / width_, 1 - y / height_, options);
    }

    /// One plot of several curves; `scale` multiplies their values.
    void curves(const std::vector<Curve>& curves, double scale = 1) {
        std::string command = "plot";
        double last = 0;
        for (std::size_t i = 0; i < curves.size(); ++i) {
            const Curve& curve = curves[i];
            line("$curve{} << EOD", i);
            for (std::size_t j = 0; j < curve.x.size(); ++j) {
                line("{} {}", curve.x[j], scale * curve.y[j]);
            }
            line("EOD");
            if (!curve.x.empty()) {
                last = std::max(last, curve.x.back());
            }
            const char* style = curve.x.size() > 40 ? "lines" : "linespoints pt 7 ps 0.35";
            command += fmt::format("{} $curve{} with {} lw 2 lc rgb '{}' title {}", i == 0 ? "" : ",", i, style,
                                   colours[i % colours.size()], quoted(curve.name));
        }
        line("set xrange [0:{}]\n{}", last, command);
    }

    const std::string& text() const { return text_; }

private:
    double width_;
    double height_;
    std::string text_;
};

/// What both kinds of picture have in common.
void plain_axes(Script& script) {
    script.line(
        "set border 3 lc rgb '#888888'\nset tics nomirror textcolor rgb '#333333'\nset grid lc rgb '#e4e4e4' lt 1");
    script.line("set key noautotitle samplen 2 spacing 1.2 textcolor rgb '#333333'");
}

/// One plot that holds all the images, each with its label. Its axes are the picture's pixels.
void tiles(Script& script, const Report& report, const Box& box) {
    script.line("unset title\nunset xlabel\nunset border\nunset tics\nunset grid\nunset colorbox");
    script.line("set palette defined (0 '#ffffff', 1 '#1a1a1a')\nset cbrange [0:1]");
    script.line("set xrange [{}:{}]\nset yrange [{}:{}]", box.left, box.right, box.bottom, box.top);
    script.frame(box);

    const auto in_first_row = static_cast<double>(std::min(tile_columns, report.mistakes.size()));
    const double first_left = (box.left + box.right - in_first_row * tile_pitch_x + tile_pitch_x - tile) / 2;
    const double pixel = tile / static_cast<double>(std::max(report.height, report.width));
    std::string command;
    for (std::size_t i = 0; i < report.mistakes.size(); ++i) {
        const Mistake& mistake = report.mistakes[i];
        const std::size_t across = i % tile_columns;
        const std::size_t down = i / tile_columns;
        const double left = first_left + tile_pitch_x * static_cast<double>(across);
        const double top = box.top + tile_pitch_y * static_cast<double>(down);
        script.line("$image{} << EOD", i);
        for (std::size_t row = 0; row < report.height; ++row) {
            const auto first = mistake.pixels.begin() + static_cast<std::ptrdiff_t>(row * report.width);
            script.line("{:.3g}", fmt::join(first, first + static_cast<std::ptrdiff_t>(report.width), " "));
        }
        script.line("EOD");
        script.line("set object rectangle from {},{} to {},{} front fs empty border lc rgb '#bbbbbb'", left, top,
                    left + tile, top + tile);
        script.line("set label '{} → {}' at {},{} center", mistake.truth, mistake.taken_for, left + tile / 2,
                    top + tile + 15);
        // Few pixels are drawn as squares, since viewers smooth an embedded image.
        command +=
            fmt::format("{}$image{} matrix using ({}+{}*($1+0.5)):({}+{}*($2+0.5)):3 with image{}",
                        i == 0 ? "plot " : ", ", i, left, pixel, top, pixel, report.width <= 16 ? " pixels" : "");
    }
    script.line("{}", command);
}

/// Runs gnuplot in the picture's folder. Returns its exit status, 127 if there is no such program.
int run_gnuplot(const std::filesystem::path& script) {
    const std::string folder = script.has_parent_path() ? script.parent_path().string() : ".";
    return run_program({"gnuplot", script.filename().string()}, [&](posix_spawn_file_actions_t& actions) {
        posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    });
}

std::string draw(const std::filesystem::path& stem, const Script& script) {
    const std::filesystem::path picture = stem.string() + ".svg";
    const std::filesystem::path source = stem.string() + ".gnuplot";
    std::error_code ignored;
    std::filesystem::remove(picture, ignored);  // an old picture must not pass for this run's
    std::ofstream(source) << script.text();
    if (!std::filesystem::exists(source)) {
        return fmt::format("no picture: {} can't be written", source.string());
    }

    const int status = run_gnuplot(source);
    if (status == 0 && std::filesystem::exists(picture)) {
        std::filesystem::remove(source, ignored);
        return "picture: " + picture.string();
    }
    const std::string reason = status == 127 ? "gnuplot is not installed (on Debian: apt install gnuplot-nox)"
                                             : fmt::format("gnuplot failed with status {}", status);
    return fmt::format("no picture: {}\n  draw it later with: cd {} && gnuplot {}", reason,
                       stem.has_parent_path() ? stem.parent_path().string() : ".", source.filename().string());
}

/// Where an accuracy axis starts: low enough for all but the first steep epochs, which would flatten the rest.
double lowest_percent(const std::vector<Curve>& curves) {
    double lowest = 99;
    for (const Curve& curve : curves) {
        for (std::size_t i = curve.y.size() / 8; i < curve.y.size(); ++i) {
            lowest = std::min(lowest, 100 * curve.y[i]);
        }
    }
    return std::max(0.0, std::floor(lowest / 5) * 5);
}

}  // namespace

std::string draw_curves(const std::filesystem::path& stem, const std::string& title, const std::string& x_label,
                        const std::string& y_label, const std::vector<Curve>& curves) {
    Script script(stem, 720, 440);
    plain_axes(script);
    script.line("set title {} font ',16'", quoted(title));
    script.line("set xlabel {}\nset ylabel {}", quoted(x_label), quoted(y_label));
    script.line("set logscale y\nset format y '%g'\nset key bottom left Left reverse");
    script.curves(curves);
    return draw(stem, script);
}

std::string draw_report(const std::filesystem::path& stem, const Report& report) {
    constexpr double width = 960, axes_top = 84, axes_bottom = 330, tiles_top = 440;
    const std::size_t rows = (report.mistakes.size() + tile_columns - 1) / tile_columns;
    const double height = tiles_top + static_cast<double>(rows) * tile_pitch_y;

    Script script(stem, width, height);
    plain_axes(script);
    script.line("set multiplot");
    script.label(fmt::format("{{/:Bold {}}}", report.title), width / 2, 28, "center font ',18'");
    script.label(report.mistakes_title, width / 2, tiles_top - 24, "center font ',15'");

    script.line("set xlabel 'epoch' offset 0,0.7\nset title 'loss' font ',15'\nset logscale y\nset format y '%g'\nset "
                "key top right");
    script.frame({.left = 70, .top = axes_top, .right = width / 2 - 20, .bottom = axes_bottom});
    script.curves(report.loss);

    script.line("unset label\nset title 'accuracy'\nunset logscale y\nset format y '%g%%'\nset key bottom right");
    script.line("set yrange [{}:100]", lowest_percent(report.accuracy));
    script.frame({.left = width / 2 + 60, .top = axes_top, .right = width - 20, .bottom = axes_bottom});
    script.curves(report.accuracy, 100);

    if (!report.mistakes.empty()) {
        tiles(script, report, {.left = 0, .top = tiles_top, .right = width, .bottom = height});
    }
    script.line("unset multiplot");
    return draw(stem, script);
}

}  // namespace support
