#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace xtape::data::detail {

/// Calls `make(i)` for i = first, ..., end - 1, in this order, on a thread of its own that keeps at most `ahead` of the
/// number last waited for. So with `ahead` + 1 places to make things in, the one in use is never written to.
class Prefetcher {
public:
    /// Throws std::system_error if there can be no more threads.
    Prefetcher(std::size_t first, std::size_t end, std::size_t ahead, std::function<void(std::size_t)> make);
    Prefetcher(const Prefetcher&) = delete;
    Prefetcher& operator=(const Prefetcher&) = delete;
    /// Lets a call that is under way end, and makes no more.
    ~Prefetcher();

    /// Waits until `number` is made: first `first`, then one more each time. What was made before it may be overwritten
    /// from now on. Throws what `make` threw once everything before that has been waited for.
    void wait_for(std::size_t number);

private:
    void run(std::size_t end, std::size_t ahead) noexcept;

    const std::function<void(std::size_t)> make_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t made_;    // everything below it
    std::size_t wanted_;  // at most made_
    bool stopped_ = false;
    std::exception_ptr error_;
    std::thread thread_;  // last, since it uses all the others
};

}  // namespace xtape::data::detail
