#include <xtape/io/npz.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <zip.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/atomic_file.hpp>
#include <xtape/io/npy.hpp>

namespace xtape::io {

namespace {

constexpr std::string_view suffix = ".npy";

template <auto release>
struct Releaser {
    template <class Handle>
    void operator()(Handle* handle) const {
        release(handle);
    }
};
using Archive = std::unique_ptr<zip_t, Releaser<zip_discard>>;
using Entry = std::unique_ptr<zip_file_t, Releaser<zip_fclose>>;
using Source = std::unique_ptr<zip_source_t, Releaser<zip_source_free>>;

struct ZipError {
    zip_error_t value;
    ZipError() { zip_error_init(&value); }
    explicit ZipError(int code) { zip_error_init_with_code(&value, code); }
    ZipError(const ZipError&) = delete;
    ZipError& operator=(const ZipError&) = delete;
    ~ZipError() { zip_error_fini(&value); }
};

// --- reading ---------------------------------------------------------------------------------------------------------

Archive open_archive(const std::string& path) {
    int code = 0;
    Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
    if (!archive) {
        ZipError error(code);
        throw IoError(fmt::format("cannot read '{}' as an npz archive: {}", path, zip_error_strerror(&error.value)));
    }
    return archive;
}

/// Unpacks an entry. The buffer grows with what has been unpacked, so that a wrong length costs nothing.
std::vector<std::byte> read_entry(zip_t* archive, zip_uint64_t index, const std::string& label) {
    const auto fail = [&](const char* problem) { throw IoError(fmt::format("{}: {}", label, problem)); };
    zip_stat_t status;
    if (zip_stat_index(archive, index, 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0) {
        fail("its length is not told");
    }
    const Entry entry(zip_fopen_index(archive, index, 0));
    if (!entry) {
        fail(zip_strerror(archive));
    }
    constexpr std::size_t least = 1 << 16;
    std::vector<std::byte> contents;
    std::size_t filled = 0;
    for (;;) {
        if (filled == contents.size()) {
            // One byte more than promised, so that the last read meets the end, where libzip verifies the checksum.
            const zip_uint64_t promised = status.size - std::min<zip_uint64_t>(status.size, filled) + 1;
            contents.resize(filled + std::min<zip_uint64_t>(promised, std::max(least, filled)));
        }
        const zip_int64_t count = zip_fread(entry.get(), contents.data() + filled, contents.size() - filled);
        if (count < 0) {
            fail(zip_error_strerror(zip_file_get_error(entry.get())));
        }
        if (count == 0) {
            break;
        }
        filled += static_cast<std::size_t>(count);
        if (filled > status.size) {
            fail("it is longer than the archive says");
        }
    }
    contents.resize(filled);
    return contents;
}

// --- writing ---------------------------------------------------------------------------------------------------------

[[noreturn]] void fail_to_pack(const std::string& path, const char* problem) {
    throw IoError(fmt::format("cannot save '{}': {}; what was there before is untouched", path, problem));
}

/// What libzip would cut short without a word.
void check_name(const std::string& name) {
    constexpr std::size_t longest = 0xffff - suffix.size();
    if (name.find('\0') != std::string::npos || name.size() > longest) {
        throw ValueError(
            fmt::format("write_npz: the name of an array that starts with '{}' has {} bytes; it may have up "
                        "to {}, and no zero byte",
                        std::string(name, 0, 40).c_str(), name.size(), longest));
    }
}

void add_entry(zip_t* archive, const std::string& path, const std::string& entry_name, const std::string& header,
               const Array& array) {
    // libzip reads the fragments when it closes the archive, and only then; it does not change them.
    std::array<zip_buffer_fragment_t, 2> fragments{};
    fragments[0] = {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()};
    fragments[1] = {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(array.bytes().data())), array.bytes().size()};
    Source contents(zip_source_buffer_fragment(archive, fragments.data(), fragments.size(), 0));
    if (!contents) {
        fail_to_pack(path, zip_strerror(archive));
    }
    const zip_int64_t added = zip_file_add(archive, entry_name.c_str(), contents.get(), ZIP_FL_ENC_UTF_8);
    if (added < 0) {
        fail_to_pack(path, zip_strerror(archive));
    }
    static_cast<void>(contents.release());  // it is the archive's now
    const auto index = static_cast<zip_uint64_t>(added);
    constexpr zip_uint16_t midnight = 0;
    constexpr zip_uint16_t first_of_january_1980 = 1 << 5 | 1;  // a fixed time: the same arrays, the same bytes
    if (zip_set_file_compression(archive, index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive, index, midnight, first_of_january_1980, 0) != 0) {
        fail_to_pack(path, zip_strerror(archive));
    }
}

/// Packs the arrays in memory.
Source pack(const std::string& path, const std::map<std::string, Array>& arrays) {
    ZipError error;
    Source memory(zip_source_buffer_create(nullptr, 0, 0, &error.value));
    if (!memory) {
        fail_to_pack(path, zip_error_strerror(&error.value));
    }
    std::vector<std::string> headers;  // outlives the archive
    headers.reserve(arrays.size());
    Archive archive(zip_open_from_source(memory.get(), ZIP_TRUNCATE, &error.value));
    if (!archive) {
        fail_to_pack(path, zip_error_strerror(&error.value));
    }
    zip_source_keep(memory.get());  // the archive owns one reference, we the other
    for (const auto& [name, array] : arrays) {
        check_name(name);
        headers.push_back(npy_header(array));
        add_entry(archive.get(), path, name + std::string(suffix), headers.back(), array);
    }
    if (zip_close(archive.get()) != 0) {
        fail_to_pack(path, zip_strerror(archive.get()));
    }
    static_cast<void>(archive.release());  // closed
    return memory;
}

}  // namespace

std::map<std::string, Array> read_npz(const std::string& path) {
    const Archive archive = open_archive(path);
    std::map<std::string, Array> arrays;
    const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
    for (zip_uint64_t index = 0; index < count; ++index) {
        const char* entry_name = zip_get_name(archive.get(), index, 0);
        if (entry_name == nullptr) {
            throw IoError(fmt::format("{}: entry {}, name: {}", path, index, zip_strerror(archive.get())));
        }
        const std::string label = fmt::format("{}: entry '{}'", path, entry_name);
        std::string name = entry_name;
        if (!name.ends_with(suffix)) {
            throw IoError(fmt::format("{}: its name does not end in .npy; an npz archive holds arrays only", label));
        }
        name.resize(name.size() - suffix.size());
        arrays.emplace(std::move(name), parse_npy(read_entry(archive.get(), index, label), label));
    }
    return arrays;
}

void write_npz(const std::string& path, const std::map<std::string, Array>& arrays) {
    if (arrays.empty()) {
        // libzip writes nothing at all for an archive without entries; its end record alone is a sound one.
        constexpr std::array<std::byte, 22> end_record{std::byte{'P'}, std::byte{'K'}, std::byte{5}, std::byte{6}};
        return write_file(path, end_record);
    }
    AtomicFile file(path);
    const Source memory = pack(path, arrays);
    if (zip_source_open(memory.get()) != 0) {
        fail_to_pack(path, zip_error_strerror(zip_source_error(memory.get())));
    }
    std::vector<std::byte> block(1 << 20);
    for (;;) {
        const zip_int64_t count = zip_source_read(memory.get(), block.data(), block.size());
        if (count < 0) {
            fail_to_pack(path, zip_error_strerror(zip_source_error(memory.get())));
        }
        if (count == 0) {
            break;
        }
        file.write(std::span(block).first(static_cast<std::size_t>(count)));
    }
    file.commit();
}

}  // namespace xtape::io
