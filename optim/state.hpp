#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <xtape/io/array.hpp>

namespace xtape::optim {

/// How options and counters are kept in a state dict: numbers as float64, counts as int64, flags as uint8.
void write(io::StateDict& state, const std::string& name, double value);
void write(io::StateDict& state, const std::string& name, bool value);
void write(io::StateDict& state, const std::string& name, std::size_t value);
void write(io::StateDict& state, const std::string& name, const std::vector<double>& values);
void write(io::StateDict& state, const std::string& name, const std::vector<std::int64_t>& values);
inline void write(io::StateDict& state, const std::string& name, const std::array<double, 2>& values) {
    write(state, name, std::vector<double>(values.begin(), values.end()));
}
/// No entry where there is no value.
template <class V>
void write(io::StateDict& state, const std::string& name, const std::optional<V>& value) {
    if (value) {
        write(state, name, *value);
    }
}

/// Reads a state dict and gathers what is wrong with it, so that one error can tell everything and comes before
/// anything is changed. What is wrong is not read: the value stays as it was.
class StateReader {
public:
    /// `owner` is how the error calls what is loaded into. The dict must outlive the reader.
    StateReader(const io::StateDict& state, std::string_view owner) : state_(state), owner_(owner) {}

    [[nodiscard]] bool has(const std::string& name) const { return state_.contains(name); }
    /// The entry; null if it is missing or of another shape.
    [[nodiscard]] const io::Array* array(const std::string& name, const std::vector<std::size_t>& shape);

    void read(const std::string& name, double& value);
    void read(const std::string& name, bool& value);
    void read(const std::string& name, std::size_t& value);
    /// As many as there are.
    void read(const std::string& name, std::vector<double>& values);
    void read(const std::string& name, std::array<double, 2>& values);
    /// The entry may be missing.
    template <class V>
    void read(const std::string& name, std::optional<V>& value) {
        V there{};
        value.reset();
        if (has(name)) {
            read(name, there);
            value = there;
        }
    }

    /// Notes that the value of an entry is not allowed.
    void refuse(std::string_view problem);
    /// Throws ValueError if anything was wrong, or if there is an entry that nobody asked for.
    void finish() const;

private:
    const io::StateDict& state_;
    std::string owner_;
    std::set<std::string, std::less<>> known_;
    std::string problems_;
};

}  // namespace xtape::optim
