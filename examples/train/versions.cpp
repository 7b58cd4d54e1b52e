#include "versions.hpp"

#include <ctime>
#include <fstream>
#include <string_view>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/xtensor.hpp>

namespace train {
namespace {

#ifdef __clang__
constexpr const char* compiler = __VERSION__;
#else
constexpr const char* compiler = "g++ " __VERSION__;
#endif

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    constexpr std::string_view key = "model name";
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key) && line.find(": ") != std::string::npos) {
            return line.substr(line.find(": ") + 2);
        }
    }
    return "unknown";
}

}  // namespace

Facts versions() {
    return {{"xtape", XTAPE_TRAIN_VERSION},
            {"compiler", compiler},
            {"xtensor", fmt::format("{}.{}.{}", XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH)},
            {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
            {"JSON for Modern C++", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                                NLOHMANN_JSON_VERSION_PATCH)},
            {"kernels", xtape::kernels::instruction_set()},
            {"processor", processor()},
            {"written", fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::time(nullptr)))}};
}

}  // namespace train
