// Kernels that compute two functions of the same elements: bit for bit what the kernels of each compute.

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/random.hpp>

using namespace xtape;

TEST_CASE_TEMPLATE("sine_and_cosine is the sine and the cosine", T, float, double) {
    random::Stream stream(3, random::stream_id("kernels_pairs_test"));
    for (const std::size_t n : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 1000}) {
        for (const double scale : {1.0, 1e2, 1e6, 1e30}) {
            std::vector<T> x(n);
            for (T& element : x) {
                element = static_cast<T>(stream.uniform<double>(-scale, scale));
            }
            if (n > 3) {
                x[1] = std::numeric_limits<T>::infinity();
                x[2] = std::numeric_limits<T>::quiet_NaN();
                x[3] = T(-0.0);
            }
            std::vector<T> sine(n);
            std::vector<T> cosine(n);
            kernels::unary<Sin, T>().forward(x.data(), sine.data(), n);
            kernels::unary<Cos, T>().forward(x.data(), cosine.data(), n);
            // In place of the operand, with a guard behind: nothing else is written.
            std::vector<T> in_place = x;
            in_place.push_back(T(42));
            std::vector<T> other(n + 1, T(42));
            kernels::active<T>().elementwise.sine_and_cosine(in_place.data(), in_place.data(), other.data(), n);
            CHECK(in_place[n] == T(42));
            CHECK(other[n] == T(42));
            const auto same = [](T a, T b) { return a == b || (std::isnan(a) && std::isnan(b)); };
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(same(in_place[i], sine[i]));
                CHECK(same(other[i], cosine[i]));
            }
        }
    }
}
