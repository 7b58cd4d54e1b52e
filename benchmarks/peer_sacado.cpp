#include "peer_gradbench.hpp"

// Debian configures Sacado for Kokkos and MPI, whose headers it then wants: without its configuration it stands alone.
#define TRILINOS_NO_CONFIG_H 1
#include <Sacado.hpp>

#include "scalar_gradbench.hpp"

namespace xtape::bench {
namespace {

struct Sacado {
    using Scalar = ::Sacado::Rad::ADvar<double>;
    // Derivatives along one direction, differentiated backward: a product with the Hessian.
    using Tangent = ::Sacado::Fad::SFad<double, 1>;
    using SecondOrder = ::Sacado::Rad::ADvar<Tangent>;

    static double value(const Scalar& x) { return x.val(); }
    static double value(const SecondOrder& x) { return x.val().val(); }

    template <class F>
    static double differentiate(const F& f, const double* x, std::size_t n, double* gradient) {
        std::vector<Scalar> independent(x, x + n);
        const Scalar y = f(static_cast<const Scalar*>(independent.data()));
        Scalar::Gradcomp();
        for (std::size_t i = 0; i < n; ++i) {
            gradient[i] = independent[i].adj();
        }
        return y.val();
    }

    template <class F>
    static void newton(const F& f, const double* x, std::size_t n, double* direction) {
        std::vector<SecondOrder> independent;
        for (std::size_t i = 0; i < n; ++i) {
            independent.emplace_back(Tangent(1, 0, x[i]));
        }
        const SecondOrder y = f(static_cast<const SecondOrder*>(independent.data()));
        SecondOrder::Gradcomp();
        for (std::size_t i = 0; i < n; ++i) {
            direction[i] = independent[i].adj().val() / independent[i].adj().dx(0);
        }
    }
};

}  // namespace

const GradbenchProgram* sacado_gradbench() { return &ScalarGradbench<Sacado>::program; }

}  // namespace xtape::bench
