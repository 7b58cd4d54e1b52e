#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What the example programs share and no library needs: terminal output, pictures, data, and the training program
/// itself.
namespace support {

/// Whether standard output is a terminal that can redraw a line.
bool is_terminal();

enum class Ink { good, bad, faint, strong };

/// The text in that ink; unchanged where standard output is no terminal, TERM is "dumb" or NO_COLOR is set.
std::string paint(std::string_view text, Ink ink);

/// How training goes. A terminal shows one line that is redrawn in place; a file or a pipe gets a line an epoch.
class Progress {
public:
    struct State {
        std::size_t epoch = 0;  ///< epochs that ended
        std::size_t batch = 0;  ///< batches done in the epoch that is under way
    };
    /// Tells what is known of the epoch so far, as "loss 0.1234  accuracy  97.0%"; called only when a line is written.
    using Figures = std::function<std::string()>;

    /// `start` is where a run goes on that an earlier one began: the time that is left is estimated from what comes
    /// after it.
    Progress(std::size_t epochs, std::size_t batches, bool quiet, Figures figures, State start);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();  // leaves the cursor on a fresh line, also when an exception passes

    /// Call after each batch; cheap, since a terminal is redrawn at most twenty times a second.
    void batch_done(const State& state);

    /// Call after each epoch.
    void epoch_done(const State& state);

    /// Ends the line. Calling it twice is harmless.
    void finish();

private:
    using Clock = std::chrono::steady_clock;

    std::size_t done(const State& state) const { return state.epoch * batches_ + state.batch; }
    void redraw(const State& state);
    std::string describe(const State& state) const;

    std::size_t epochs_;
    std::size_t batches_;
    std::size_t done_before_;
    Figures figures_;
    bool quiet_;
    bool live_;
    bool line_open_ = false;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_drawn_{};
};

/// "0.1234"; a large one as "1.23e+04".
std::string short_number(double value);

/// Seconds as people write them: "0:07", "12:30", "1:02:03".
std::string clock_time(double seconds);

/// How often images of one class (a row) were taken for each class (a column).
class ConfusionMatrix {
public:
    explicit ConfusionMatrix(std::size_t classes);

    void add(std::size_t truth, std::size_t taken_for);

    std::size_t total() const;
    std::size_t correct() const;
    double accuracy() const;  ///< correct over total; 0 for an empty matrix
    std::size_t classes() const { return classes_; }
    std::size_t count(std::size_t truth, std::size_t taken_for) const { return counts_[truth * classes_ + taken_for]; }

    /// The table as text, with the share of each class that was found in a last column. Classes are called by their
    /// numbers, and their rows by `names` if there are any.
    std::string to_string(const std::vector<std::string>& names = {}) const;

private:
    std::size_t classes_;
    std::vector<std::size_t> counts_;
};

}  // namespace support
