#include <xtape/autograd/parallel.hpp>

#include <pthread.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

// OpenBLAS has these; another BLAS keeps to threads of its own.
extern "C" int openblas_get_num_threads() __attribute__((weak));
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace xtape {
namespace {

// Without OpenBLAS, whose setting is xtape's too: 0 until it is set.
std::atomic<int> own_count{0};

// A helper stays awake, giving way to others, as long as more work is likely to come; then it sleeps.
constexpr int rounds_awake = 1000;

class Helper {
public:
    Helper() : thread_([this] { serve(); }) { thread_.detach(); }

    void begin(void (*call)(void*, std::size_t), void* context, std::size_t part, std::atomic<std::size_t>& left) {
        call_ = call;
        context_ = context;
        part_ = part;
        left_ = &left;
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_one();
    }

private:
    [[noreturn]] void serve() {
        for (unsigned served = 0;; ++served) {
            for (int i = 0; i < rounds_awake && round_.load(std::memory_order_acquire) == served; ++i) {
                std::this_thread::yield();
            }
            round_.wait(served, std::memory_order_acquire);
            call_(context_, part_);
            left_->fetch_sub(1, std::memory_order_release);
        }
    }

    alignas(64) std::atomic<unsigned> round_{0};
    void (*call_)(void*, std::size_t) = nullptr;
    void* context_ = nullptr;
    std::size_t part_ = 0;
    std::atomic<std::size_t>* left_ = nullptr;
    std::thread thread_;
};

// Never destroyed: its threads sleep when the process ends.
class Crew {
public:
    static Crew& instance() {
        static Crew* crew = [] {
            // A forked child has none of its parent's threads.
            pthread_atfork(nullptr, nullptr, [] { new (&Crew::instance()) Crew; });
            return new Crew;
        }();
        return *crew;
    }

    /// False if all is left to the caller.
    bool run(std::size_t parts, void (*call)(void*, std::size_t), void* context) noexcept {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock || !has(parts - 1)) {
            return false;
        }
        std::atomic<std::size_t> left = parts - 1;
        for (std::size_t part = 1; part < parts; ++part) {
            helpers_[part - 1]->begin(call, context, part, left);
        }
        call(context, 0);
        while (left.load(std::memory_order_acquire) != 0) {
            std::this_thread::yield();  // a helper may have been put on this very core
        }
        return true;
    }

private:
    bool has(std::size_t helpers) noexcept {
        try {
            while (helpers_.size() < helpers) {
                helpers_.push_back(std::make_unique<Helper>());
            }
            return true;
        } catch (const std::exception&) {
            return false;  // no memory, or no more threads: then this one does it all
        }
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Helper>> helpers_;
};

}  // namespace

void set_num_threads(int threads) {
    if (threads < 1) {
        throw ValueError(fmt::format("set_num_threads: {} threads; it takes at least 1", threads));
    }
    openblas_set_num_threads != nullptr ? openblas_set_num_threads(threads) : own_count.store(threads);
}

int num_threads() noexcept {
    if (openblas_get_num_threads != nullptr) {
        return openblas_get_num_threads();
    }
    const int set = own_count.load();
    return set > 0 ? set : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel::detail::run(std::size_t parts, void (*call)(void*, std::size_t), void* context) noexcept {
    if (!Crew::instance().run(parts, call, context)) {
        for (std::size_t part = 0; part < parts; ++part) {
            call(context, part);
        }
    }
}

}  // namespace xtape
