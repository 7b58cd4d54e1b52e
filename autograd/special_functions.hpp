#pragma once

/// What the C library lacks, or has with global state. Scalar.
namespace xtape::special {

/// The normal distribution's Φ(x), exact in its left tail.
[[nodiscard]] double normal_cdf(double x);
/// x Φ(x), to the last digits also where Φ(x) is below the normal numbers; 0 at -inf.
[[nodiscard]] double times_normal_cdf(double x);

/// log |Γ(x)|, within 3 ulp; +inf at 0 and the negative integers.
[[nodiscard]] double lgamma(double x);

/// ψ(x), the derivative of lgamma. -inf at +0 and +inf at -0, NaN at the negative integers. Within 2 ulp, also
/// where it is close to 0: by its reflection (Abramowitz and Stegun 6.3.7) in more digits there.
[[nodiscard]] double digamma(double x);

/// ψ's derivative of order n for the whole numbers n from 0 to 1e6, else NaN. At 0 and the negative integers +inf for
/// odd n and NaN for even n. Within 2 ulp for orders up to 20, also where it is close to 0.
[[nodiscard]] double polygamma(double order, double x);

}  // namespace xtape::special
