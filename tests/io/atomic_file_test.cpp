#include <csignal>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <xtape/io/atomic_file.hpp>

#include "io/scratch.hpp"

using namespace xtape;

namespace {

void write(io::AtomicFile& file, const std::string& text) { file.write(std::as_bytes(std::span(text))); }

void save(const std::string& path, const std::string& text) {
    io::AtomicFile file(path);
    write(file, text);
    file.commit();
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// No file may grow beyond `bytes` while one lives: the nearest thing to a full disk.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const rlimit limit{bytes, old_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &old_);
        std::signal(SIGXFSZ, old_handler_);
    }

private:
    rlimit old_{};
    void (*old_handler_)(int);
};

}  // namespace

TEST_CASE("a file appears at commit, and not before") {
    const Scratch scratch;
    const std::string path = scratch / "a.txt";
    save(path, "old");
    {
        io::AtomicFile file(path);
        write(file, "ne");
        write(file, "w");
        CHECK(read_bytes(path) == "old");
        file.commit();
        CHECK(read_bytes(path) == "new");
    }
    CHECK(read_bytes(path) == "new");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("without a commit nothing changes and nothing is left") {
    const Scratch scratch;
    save(scratch / "a.txt", "old");
    {
        io::AtomicFile file(scratch / "a.txt");
        write(file, "new");
    }
    CHECK(read_bytes(scratch / "a.txt") == "old");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("on a full disk the old file stays whole") {
    const Scratch scratch;
    const std::string path = scratch / "a.txt";
    save(path, "old");
    const std::string problem = io_error([&] {
        const FileSizeLimit limit(1000);
        save(path, std::string(100'000, 'x'));
    });
    CHECK(problem == "cannot save '" + path +
                         "': failed to write to a file beside it: File too large; what was there before is untouched");
    CHECK(read_bytes(path) == "old");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("a folder that is not there, and a folder in the file's place, are errors") {
    const Scratch scratch;
    CHECK(io_error([&] { save(scratch / "no/a.txt", "x"); }) ==
          "cannot save '" + (scratch / "no/a.txt") +
              "': failed to create a file beside it: No such file or directory; what was there before is untouched");
    std::filesystem::create_directory(scratch / "folder");
    CHECK(io_error([&] { save(scratch / "folder", "x"); }).find("put the finished file in its place") !=
          std::string::npos);
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("a symbolic link is followed, and permissions stay") {
    const Scratch scratch;
    save(scratch / "target.txt", "old");
    REQUIRE(::chmod((scratch / "target.txt").c_str(), 0640) == 0);
    std::filesystem::create_symlink(scratch / "target.txt", scratch / "link.txt");
    save(scratch / "link.txt", "new");
    CHECK(std::filesystem::is_symlink(scratch / "link.txt"));
    CHECK(read_bytes(scratch / "target.txt") == "new");
    CHECK(mode_of(scratch / "target.txt") == 0640);

    const mode_t mask = ::umask(022);
    save(scratch / "fresh.txt", "x");
    ::umask(mask);
    CHECK(mode_of(scratch / "fresh.txt") == 0644);
}

TEST_CASE("what a killed writer leaves behind is taken over, and the old file is whole") {
    const Scratch scratch;
    const std::string path = scratch / "a.txt";
    save(path, "old");
    const pid_t child = ::fork();
    if (child == 0) {
        io::AtomicFile file(path);
        write(file, "a longer text that was never finished");
        ::kill(::getpid(), SIGKILL);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(read_bytes(path) == "old");
    CHECK(scratch.file_count() == 2);
    save(path, "new");
    CHECK(read_bytes(path) == "new");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("writers of one path take turns") {
    const Scratch scratch;
    const std::string path = scratch / "a.txt";
    constexpr int rounds = 20;
    std::vector<std::thread> writers;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
        writers.emplace_back([&path, letter] {
            for (int round = 0; round < rounds; ++round) {
                io::AtomicFile file(path);
                for (int i = 0; i < 100; ++i) {
                    write(file, std::string(10, letter));
                }
                file.commit();
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    const std::string text = read_bytes(path);
    CHECK(text == std::string(1000, text.at(0)));
    CHECK(scratch.file_count() == 1);
}
