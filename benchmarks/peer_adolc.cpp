#include "peer_gradbench.hpp"

#include <adolc/adolc.h>

#include "scalar_gradbench.hpp"

namespace xtape::bench {
namespace {

// Records anew at each call, as xtape does: the objectives branch on values.
struct Adolc {
    using Scalar = adouble;

    static double value(const adouble& x) { return x.value(); }

    template <class F>
    static double differentiate(const F& f, const double* x, std::size_t n, double* gradient) {
        const double result = record(f, x, n);
        ::gradient(tape, static_cast<int>(n), x, gradient);
        return result;
    }

    template <class F>
    static void newton(const F& f, const double* x, std::size_t n, double* direction) {
        differentiate(f, x, n, direction);
        std::vector<double> at(x, x + n);  // the driver takes no const
        std::vector<double> ones(n, 1.0);
        std::vector<double> row_sums(n);
        hess_vec(tape, static_cast<int>(n), at.data(), ones.data(), row_sums.data());
        for (std::size_t i = 0; i < n; ++i) {
            direction[i] /= row_sums[i];
        }
    }

private:
    static constexpr short tape = 1;

    template <class F>
    static double record(const F& f, const double* x, std::size_t n) {
        // Operations, their places, constants and values that these objectives need: with less it writes to files.
        trace_on(tape, 0, 1u << 26, 1u << 27, 1u << 24, 1u << 26);
        std::vector<adouble> independent(n);
        for (std::size_t i = 0; i < n; ++i) {
            independent[i] <<= x[i];
        }
        double result = 0.0;
        f(independent.data()) >>= result;
        trace_off();
        return result;
    }
};

}  // namespace

const GradbenchProgram* adolc_gradbench() { return &ScalarGradbench<Adolc>::program; }

}  // namespace xtape::bench
