#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>
#include <xtape/data/dataset.hpp>
#include <xtape/data/prefetcher.hpp>

namespace xtape::data {

/// How a DataLoader makes batches.
struct DataLoaderOptions {
    std::size_t batch_size = 128;
    bool shuffle = true;     ///< partition the samples in a new random order each epoch; else in their own order
    std::uint64_t seed = 0;  ///< the order of epoch k depends on the seed and k alone
    bool drop_last = false;  ///< leave out the last batch if it is smaller than the others
    /// How many batches a thread of its own keeps ready beyond the one in use; 0: each is made when the loop gets to
    /// it. The batches are the same.
    std::size_t prefetch = 0;
};

/// Some samples and their labels.
template <class T, class Label>
struct Batch {
    Tensor<T> x;          ///< batch x a sample's shape
    xt::xarray<Label> y;  ///< batch x a label's shape
};

namespace detail {

/// Throws ValueError for options that make no batches.
void check_options(const DataLoaderOptions& options);
/// Throws ValueError unless an epoch of `batches` can begin at `batch`.
void check_first_batch(std::size_t batch, std::size_t batches);
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

/// The batches of one epoch after the other, in places that are used again and again.
template <class T, class Label>
class BatchSource {
public:
    BatchSource(Dataset<T, Label> samples, const DataLoaderOptions& how)
        : dataset(std::move(samples)), options(how),
          label_shape_(dataset.labels().shape().begin(), dataset.labels().shape().end()) {
        check_options(options);
        places_.resize(ahead() + 1);
    }

    const Dataset<T, Label> dataset;
    const DataLoaderOptions options;

    std::size_t size() const {
        const std::size_t whole = dataset.size() / options.batch_size;
        return whole + (!options.drop_last && dataset.size() % options.batch_size != 0 ? 1 : 0);
    }

    /// Ends the epoch before, wherever it is, and moves to a batch of another.
    void start(std::uint64_t epoch, std::size_t batch) {
        prefetcher_.reset();  // which reads the order, and writes to the places
        for (auto& place : places_) {
            place.x = Tensor<T>();
        }
        last_.x = Tensor<T>();
        draw_order(order_, dataset.size(), options, epoch);
        if (options.prefetch != 0 && batch < size()) {
            prefetcher_.emplace(batch, size(), ahead(), [this](std::size_t number) { make(number); });
        }
        wait_for(batch);
    }

    void advance_from(std::size_t batch) {
        at(batch).x = Tensor<T>();  // gives the memory back before more is taken
        wait_for(batch + 1);
    }

    // An epoch's last batch may be smaller. It has a place of its own, since an xtensor array that changes its size
    // gives up its memory.
    Batch<T, Label>& at(std::size_t batch) {
        const bool whole = batch < dataset.size() / options.batch_size;
        return whole ? places_[batch % places_.size()] : last_;
    }

private:
    std::size_t ahead() const { return std::min(options.prefetch, size()); }

    void wait_for(std::size_t batch) {
        if (batch >= size()) {
            return;
        }
        prefetcher_ ? prefetcher_->wait_for(batch) : make(batch);
    }

    void make(std::size_t batch) {
        const std::size_t first = batch * options.batch_size;
        const std::size_t count = std::min(options.batch_size, dataset.size() - first);
        const auto indices = std::span<const std::size_t>(order_).subspan(first, count);
        Batch<T, Label>& place = at(batch);
        place.x = make_batch(dataset.inputs(), indices);

        const auto& labels = dataset.labels();
        label_shape_[0] = count;
        const std::size_t label_size = labels.size() / dataset.size();
        // The loop's body may have done anything with the last y here.
        if (!std::ranges::equal(place.y.shape(), label_shape_) || place.y.storage().size() != count * label_size) {
            place.y = xt::xarray<Label>::from_shape(label_shape_);
        }
        gather_rows(labels.data(), indices, label_size, place.y.data());
    }

    std::vector<std::size_t> order_;
    std::vector<std::size_t> label_shape_;  // of a batch
    std::vector<Batch<T, Label>> places_;
    Batch<T, Label> last_;
    std::optional<Prefetcher> prefetcher_;  // last, since its thread uses all the others
};

}  // namespace detail

/// Goes through a data set in batches, an epoch at a time:
///
///     data::DataLoader loader(dataset, {.batch_size = 128, .seed = 1});
///     for (auto& [x, y] : loader) { ... }    // x is a Tensor<T>, y an xt::xarray<Label>
///
/// Each loop is a new epoch, in which each sample comes once. A batch belongs to the loader until the loop moves on:
/// then `y` is overwritten and `x` replaced (what was copied from them stays). One loop at a time; a new one takes
/// over.
///
/// In steady state a loader calls no allocator: tensors come from the pool, everything else is reused. With `prefetch`
/// this holds within a loop, while its start takes what a new thread takes; the thread ends with the epoch's last
/// batch, or when the next loop starts, or with the loader.
///
/// A run that stopped in the middle of epoch e, after b of its batches, goes on with the same batches after
/// `loader.set_epoch(e, b)`.
template <class T, class Label>
class DataLoader {
    using Source = detail::BatchSource<T, Label>;

public:
    using Batch = data::Batch<T, Label>;

    class Iterator {
    public:
        using value_type = Batch;
        using difference_type = std::ptrdiff_t;

        Batch& operator*() const { return source_->at(batch_); }
        /// Throws std::bad_alloc if there is no memory for the next batch.
        Iterator& operator++() {
            source_->advance_from(batch_);
            ++batch_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return iterator.batch_ >= iterator.source_->size();
        }

    private:
        friend DataLoader;
        Iterator(Source& source, std::size_t batch) : source_(&source), batch_(batch) {}

        Source* source_;
        std::size_t batch_;
    };

    /// Shares the data set. Throws ValueError if the batch size is 0.
    explicit DataLoader(Dataset<T, Label> dataset, const DataLoaderOptions& options = {})
        : source_(std::make_unique<Source>(std::move(dataset), options)) {}
    /// A copy starts with the epoch that `other` would start next; a loop under way stays with `other`.
    DataLoader(const DataLoader& other)
        : source_(std::make_unique<Source>(other.dataset(), other.options())), epoch_(other.epoch_),
          first_batch_(other.first_batch_) {}
    DataLoader(DataLoader&& other) noexcept = default;
    DataLoader& operator=(DataLoader other) noexcept {
        source_.swap(other.source_);
        epoch_ = other.epoch_;
        first_batch_ = other.first_batch_;
        return *this;
    }
    ~DataLoader() = default;

    /// Starts epoch `epoch()`, and counts it. Throws std::bad_alloc, or std::system_error if there can be no thread to
    /// prefetch.
    Iterator begin() {
        const std::size_t batch = first_batch_;
        source_->start(epoch_, batch);
        ++epoch_;
        first_batch_ = 0;
        return Iterator(*source_, batch);
    }
    std::default_sentinel_t end() const { return {}; }

    /// The number of batches in an epoch.
    std::size_t size() const { return source_->size(); }
    /// The number of the epoch that the next loop goes through: at first 0, and one more with each loop that was begun.
    std::uint64_t epoch() const { return epoch_; }
    /// Makes `epoch` the next loop's, without its first `batches_done` batches, to go on where an earlier run stopped.
    /// With all of them done that loop has no batches. Later loops are whole.
    /// Throws ValueError if an epoch has fewer batches.
    void set_epoch(std::uint64_t epoch, std::size_t batches_done = 0) {
        detail::check_first_batch(batches_done, size());
        epoch_ = epoch;
        first_batch_ = batches_done;
    }
    const Dataset<T, Label>& dataset() const { return source_->dataset; }
    const DataLoaderOptions& options() const { return source_->options; }

private:
    std::unique_ptr<Source> source_;  // stays where it is: a thread may be at work in it
    std::uint64_t epoch_ = 0;
    std::size_t first_batch_ = 0;
};

}  // namespace xtape::data
