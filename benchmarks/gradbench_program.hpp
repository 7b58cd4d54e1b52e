#pragma once

#include <cstddef>

namespace xtape::bench {

/// Gradients of GradBench's evals (benchmarks/gradbench) as a program without xtape computes them. Matrices are
/// row-major; results are overwritten.
struct GradbenchProgram {
    struct Gmm {
        std::size_t n, d, k;
        double m, gamma;
        const double *alpha, *mu, *q, *l, *x;
    };
    struct Lstm {
        std::size_t layers, characters, bits;
        const double *main, *extra, *state, *sequence;
    };

    /// By alpha, mu, q and l; returns the log posterior.
    double (*gmm)(const Gmm& in, double* alpha, double* mu, double* q, double* l);
    void (*lse)(const double* x, std::size_t n, double* gradient);
    /// Newton's step (k, d): the first derivatives over the second.
    void (*kmeans)(const double* points, const double* centroids, std::size_t n, std::size_t k, std::size_t d,
                   double* direction);
    void (*llsq)(const double* x, std::size_t m, std::size_t n, double* gradient);
    /// By the main parameters, then the extra ones; returns the loss.
    double (*lstm)(const Lstm& in, double* gradient);
};

}  // namespace xtape::bench
