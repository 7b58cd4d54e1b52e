#pragma once

#include <cstddef>
#include <string_view>

namespace xtape::bench {

/// A loop over n elements; `b` only where the op has two inputs. n is a multiple of 16.
template <class T>
using Loop = void (*)(const T* a, const T* b, T* y, std::size_t n);

/// The loop of an op, or null, as the compiler makes it of the C++ library's functions, with every flag for this
/// machine (plain) and -ffast-math too (fast: then g++ calls glibc's libmvec); and of xsimd's functions.
namespace plain {
template <class T>
Loop<T> loop(std::string_view op);
}
namespace fast {
template <class T>
Loop<T> loop(std::string_view op);
}
namespace batches {
template <class T>
Loop<T> loop(std::string_view op);
}

}  // namespace xtape::bench
