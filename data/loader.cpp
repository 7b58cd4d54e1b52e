#include <xtape/data/loader.hpp>

#include <numeric>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/shuffle.hpp>

namespace xtape::data::detail {

void check_options(const DataLoaderOptions& options) {
    if (options.batch_size == 0) {
        throw ValueError("DataLoader: batch_size = 0: it must be at least 1");
    }
}

void check_first_batch(std::size_t batch, std::size_t batches) {
    if (batch > batches) {
        throw ValueError(fmt::format("DataLoader::set_epoch: batches_done = {}, but an epoch has {} batches; another "
                                     "data set or batch size than before?",
                                     batch, batches));
    }
}

void draw_order(std::vector<std::size_t>& order, std::size_t size, const DataLoaderOptions& options,
                std::uint64_t epoch) {
    order.resize(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (options.shuffle) {
        random::Stream stream(options.seed, random::stream_id("shuffle"), epoch);
        shuffle(order, stream);
    }
}

}  // namespace xtape::data::detail
