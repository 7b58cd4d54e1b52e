#pragma once

#include <string>

#include <xtape/nn/module.hpp>

namespace xtape::nn {

/// Writes a module's state dict to a file, under PyTorch's names and in its layouts: as safetensors if `path` ends in
/// ".safetensors" (PyTorch: safetensors.torch.load_file), as NumPy's archive if it ends in ".npz". The file is replaced
/// at once or not at all. Throws ValueError for another ending, IoError if it cannot be written.
template <class T>
void save(Module<T>& module, const std::string& path);

/// Reads such a file, by whomever it was written, into a module of the same form. Numbers of another type (float64 in a
/// file for a Module<float>, BF16) are converted to T; those beyond float become infinite.
/// Returns what load_state_dict does: without `strict`, the names that were missing and unexpected.
/// Throws ValueError for another ending of `path`, and one that lists every entry that does not fit; IoError for a file
/// that cannot be read. Then nothing was changed.
template <class T>
IncompatibleKeys load(Module<T>& module, const std::string& path, LoadOptions options = {});

extern template void save(Module<float>&, const std::string&);
extern template void save(Module<double>&, const std::string&);
extern template IncompatibleKeys load(Module<float>&, const std::string&, LoadOptions);
extern template IncompatibleKeys load(Module<double>&, const std::string&, LoadOptions);

}  // namespace xtape::nn
