#include <xtape/autograd/backtrace.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>

#include <fmt/format.h>

namespace xtape::backtrace {
namespace {

// The functions of a program or library by its full symbol table, which the linker writes unless told to strip: the
// dynamic one, which dladdr reads, knows nothing of a program's own functions.
class SymbolTable {
public:
    explicit SymbolTable(const std::string& path) : file_(path, std::ios::binary) {
        ElfW(Ehdr) header{};
        if (!read(0, &header, 1) || std::string_view(reinterpret_cast<char*>(header.e_ident), SELFMAG) != ELFMAG ||
            header.e_shentsize != sizeof(ElfW(Shdr))) {
            return;
        }
        std::vector<ElfW(Shdr)> sections(header.e_shnum);
        if (!read(header.e_shoff, sections.data(), sections.size())) {
            return;
        }
        for (const ElfW(Shdr) & section : sections) {
            if (section.sh_type == SHT_SYMTAB && section.sh_link < sections.size()) {
                read_names(section, sections[section.sh_link]);
            }
        }
    }

    // The mangled name of the function that an address lies in; empty if none is known.
    [[nodiscard]] std::string find(std::uintptr_t address) const {
        for (const ElfW(Sym) & symbol : symbols_) {
            if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value <= address &&
                address - symbol.st_value < symbol.st_size && symbol.st_name < names_.size()) {
                return names_.c_str() + symbol.st_name;
            }
        }
        return {};
    }

private:
    template <class U>
    bool read(std::uint64_t offset, U* to, std::size_t count) {
        file_.seekg(static_cast<std::streamoff>(offset));
        file_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count * sizeof(U)));
        return file_.good();
    }
    void read_names(const ElfW(Shdr) & symbols, const ElfW(Shdr) & names) {
        symbols_.resize(symbols.sh_size / sizeof(ElfW(Sym)));
        names_.resize(names.sh_size);
        if (!read(symbols.sh_offset, symbols_.data(), symbols_.size()) ||
            !read(names.sh_offset, names_.data(), names_.size())) {
            symbols_.clear();
        }
    }

    std::ifstream file_;
    std::vector<ElfW(Sym)> symbols_;
    std::string names_;
};

struct Place {
    std::string function;  // mangled, empty if unknown
    std::string file;      // of the program or library
    std::uintptr_t address = 0;
};

Place place_of_call(void* return_address, std::map<std::string, SymbolTable>& tables) {
    // The call lies before the address that it returns to, which may be the next function's.
    const auto call = reinterpret_cast<std::uintptr_t>(return_address) - 1;
    Dl_info info{};
    link_map* object = nullptr;
    if (dladdr1(reinterpret_cast<void*>(call), &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0) {
        return {.function = {}, .file = "?", .address = call};
    }
    Place place{.function = {}, .file = info.dli_fname, .address = call - object->l_addr};
    if (std::string_view(object->l_name).empty()) {  // the program itself, by whatever name it was started
        std::error_code unreadable;
        if (const auto path = std::filesystem::read_symlink("/proc/self/exe", unreadable); !unreadable) {
            place.file = path.string();
        }
    }
    place.function = tables.try_emplace(place.file, place.file).first->second.find(place.address);
    if (place.function.empty() && info.dli_sname != nullptr) {
        place.function = info.dli_sname;
    }
    return place;
}

std::string demangled(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? readable.get() : name;
}

bool is_xtapes(const Place& place) {
    return place.function.starts_with("_ZN5xtape") || place.function.starts_with("_ZNK5xtape");
}

}  // namespace

Frames capture() {
    std::array<void*, 64> addresses;
    const int count = ::backtrace(addresses.data(), static_cast<int>(addresses.size()));
    return Frames(addresses.begin(), addresses.begin() + std::max(count, 0));
}

std::string describe(const Frames& frames) {
    std::map<std::string, SymbolTable> tables;
    std::vector<Place> places;
    for (void* frame : frames) {
        places.push_back(place_of_call(frame, tables));
        if (places.back().function == "main") {
            break;
        }
    }
    // Innermost may be a sanitizer's own `backtrace`, then comes xtape.
    if (const auto first = std::ranges::find_if(places, is_xtapes); first != places.end()) {
        places.erase(places.begin(), std::find_if_not(first, places.end(), is_xtapes));
    }
    std::string text;
    std::string command;
    const auto quote = [](const std::string& file) { return file.find(' ') == std::string::npos ? "" : "'"; };
    for (const Place& place : places) {
        text += fmt::format("    {} [{}+{:#x}]\n", place.function.empty() ? "?" : demangled(place.function),
                            std::filesystem::path(place.file).filename().string(), place.address);
        if (place.file == places.front().file) {
            command += fmt::format(" {:#x}", place.address);
        }
    }
    if (!places.empty()) {
        const char* mark = quote(places.front().file);
        text += fmt::format("  files and lines: addr2line -Cfipe {}{}{}{}", mark, places.front().file, mark, command);
    }
    return text;
}

}  // namespace xtape::backtrace
