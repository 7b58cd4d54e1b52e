#include <xtape/nn/save.hpp>

#include <string_view>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/npz.hpp>
#include <xtape/io/safetensors.hpp>

namespace xtape::nn {

namespace {

enum class Format { safetensors, npz };

Format format_of(const std::string& path, std::string_view caller) {
    if (path.ends_with(".safetensors")) {
        return Format::safetensors;
    }
    if (path.ends_with(".npz")) {
        return Format::npz;
    }
    throw ValueError(fmt::format("{}: '{}' ends neither in .safetensors nor in .npz", caller, path));
}

}  // namespace

template <class T>
void save(Module<T>& module, const std::string& path) {
    switch (format_of(path, "save")) {
    // Some of PyTorch's readers ask for this text.
    case Format::safetensors: return io::write_safetensors(path, module.state_dict(), {{"format", "pt"}});
    case Format::npz: return io::write_npz(path, module.state_dict());
    }
}

template <class T>
IncompatibleKeys load(Module<T>& module, const std::string& path, LoadOptions options) {
    const StateDict state =
        format_of(path, "load") == Format::safetensors ? io::read_safetensors(path).arrays : io::read_npz(path);
    try {
        return module.load_state_dict(state, options);
    } catch (const ValueError& error) {
        throw ValueError(fmt::format("load: '{}': {}", path, error.what()));
    }
}

#define XTAPE_INSTANTIATE(T)                            \
    template void save(Module<T>&, const std::string&); \
    template IncompatibleKeys load(Module<T>&, const std::string&, LoadOptions);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
