#include <xtape/data/prefetcher.hpp>

#include <utility>

namespace xtape::data::detail {

Prefetcher::Prefetcher(std::size_t first, std::size_t end, std::size_t ahead, std::function<void(std::size_t)> make)
    : make_(std::move(make)), made_(first), wanted_(first), thread_([this, end, ahead] { run(end, ahead); }) {}

Prefetcher::~Prefetcher() {
    {
        const std::scoped_lock lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Prefetcher::wait_for(std::size_t number) {
    std::unique_lock lock(mutex_);
    wanted_ = number;
    changed_.notify_one();
    changed_.wait(lock, [&] { return made_ > number || error_; });
    if (made_ <= number) {
        std::rethrow_exception(error_);
    }
}

void Prefetcher::run(std::size_t end, std::size_t ahead) noexcept {
    std::unique_lock lock(mutex_);
    while (made_ < end) {
        changed_.wait(lock, [&] { return stopped_ || made_ - wanted_ <= ahead; });
        if (stopped_) {
            return;
        }
        const std::size_t number = made_;
        lock.unlock();
        std::exception_ptr error;
        try {
            make_(number);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error) {
            error_ = std::move(error);
            changed_.notify_one();
            return;
        }
        ++made_;
        changed_.notify_one();
    }
}

}  // namespace xtape::data::detail
