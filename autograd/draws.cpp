#include <xtape/autograd/draws.hpp>

#include <fmt/format.h>

namespace xtape::random {
namespace {

constinit thread_local DrawScope* innermost = nullptr;

}  // namespace

DrawScope::DrawScope(Draws& draws, Mode mode) noexcept : draws_(draws), mode_(mode), outer_(innermost) {
    innermost = this;
}

DrawScope::~DrawScope() { innermost = outer_; }

std::optional<Stream> DrawScope::repeated() {
    DrawScope* scope = innermost;
    while (scope != nullptr && scope->mode_ == Mode::note) {
        scope = scope->outer_;
    }
    if (scope == nullptr) {
        return std::nullopt;
    }
    if (scope->next_ == scope->draws_.size()) {
        throw GraphError(fmt::format(
            "checkpoint: the function draws random numbers more often when it is run again than the {} times when it "
            "was recorded; it must do the same each time",
            scope->next_));
    }
    return scope->draws_[scope->next_++];
}

// Those outside of the one that repeats have their notes already.
void DrawScope::note(const Stream& stream) {
    for (DrawScope* scope = innermost; scope != nullptr && scope->mode_ == Mode::note; scope = scope->outer_) {
        scope->draws_.push_back(stream);
    }
}

}  // namespace xtape::random
