#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/data/dataset.hpp>

namespace xtape::data {

/// How a DataLoader makes batches.
struct DataLoaderOptions {
    std::size_t batch_size = 128;
    bool shuffle = true;     ///< partition the samples in a new random order each epoch; else in their own order
    std::uint64_t seed = 0;  ///< the order of epoch k depends on the seed and k alone
    bool drop_last = false;  ///< leave out the last batch if it is smaller than the others
};

namespace detail {
/// Throws ValueError for options that make no batches.
void check_options(const DataLoaderOptions& options);
/// The order in which an epoch visits `size` samples.
void draw_order(std::vector<std::size_t>& order, std::size_t size, const DataLoaderOptions& options,
                std::uint64_t epoch);

/// A constant tensor of the rows of `inputs` at `indices`.
template <class T>
Tensor<T> make_batch(const xt::xarray<T>& inputs, std::span<const std::size_t> indices) {
    Shape shape(inputs.shape());
    const std::size_t row_size = inputs.size() / shape[0];
    shape[0] = indices.size();
    auto batch = Tensor<T>::uninitialized(shape);
    gather_rows(inputs.data(), indices, row_size, batch.fresh_data());
    return batch;
}
}  // namespace detail

/// Goes through a data set in batches, an epoch at a time:
///
///     data::DataLoader loader(dataset, {.batch_size = 128, .seed = 1});
///     for (auto& [x, y] : loader) { ... }    // x is a Tensor<T>, y an xt::xarray<Label>
///
/// Each loop is a new epoch, in which each sample comes once. A batch belongs to the loader until the loop moves on:
/// then `y` is overwritten and `x` replaced (what was copied from them stays). One loop at a time; a new one takes
/// over. In steady state a loader calls no allocator: tensors come from the pool, everything else is reused.
template <class T, class Label>
class DataLoader {
public:
    struct Batch {
        Tensor<T> x;          ///< batch x a sample's shape
        xt::xarray<Label> y;  ///< batch x a label's shape
    };

    class Iterator {
    public:
        using value_type = Batch;
        using difference_type = std::ptrdiff_t;

        Iterator(DataLoader& loader, std::size_t batch) : loader_(&loader), batch_(batch) {}
        Batch& operator*() const { return loader_->batch_at(batch_); }
        Iterator& operator++() {
            loader_->load(++batch_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return iterator.batch_ >= iterator.loader_->size();
        }

    private:
        DataLoader* loader_;
        std::size_t batch_;
    };

    /// Shares the data set. Throws ValueError if the batch size is 0.
    explicit DataLoader(Dataset<T, Label> dataset, const DataLoaderOptions& options = {})
        : dataset_(std::move(dataset)), options_(options),
          label_shape_(dataset_.labels().shape().begin(), dataset_.labels().shape().end()) {
        detail::check_options(options_);
    }

    /// Starts epoch `epoch()`, and counts it.
    Iterator begin() {
        detail::draw_order(order_, dataset_.size(), options_, epoch_++);
        load(0);
        return {*this, 0};
    }
    std::default_sentinel_t end() const { return {}; }

    /// The number of batches in an epoch.
    std::size_t size() const {
        const std::size_t whole = dataset_.size() / options_.batch_size;
        return whole + (!options_.drop_last && dataset_.size() % options_.batch_size != 0 ? 1 : 0);
    }
    /// The number of the epoch that the next loop goes through: at first 0, and one more with each loop that was begun.
    std::uint64_t epoch() const { return epoch_; }
    /// Makes `epoch` the next loop's, to go on where an earlier run stopped.
    void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }
    const Dataset<T, Label>& dataset() const { return dataset_; }
    const DataLoaderOptions& options() const { return options_; }

private:
    // An epoch's last batch may be smaller. It has a place of its own, since an xtensor array that changes its size
    // gives up its memory.
    Batch& batch_at(std::size_t batch) { return (batch + 1) * options_.batch_size <= dataset_.size() ? full_ : last_; }

    void load(std::size_t batch) {
        full_.x = last_.x = Tensor<T>();  // gives the memory back before more is taken
        if (batch >= size()) {
            return;
        }
        const std::size_t first = batch * options_.batch_size;
        const std::size_t count = std::min(options_.batch_size, dataset_.size() - first);
        const auto indices = std::span<const std::size_t>(order_).subspan(first, count);
        Batch& target = batch_at(batch);
        target.x = detail::make_batch(dataset_.inputs(), indices);

        const auto& labels = dataset_.labels();
        label_shape_[0] = count;
        const std::size_t label_size = labels.size() / dataset_.size();
        // The loop's body may have done anything with the last y.
        if (!std::ranges::equal(target.y.shape(), label_shape_) || target.y.storage().size() != count * label_size) {
            target.y = xt::xarray<Label>::from_shape(label_shape_);
        }
        detail::gather_rows(labels.data(), indices, label_size, target.y.data());
    }

    Dataset<T, Label> dataset_;
    DataLoaderOptions options_;
    std::uint64_t epoch_ = 0;
    std::vector<std::size_t> order_;
    std::vector<std::size_t> label_shape_;  // of a batch
    Batch full_;
    Batch last_;
};

}  // namespace xtape::data
