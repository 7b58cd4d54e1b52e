#pragma once

// Lanes whose operations are steps of the rule that they are in, which the mutation test can break. Included by
// elementwise.hpp, after what it defines.

#include <xtape/autograd/mutation.hpp>

namespace xtape::XTAPE_ARCH {

template <class T>
struct BreakableLane {
    using V = BreakableLane;
    using Part = mutation::Part;

    Lane<T> lane;

    explicit BreakableLane(Lane<T> value) : lane(value) {}
    explicit BreakableLane(double value) : lane(T(value)) {}
    operator Lane<T>() const { return lane; }

    friend V operator+(V a, V b) { return sum(a, b, 1); }
    friend V operator-(V a, V b) { return sum(a, b, -1); }
    friend V operator*(V a, V b) { return product(V(a.lane * b.lane)); }
    friend V operator/(V a, V b) { return product(V(a.lane / b.lane)); }
    friend V operator-(V a) { return mutation::way_to_break(Part::negation) == 0 ? V(-a.lane) : a; }
    friend V operator+(double a, V b) { return V(a) + b; }
    friend V operator-(double a, V b) { return V(a) - b; }
    friend V operator*(double a, V b) { return V(a) * b; }
    friend V operator/(double a, V b) { return V(a) / b; }
    friend V operator+(V a, double b) { return a + V(b); }
    friend V operator-(V a, double b) { return a - V(b); }
    friend V operator*(V a, double b) { return a * V(b); }
    friend V operator/(V a, double b) { return a / V(b); }

    friend LaneMask<T> is_less(V a, V b) { return is_less(a.lane, b.lane); }
    friend LaneMask<T> is_less(V a, double b) { return is_less(a.lane, b); }
    friend LaneMask<T> is_greater(V a, V b) { return is_greater(a.lane, b.lane); }
    friend LaneMask<T> is_greater(V a, double b) { return is_greater(a.lane, b); }
    friend LaneMask<T> is_equal(V a, V b) { return is_equal(a.lane, b.lane); }
    friend LaneMask<T> is_equal(V a, double b) { return is_equal(a.lane, b); }
    friend LaneMask<T> is_nan(V a) { return is_nan(a.lane); }
    friend V select(LaneMask<T> mask, V a, V b) {
        const int way = mutation::way_to_break(Part::choice);
        return way == 0 ? V(select(mask, a.lane, b.lane)) : way == 1 ? a : b;
    }
    friend V select(LaneMask<T> mask, double a, V b) { return select(mask, V(a), b); }
    friend V select(LaneMask<T> mask, V a, double b) { return select(mask, a, V(b)); }
    friend V constant(V, double c) { return V(c); }

private:
    static V sum(V a, V b, int sign) {
        const T right = static_cast<T>(sign);
        switch (mutation::way_to_break(Part::sum)) {
        case 1: return V(Lane<T>(right) * b.lane);
        case 2: return a;
        case 3: return V(a.lane - Lane<T>(right) * b.lane);
        default: return V(a.lane + Lane<T>(right) * b.lane);
        }
    }
    static V product(V whole) {
        const int way = mutation::way_to_break(Part::product);
        return way == 0 ? whole : V(Lane<T>(T(way == 1 ? -1 : 2)) * whole.lane);
    }
};

#define XTAPE_FUNCTION(name)                           \
    template <class T>                                 \
    BreakableLane<T> name(const BreakableLane<T>& x) { \
        return BreakableLane<T>(name(x.lane));         \
    }
#define XTAPE_FUNCTION2(name)                                                     \
    template <class T>                                                            \
    BreakableLane<T> name(const BreakableLane<T>& x, const BreakableLane<T>& y) { \
        return BreakableLane<T>(name(x.lane, y.lane));                            \
    }
XTAPE_FUNCTION2(strong)
XTAPE_FUNCTION2(strong2)
XTAPE_FUNCTION(non_negative)
XTAPE_FUNCTION(sigmoid)
XTAPE_FUNCTION(zeros_like)
XTAPE_FUNCTION(abs)
XTAPE_FUNCTION(sqrt)
XTAPE_FUNCTION(exp)
XTAPE_FUNCTION(expm1)
XTAPE_FUNCTION(log)
XTAPE_FUNCTION(sin)
XTAPE_FUNCTION(cos)
XTAPE_FUNCTION(sinh)
XTAPE_FUNCTION(cosh)
XTAPE_FUNCTION(round)
XTAPE_FUNCTION(normal_cdf)
XTAPE_FUNCTION(digamma)
XTAPE_FUNCTION2(pow)
XTAPE_FUNCTION2(hypot)
XTAPE_FUNCTION2(polygamma)
#undef XTAPE_FUNCTION
#undef XTAPE_FUNCTION2

}  // namespace xtape::XTAPE_ARCH
