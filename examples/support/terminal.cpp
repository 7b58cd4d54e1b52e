#include "terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <langinfo.h>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace support {
namespace {

bool has_colours() {
    static const bool answer = is_terminal() && std::getenv("NO_COLOR") == nullptr;
    return answer;
}

/// Whether the terminal's locale can print more than ASCII.
bool has_unicode() {
    static const bool answer = [] {
        std::setlocale(LC_CTYPE, "");
        return std::string_view(nl_langinfo(CODESET)) == "UTF-8";
    }();
    return answer;
}

std::size_t terminal_width() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string repeat(std::string_view text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) {
        result += text;
    }
    return result;
}

std::string bar(double share, std::size_t width) {
    const auto done = std::min(width, static_cast<std::size_t>(share * static_cast<double>(width)));
    const std::string_view mark = has_unicode() ? "━" : "#";
    const std::string_view rest = has_unicode() ? "─" : ".";
    return paint(repeat(mark, done), Ink::good) + paint(repeat(rest, width - done), Ink::faint);
}

}  // namespace

bool is_terminal() {
    const char* kind = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && !(kind != nullptr && std::string_view(kind) == "dumb");
}

std::string paint(std::string_view text, Ink ink) {
    if (!has_colours() || text.empty()) {
        return std::string(text);
    }
    const char* code = ink == Ink::good ? "32" : ink == Ink::bad ? "31" : ink == Ink::faint ? "2" : "1";
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string clock_time(double seconds) {
    const auto whole = static_cast<long>(std::lround(std::max(0.0, seconds)));
    if (whole < 3600) {
        return fmt::format("{}:{:02}", whole / 60, whole % 60);
    }
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string short_number(double value) {
    return std::abs(value) < 1000 ? fmt::format("{:.4f}", value) : fmt::format("{:.2e}", value);
}

Progress::Progress(std::size_t epochs, std::size_t batches, bool quiet, Figures figures, State start)
    : epochs_(epochs), batches_(batches), done_before_(done(start)), figures_(std::move(figures)), quiet_(quiet),
      live_(!quiet && is_terminal()) {}

Progress::~Progress() { finish(); }

void Progress::batch_done(const State& state) {
    if (live_ && Clock::now() - last_drawn_ > std::chrono::milliseconds(50)) {
        redraw(state);
    }
}

void Progress::epoch_done(const State& state) {
    if (live_) {
        redraw(state);
    } else if (!quiet_) {
        fmt::print("{}\n", describe(state));
        std::fflush(stdout);
    }
}

void Progress::finish() {
    if (line_open_) {
        fmt::print("\n");
    }
    line_open_ = false;
}

std::string Progress::describe(const State& state) const {
    const std::size_t all = epochs_ * batches_;
    const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
    const std::size_t digits = fmt::formatted_size("{}", epochs_);

    // Between two epochs the count is that of the epoch that ended, within one it is that of the one under way.
    const std::string text =
        fmt::format("epoch {:>{}}/{}  {}", state.epoch + (state.batch > 0), digits, epochs_, figures_());
    if (done(state) >= all) {
        return text + fmt::format("  took {}", clock_time(elapsed));
    }
    const auto done_here = static_cast<double>(done(state) - done_before_);
    const auto left = static_cast<double>(all - done(state));
    return text + fmt::format("  {} left", clock_time(elapsed * left / std::max(done_here, 1.0)));
}

void Progress::redraw(const State& state) {
    const std::string text = describe(state);
    const std::size_t width = terminal_width();
    const double share =
        static_cast<double>(done(state)) / static_cast<double>(std::max<std::size_t>(1, epochs_ * batches_));
    // One column stays free: a full line would wrap, and the next redraw would start below it.
    const std::size_t room = width > text.size() + 3 ? std::min<std::size_t>(width - text.size() - 3, 30) : 0;
    fmt::print("\r{}{}{}\x1b[K", room > 4 ? bar(share, room) : "", room > 4 ? "  " : "",
               std::string_view(text).substr(0, width - 1));
    std::fflush(stdout);
    line_open_ = true;
    last_drawn_ = Clock::now();
}

ConfusionMatrix::ConfusionMatrix(std::size_t classes) : classes_(classes), counts_(classes * classes) {}

void ConfusionMatrix::add(std::size_t truth, std::size_t taken_for) {
    if (truth >= classes_ || taken_for >= classes_) {
        throw std::out_of_range("ConfusionMatrix::add: no such class");
    }
    ++counts_[truth * classes_ + taken_for];
}

std::size_t ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), std::size_t{0}); }

std::size_t ConfusionMatrix::correct() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < classes_; ++i) {
        sum += count(i, i);
    }
    return sum;
}

double ConfusionMatrix::accuracy() const {
    return total() == 0 ? 0 : static_cast<double>(correct()) / static_cast<double>(total());
}

std::string ConfusionMatrix::to_string(const std::vector<std::string>& names) const {
    constexpr std::size_t longest_name = 24;
    std::size_t margin = 8;
    for (const std::string& name : names) {
        margin = std::max(margin, std::min(name.size(), longest_name) + 5);
    }
    const auto row_name = [&](std::size_t i) {
        const std::string number = fmt::to_string(i);
        return names.empty() || names[i] == number ? number
                                                   : fmt::format("{} {:>3}", names[i].substr(0, longest_name), number);
    };
    const std::size_t largest = *std::max_element(counts_.begin(), counts_.end());
    const std::size_t cell = std::max<std::size_t>(fmt::formatted_size("{}", largest), 2) + 2;
    const std::string nothing = has_unicode() ? "·" : ".";

    std::string text = paint(fmt::format("{:{}}{}\n{:{}}", "", margin, "taken for", "is", margin), Ink::faint);
    for (std::size_t j = 0; j < classes_; ++j) {
        text += paint(fmt::format("{:>{}}", j, cell), Ink::strong);
    }
    text += paint(fmt::format("{:>10}\n", "found"), Ink::faint);
    for (std::size_t i = 0; i < classes_; ++i) {
        std::size_t row = 0;
        text += paint(fmt::format("{:>{}}", row_name(i), margin), Ink::strong);
        for (std::size_t j = 0; j < classes_; ++j) {
            const std::size_t n = count(i, j);
            row += n;
            const Ink ink = i == j ? Ink::good : n > 0 ? Ink::bad : Ink::faint;
            text += std::string(cell - (n > 0 ? fmt::formatted_size("{}", n) : 1), ' ') +
                    paint(n > 0 ? fmt::format("{}", n) : nothing, ink);
        }
        text += row == 0
                    ? "\n"
                    : fmt::format("{:9.1f}%\n", 100.0 * static_cast<double>(count(i, i)) / static_cast<double>(row));
    }
    return text;
}

}  // namespace support
