#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <vector>

#include <xtape/autograd/random.hpp>

namespace xtape::random {

/// The streams that a function drew, in order, so that it can be run again with the same random numbers.
using Draws = std::vector<Stream>;

/// While one lives, the streams that this thread draws are noted, or those noted before are drawn again: then no
/// counter moves. They nest: what an outer one repeats, an inner one notes.
class DrawScope {
public:
    enum class Mode { note, repeat };
    DrawScope(Draws& draws, Mode mode) noexcept;
    DrawScope(const DrawScope&) = delete;
    DrawScope& operator=(const DrawScope&) = delete;
    ~DrawScope();

    /// The stream to be drawn again now, if there is one. Throws GraphError if more are drawn than were noted.
    [[nodiscard]] static std::optional<Stream> repeated();
    static void note(const Stream& stream);

private:
    Draws& draws_;
    Mode mode_;
    std::size_t next_ = 0;
    DrawScope* outer_;
};

/// For whoever draws streams, from a counter of its own: `make()`, unless a stream is to be drawn again.
template <std::invocable F>
[[nodiscard]] Stream draw(F&& make) {
    const std::optional<Stream> repeated = DrawScope::repeated();
    const Stream stream = repeated ? *repeated : make();
    DrawScope::note(stream);
    return stream;
}

}  // namespace xtape::random
