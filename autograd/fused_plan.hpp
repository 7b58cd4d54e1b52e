#pragma once

#include <span>

#include <xtape/autograd/fused_program.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/small_vector.hpp>

namespace xtape::fused {

/// How many elements an input has for those of the run.
enum class Spread : std::uint8_t {
    unread,
    one,      // for all
    whole,    // one for each
    smaller,  // it broadcasts
    row,      // those of one row, for each row
};

/// How the elements of a run follow each other: in rows of equal length, one after the other. A row may read what the
/// row before it wrote.
struct Rows {
    std::size_t count = 1;
    bool backward = false;  // the last one first
};

/// Which value is to go where.
struct Target {
    Index value;
    bool add;     // to what is there
    bool single;  // one element, for the value is the same everywhere, or a sum; else one for each of the run
};

/// A program made ready to run, on any memory and any number of elements: which kernels to call, one after the other,
/// on tiles that stay in the processor's first cache, and where in a tile to keep what until its last use.
template <class T>
class Plan {
public:
    Plan(Program<T> program, std::span<const Spread> inputs, std::span<const Target> targets);

    struct Input {
        const T* data;
        const Shape* shape;
    };
    /// Runs it over all elements of a shape. What is written for one row, to the outputs in the targets' order,
    /// overlaps nothing that is read for it. `numbers` are the program's, or the first of them if the others are those
    /// that the plan was made with.
    void run(const Shape& shape, std::span<const Input> inputs, std::span<T* const> outputs, std::span<const T> numbers,
             Rows rows = {}) const;

private:
    // Where a value lies in a run.
    enum class Source : std::uint8_t {
        nowhere,
        input,
        output,
        number,
        cell,  // one element, for a value that is the same everywhere
        slot,  // a tile's elements
    };
    enum class Moves : std::uint8_t {
        never,
        within_row,  // on to the next tile, but not to the next row
        with_run,
    };
    struct Place {
        Source source = Source::nowhere;
        Moves moves = Moves::never;
        Index index = 0;
    };
    using At = Index;  // a place, by number
    static constexpr At nowhere = 0;

    enum class Kind : std::uint8_t {
        unary,
        unary_pull,
        sine_and_cosine,
        binary,
        binary_pull,
        select,
        clip,
        clip_pull,
        copy,
        fill,    // a slot, with a value that is the same everywhere
        expand,  // an input that broadcasts, into a slot
        sum,     // adds a tile to a sum
        total,   // of the tiles
    };
    // One call of a kernel.
    struct Call {
        Kind kind = Kind::copy;
        bool add = false;
        std::uint8_t step_a = 1;
        std::uint8_t step_b = 1;
        Index index = 0;  // of an expansion or a sum
        union Kernel {
            decltype(kernels::UnaryKernels<T>::forward) unary = nullptr;
            decltype(kernels::UnaryKernels<T>::backward) unary_pull;
            decltype(kernels::BinaryKernels<T>::forward) binary;
            decltype(kernels::BinaryKernels<T>::left) binary_pull;
        } kernel{};
        At g = nowhere;  // of select the condition, of clip the upper bound
        At a = nowhere;
        At b = nowhere;
        At y = nowhere;
        At out = nowhere;  // of sine_and_cosine the sine; y is the cosine
    };
    class Compiler;
    class Run;

    PoolVector<Place> places_{Place{}};
    PoolVector<Call> before_;  // once, on single elements
    PoolVector<Call> tiled_;   // on each tile
    PoolVector<Call> after_;   // once, on single elements
    PoolVector<Index> expanded_;
    PoolVector<T> numbers_;
    Index slots_ = 0;
    Index cells_ = 0;
    Index sums_ = 0;
};

extern template class Plan<float>;
extern template class Plan<double>;

}  // namespace xtape::fused
