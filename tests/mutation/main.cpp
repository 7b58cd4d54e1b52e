// Breaks every derivative rule in turn, each in every way that mutation.hpp lists, and runs the test cases that use
// what is broken until one fails. A break that none of them notices is a survivor, and there must be none.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "mutations.hpp"

namespace {

using namespace xtape;
using Clock = std::chrono::steady_clock;

struct TestCase {
    std::string name;
    double seconds = 0;
};
std::vector<TestCase> test_cases;
bool listening = true;

// Tells the mutations which test case runs.
class Listener : public doctest::IReporter {
public:
    explicit Listener(const doctest::ContextOptions&) {}
    void test_case_start(const doctest::TestCaseData& data) override {
        if (listening) {
            mutation::record_case(test_cases.size());
            test_cases.push_back({data.m_name});
            start_ = Clock::now();
        }
    }
    void test_case_end(const doctest::CurrentTestCaseStats&) override {
        if (listening) {
            test_cases.back().seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        }
    }
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

private:
    Clock::time_point start_;
};
REGISTER_LISTENER("mutations", 1, Listener);

// The kernels' own tests compare them with a rule that isn't broken; those of the engine, of custom rules and of the
// tools bring ops of their own.
constexpr const char* left_out =
    "*kernels*_test.cpp,*custom_test.cpp,*engine_test.cpp,*tape_test.cpp,*hooks_test.cpp,*failure_test.cpp,"
    "*ownership_test.cpp,*memory_test.cpp,*threads_test.cpp,*parallel_test.cpp,*sizes_test.cpp,"
    "*anomaly_test.cpp,*profile_test.cpp,*dot_test.cpp";

/// doctest's filter for one test case: its commas would part filters.
std::string filter_of(std::string name) {
    std::ranges::replace(name, ',', '?');
    return name;
}

/// Runs the test cases that the filter names; true if they passed.
bool passes(const std::string& filter, std::ostream& log) {
    doctest::Context context;
    context.setCout(&log);
    context.setOption("test-case", filter.c_str());
    context.setOption("source-file-exclude", left_out);
    context.setOption("abort-after", 1);
    return context.run() == 0;
}

struct Mutant {
    const mutation::Point* point;
    int way;
    [[nodiscard]] std::string name() const {
        return fmt::format("{}: {}", point->name, mutation::ways(point->part)[static_cast<std::size_t>(way - 1)]);
    }
};

enum class Fate { survives, noticed, changes_nothing };

/// In a child: exits with the mutant's fate.
[[noreturn]] void try_mutant(const Mutant& mutant) {
    alarm(300);  // a broken rule may never end
    listening = false;
    std::ostream nowhere(nullptr);
    mutation::break_point(*mutant.point, mutant.way);
    std::vector<std::size_t> cases = mutant.point->cases;
    std::ranges::sort(cases, {}, [](std::size_t i) { return test_cases[i].seconds; });
    for (const std::size_t i : cases) {
        if (!passes(filter_of(test_cases[i].name), nowhere)) {
            _exit(static_cast<int>(Fate::noticed));
        }
    }
    _exit(static_cast<int>(mutation::has_changed() ? Fate::survives : Fate::changes_nothing));
}

struct Outcome {
    std::size_t survivors = 0;
    std::size_t idle = 0;
};

/// Tries all mutants, `jobs` at a time.
Outcome try_all(const std::vector<Mutant>& mutants, unsigned jobs) {
    Outcome outcome;
    std::map<pid_t, Mutant> running;
    const bool shows_progress = isatty(STDERR_FILENO) != 0;
    std::size_t done = 0;
    const auto wait_for_one = [&] {
        int status = 0;
        const pid_t child = wait(&status);
        const bool survives = status == static_cast<int>(Fate::survives);
        const bool is_idle = WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(Fate::changes_nothing);
        if (survives || is_idle) {
            fmt::print("{}: {}\n", survives ? "survives" : "changes nothing", running.at(child).name());
            std::fflush(stdout);
            ++(survives ? outcome.survivors : outcome.idle);
        }
        running.erase(child);
        ++done;
        if (shows_progress) {
            fmt::print(stderr, "\r{} of {} mutants, {} survivors", done, mutants.size(), outcome.survivors);
        }
    };
    for (const Mutant& mutant : mutants) {
        if (running.size() == jobs) {
            wait_for_one();
        }
        const pid_t child = fork();
        if (child < 0) {
            throw std::runtime_error("mutation test: cannot fork");
        }
        if (child == 0) {
            try_mutant(mutant);
        }
        running.emplace(child, mutant);
    }
    while (!running.empty()) {
        wait_for_one();
    }
    if (shows_progress) {
        fmt::print(stderr, "\n");
    }
    return outcome;
}

}  // namespace

int main(int argc, char** argv) {
    std::string_view only;
    bool lists = false;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--list") {
            lists = true;
        } else if (argument == "--only" && i + 1 < argc) {
            only = argv[++i];
        } else if (argument == "--jobs" && i + 1 < argc) {
            jobs = static_cast<unsigned>(std::max(1, std::atoi(argv[++i])));
        } else {
            const bool asked = argument == "--help" || argument == "-h";
            fmt::print(asked ? stdout : stderr,
                       "usage: test_mutations [--list] [--only TEXT] [--jobs N]\n"
                       "Breaks every derivative rule in every way and reports which breaks no test notices.\n"
                       "  --list       only list the ways to break a rule, each with the number of tests that use it\n"
                       "  --only TEXT  only those whose name contains TEXT\n"
                       "  --jobs N     so many at a time (default: one a core)\n");
            return asked ? 0 : 2;
        }
    }

    fmt::print("running the tests on sound rules\n");
    std::fflush(stdout);
    std::ostringstream log;
    if (!passes("*", log)) {
        fmt::print(stderr, "{}\nthe tests fail before anything is broken\n", log.str());
        return 1;
    }
    const std::vector<mutation::Point> points = mutation::stop_recording();
    std::vector<Mutant> mutants;
    for (const mutation::Point& point : points) {
        for (std::size_t way = 1; way <= mutation::ways(point.part).size(); ++way) {
            const Mutant mutant{&point, static_cast<int>(way)};
            if (mutant.name().find(only) != std::string::npos) {
                mutants.push_back(mutant);
            }
        }
    }
    if (lists) {
        for (const Mutant& mutant : mutants) {
            fmt::print("{} ({} tests)\n", mutant.name(), mutant.point->cases.size());
        }
        return 0;
    }
    if (mutants.empty()) {
        fmt::print(stderr, "no rule was broken: nothing is named so, or nothing was recorded\n");
        return 1;
    }
    const Outcome outcome = try_all(mutants, jobs);
    fmt::print("{} mutants: {} survive, {} change nothing, since the gradient is 0\n", mutants.size(),
               outcome.survivors, outcome.idle);
    return outcome.survivors == 0 ? 0 : 1;
}
