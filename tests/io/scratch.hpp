#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <xtape/autograd/errors.hpp>

/// A folder for a test's files, gone at its end.
class Scratch {
public:
    Scratch() {
        std::string pattern = (std::filesystem::temp_directory_path() / "xtape-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("cannot make " + pattern);
        }
        folder_ = pattern;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::filesystem::remove_all(folder_); }

    std::string operator/(const char* name) const { return (folder_ / name).string(); }
    std::size_t file_count() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
    }

private:
    std::filesystem::path folder_;
};

inline std::string test_data(const char* name) { return std::string(XTAPE_TEST_DATA_DIR "/") + name; }

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

/// In place, where there is a file: some file systems flush one that is cut to nothing first, and take their time.
inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | (std::filesystem::exists(path) ? std::ios::in : std::ios::out));
    file << bytes;
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path);
    }
    std::filesystem::resize_file(path, bytes.size());
}

/// What an IoError of `read` says; nothing if it read.
template <class Read>
std::string io_error(Read read) {
    try {
        read();
    } catch (const xtape::IoError& error) {
        return error.what();
    }
    return {};
}

inline std::string flip_bit(std::string bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << bit % 8));
    return bytes;
}
