#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace xtape::io {

/// A file that comes into being whole: it is written beside its place as `<path>.partial`, flushed to the disk and then
/// renamed. After a crash, or on a full disk, what was at `path` before is still there, whole.
///
/// A symbolic link is followed, and an existing file's permissions are kept. Writers of one path, on any thread or in
/// any process, wait for one another from construction to commit; so a thread must not hold two for the same path.
class AtomicFile {
public:
    /// Throws IoError if no file can be created beside `path`.
    explicit AtomicFile(std::string path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    /// Unless committed, removes what was written.
    ~AtomicFile();

    /// Appends. Throws IoError if not all of it can be written.
    void write(std::span<const std::byte> bytes);
    /// Puts the file in its place. Throws IoError, leaving the old one. Call it once, last.
    void commit();

private:
    void open();
    [[noreturn]] void fail(const char* step) const;

    std::string path_;     // as given, for messages
    std::string target_;   // symbolic links followed
    std::string partial_;  // what is written meanwhile
    int descriptor_ = -1;
};

/// Writes a file at once or, if anything fails, not at all: see AtomicFile, which throws what this throws.
void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace xtape::io
