#include <xtape/optim/state.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/errors.hpp>

namespace xtape::optim {

namespace {

std::string shape_of(const std::vector<std::size_t>& shape) { return to_string(Shape(shape)); }

}  // namespace

void write(io::StateDict& state, const std::string& name, double value) { state.insert_or_assign(name, value); }

void write(io::StateDict& state, const std::string& name, bool value) {
    state.insert_or_assign(name, static_cast<std::uint8_t>(value));
}

void write(io::StateDict& state, const std::string& name, std::size_t value) {
    state.insert_or_assign(name, static_cast<std::int64_t>(value));
}

void write(io::StateDict& state, const std::string& name, const std::vector<double>& values) {
    state.insert_or_assign(name, xt::adapt(values));
}

void write(io::StateDict& state, const std::string& name, const std::vector<std::int64_t>& values) {
    state.insert_or_assign(name, xt::adapt(values));
}

const io::Array* StateReader::array(const std::string& name, const std::vector<std::size_t>& shape) {
    known_.insert(name);
    const auto found = state_.find(name);
    if (found == state_.end()) {
        problems_ += fmt::format("\n  missing: {} {}", name, shape_of(shape));
        return nullptr;
    }
    if (found->second.shape() != shape) {
        problems_ += fmt::format("\n  mis-shaped: {} is {} here and {} there", name, shape_of(shape),
                                 shape_of(found->second.shape()));
        return nullptr;
    }
    return &found->second;
}

void StateReader::read(const std::string& name, double& value) {
    if (const io::Array* found = array(name, {})) {
        value = found->cast<double>()();
    }
}

void StateReader::read(const std::string& name, bool& value) {
    double number = value ? 1 : 0;
    read(name, number);
    if (number != 0 && number != 1) {
        refuse(fmt::format("{} is {}; it must be 0 or 1", name, number));
        return;
    }
    value = number == 1;
}

void StateReader::read(const std::string& name, std::size_t& value) {
    constexpr double limit = 9007199254740992.0;  // 2^53: up to here doubles hold every integer
    auto number = static_cast<double>(value);
    read(name, number);
    if (!(number >= 0) || number > limit || number != std::floor(number)) {
        refuse(fmt::format("{} is {}; it must be a count", name, number));
        return;
    }
    value = static_cast<std::size_t>(number);
}

void StateReader::read(const std::string& name, std::vector<double>& values) {
    if (const io::Array* found = array(name, {values.size()})) {
        const xt::xarray<double> numbers = found->cast<double>();
        std::ranges::copy(numbers, values.begin());
    }
}

void StateReader::read(const std::string& name, std::array<double, 2>& values) {
    std::vector<double> numbers(values.begin(), values.end());
    read(name, numbers);
    std::ranges::copy(numbers, values.begin());
}

void StateReader::refuse(std::string_view problem) { problems_ += fmt::format("\n  not allowed: {}", problem); }

void StateReader::finish() const {
    std::string problems = problems_;
    for (const auto& [name, array] : state_) {
        if (!known_.contains(name)) {
            problems += fmt::format("\n  unexpected: {} {}", name, shape_of(array.shape()));
        }
    }
    if (!problems.empty()) {
        throw ValueError(fmt::format("load_state_dict: the entries don't fit this {}; load what the same one saved{}",
                                     owner_, problems));
    }
}

}  // namespace xtape::optim
