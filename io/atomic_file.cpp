#include <xtape/io/atomic_file.hpp>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

namespace xtape::io {

namespace {

std::string follow_links(const std::string& path) {
    std::error_code error;
    const auto followed = std::filesystem::weakly_canonical(path, error);
    return error ? path : followed.string();
}

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), target_(follow_links(path_)), partial_(target_ + ".partial") {
    open();
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) {
        ::unlink(partial_.c_str());  // before close: the lock still keeps others off the name
        ::close(descriptor_);
    }
}

void AtomicFile::open() {
    // A crash leaves the partial file behind, and the next writer takes it over; the lock tells that from a writer that
    // is still at work. Whoever waited for the lock may hold a file that has been renamed or removed by then, and looks
    // again.
    for (;;) {
        descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (descriptor_ < 0) {
            fail("create a file beside it");
        }
        while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
        }  // a file system without locks gives other errors: it has to do without
        struct stat opened {};
        struct stat named {};
        if (::fstat(descriptor_, &opened) == 0 && ::stat(partial_.c_str(), &named) == 0 &&
            opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) {
            break;
        }
        ::close(std::exchange(descriptor_, -1));
    }
    struct stat old {};
    const bool exists = ::stat(target_.c_str(), &old) == 0;
    if (::ftruncate(descriptor_, 0) != 0 || (exists && ::fchmod(descriptor_, old.st_mode & 07777) != 0)) {
        const int error = errno;
        ::unlink(partial_.c_str());
        ::close(std::exchange(descriptor_, -1));
        errno = error;
        fail("create a file beside it");
    }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) {
            fail("write to a file beside it");
        }
        bytes = bytes.subspan(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
}

void AtomicFile::commit() {
    int flushed = 0;
    do {
        flushed = ::fsync(descriptor_);
    } while (flushed != 0 && errno == EINTR);
    if (flushed != 0) {
        fail("flush it to the disk");
    }
    if (::rename(partial_.c_str(), target_.c_str()) != 0) {
        fail("put the finished file in its place");
    }
    ::close(std::exchange(descriptor_, -1));
    // The new name, too, should outlive a power cut. Some file systems cannot flush a directory; the file itself is
    // safe.
    const auto parent = std::filesystem::path(target_).parent_path();
    const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        ::fsync(directory);
        ::close(directory);
    }
}

void AtomicFile::fail(const char* step) const {
    throw IoError(fmt::format("cannot save '{}': failed to {}: {}; what was there before is untouched", path_, step,
                              std::generic_category().message(errno)));
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
}

}  // namespace xtape::io
