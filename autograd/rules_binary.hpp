#pragma once

// Rules of two inputs and more. Included by rules.hpp, after what it defines.

namespace xtape {

struct Add {
    static constexpr const char* name = "add";
    template <class V>
    static V forward(const V& a, const V& b) {
        return a + b;
    }
    struct Left {
        static constexpr unsigned needs = needs::nothing;
        static constexpr bool passes = true;
    };
    using Right = Left;
};

struct Subtract {
    static constexpr const char* name = "subtract";
    template <class V>
    static V forward(const V& a, const V& b) {
        return a - b;
    }
    using Left = Add::Left;
    struct Right {
        static constexpr unsigned needs = needs::nothing;
        template <class V>
        static V pullback(const V& g, const V&, const V&, const V&) {
            return -g;
        }
    };
};

struct Multiply {
    static constexpr const char* name = "multiply";
    template <class V>
    static V forward(const V& a, const V& b) {
        return a * b;
    }
    struct Left {
        static constexpr unsigned needs = needs::b;
        template <class V>
        static V derivative(const V&, const V& b, const V&) {
            return b;
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a;
        template <class V>
        static V derivative(const V& a, const V&, const V&) {
            return a;
        }
    };
};

struct Divide {
    static constexpr const char* name = "divide";
    template <class V>
    static V forward(const V& a, const V& b) {
        return a / b;
    }
    struct Left {
        static constexpr unsigned needs = needs::b;
        template <class V>
        static V derivative(const V&, const V& b, const V&) {
            return 1.0 / b;
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::b | needs::y;
        template <class V>
        static V derivative(const V&, const V& b, const V& y) {
            return -y / b;
        }
    };
};

struct Pow {
    static constexpr const char* name = "pow";
    template <class V>
    static V forward(const V& a, const V& b) {
        return pow(a, b);
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        // strong(b, .) makes pow(x, 0) flat at 0; no select, which would cut the second derivative.
        template <class V>
        static V derivative(const V& a, const V& b, const V&) {
            return strong(b, pow(a, b - 1.0));
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b | needs::y;
        // The limit at a = 0 is 0 for b > 0, by promise for b = 0, and -inf below.
        template <class V>
        static V derivative(const V& a, const V& b, const V& y) {
            return select(is_equal(a, 0.0), select(is_less(b, 0.0), -y, 0.0), y * log(a));
        }
    };
};

// The gradient of max(a, b) by a: shared equally at ties, all of it to a NaN. `minimum` is the same on the negated
// pair.
template <class V>
V pull_of_larger(const V& g, const V& a, const V& b) {
    const V otherwise = select(is_nan(a), select(is_nan(b), 0.5 * g, g), 0.0);
    return select(is_greater(a, b), g, select(is_equal(a, b), 0.5 * g, otherwise));
}

struct Maximum {
    static constexpr const char* name = "maximum";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_nan(a), a, select(is_greater(a, b), a, b));
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& a, const V& b, const V&) {
            return pull_of_larger(g, a, b);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& a, const V& b, const V&) {
            return pull_of_larger(g, b, a);
        }
    };
};

struct Minimum {
    static constexpr const char* name = "minimum";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_nan(a), a, select(is_less(a, b), a, b));
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& a, const V& b, const V&) {
            return pull_of_larger(g, -a, -b);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& a, const V& b, const V&) {
            return pull_of_larger(g, -b, -a);
        }
    };
};

struct Atan2 {
    static constexpr const char* name = "atan2";
    template <class V>
    static V forward(const V& a, const V& b) {
        return atan2(a, b);
    }
    // x / (a² + b²) without overflow, and 0 where both are 0 or one is infinite: there h = 2h.
    template <class V>
    static V share(const V& x, const V& a, const V& b) {
        const V h = hypot(a, b);
        return select(is_equal(h, h + h), 0.0, x / h / h);
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V derivative(const V& a, const V& b, const V&) {
            return share(b, a, b);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V derivative(const V& a, const V& b, const V&) {
            return share(-a, a, b);
        }
    };
};

struct Hypot {
    static constexpr const char* name = "hypot";
    template <class V>
    static V forward(const V& a, const V& b) {
        return hypot(a, b);
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::y;
        template <class V>
        static V derivative(const V& a, const V&, const V& y) {
            return select(is_equal(y, 0.0), 0.0, a / y);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::b | needs::y;
        template <class V>
        static V derivative(const V&, const V& b, const V& y) {
            return select(is_equal(y, 0.0), 0.0, b / y);
        }
    };
};

struct Fmod {
    static constexpr const char* name = "fmod";
    template <class V>
    static V forward(const V& a, const V& b) {
        return fmod(a, b);
    }
    using Left = Add::Left;
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b | needs::y;
        // How often b was taken from a.
        template <class V>
        static V derivative(const V& a, const V& b, const V& y) {
            return round((y - a) / b);
        }
    };
};

struct Logaddexp {
    static constexpr const char* name = "logaddexp";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_equal(a, b), a + 0.6931471805599453, Maximum::forward(a, b) + log1p(exp(-abs(a - b))));
    }
    // The softmax of the pair. Of two infinities: nothing at -inf, half at +inf.
    template <class V>
    static V weight(const V& a, const V& b) {
        const V difference = a - b;
        const V infinite = select(is_equal(a, b), select(is_less(a, 0.0), 0.0, constant(a, 0.5)), difference);
        return select(is_nan(difference), infinite, sigmoid(difference));
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V derivative(const V& a, const V& b, const V&) {
            return weight(a, b);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V derivative(const V& a, const V& b, const V&) {
            return weight(b, a);
        }
    };
};

// What follows takes a parameter beside the input: an operand that is never differentiated.
struct Fixed {
    static constexpr unsigned needs = needs::nothing;
    template <class V>
    static V pullback(const V& g, const V&, const V&, const V&) {
        return zeros_like(g);
    }
};

struct Polygamma {
    static constexpr const char* name = "polygamma";
    template <class V>
    static V forward(const V& n, const V& x) {
        return polygamma(n, x);
    }
    using Left = Fixed;
    struct Right {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V derivative(const V& n, const V& x, const V&) {
            return polygamma(n + 1.0, x);
        }
    };
};

struct LeakyRelu {
    static constexpr const char* name = "leaky_relu";
    template <class V>
    static V forward(const V& x, const V& slope) {
        return select(is_greater(x, 0.0), x, slope * x);
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& x, const V& slope, const V&) {
            return select(is_greater(x, 0.0), g, strong(g, select(is_nan(x), x, slope)));
        }
    };
    using Right = Fixed;
};

struct Elu {
    static constexpr const char* name = "elu";
    template <class V>
    static V forward(const V& x, const V& alpha) {
        return select(is_greater(x, 0.0), x, alpha * expm1(x));
    }
    struct Left {
        static constexpr unsigned needs = needs::a | needs::b;
        template <class V>
        static V pullback(const V& g, const V& x, const V& alpha, const V&) {
            return select(is_greater(x, 0.0), g, strong(g, alpha * exp(x)));
        }
    };
    using Right = Fixed;
};

// x, but not beyond its bounds; at a bound the gradient still passes.
struct Clip {
    static constexpr const char* name = "clip";
    template <class V>
    static V forward(const V& x, const V& lo, const V& hi) {
        return select(is_less(x, lo), lo, select(is_greater(x, hi), hi, x));
    }
    template <class V>
    static V pullback(const V& g, const V& x, const V& lo, const V& hi) {
        const V inside = strong(g, select(is_nan(x), x, 1.0));
        return select(is_less(x, lo), 0.0, select(is_greater(x, hi), 0.0, inside));
    }
};

// The strong product as an op of its own, so that it can be differentiated: by g it is strong(h, d), also where g is 0
// (the Hessian at a perfect fit); by d it is 0 where either factor is.
struct Strong2 {
    static constexpr const char* name = "strong2";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_equal(a, 0.0), 0.0, select(is_equal(b, 0.0), 0.0, a * b));
    }
    struct Left {
        static constexpr unsigned needs = needs::b;
        template <class V>
        static V pullback(const V& h, const V&, const V& b, const V&) {
            return strong2(h, b);
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a;
        template <class V>
        static V pullback(const V& h, const V& a, const V&, const V&) {
            return strong2(h, a);
        }
    };
};

struct Strong {
    static constexpr const char* name = "strong";
    template <class V>
    static V forward(const V& g, const V& d) {
        return strong_product(g, d);
    }
    struct Left {
        static constexpr unsigned needs = needs::b;
        template <class V>
        static V derivative(const V&, const V& d, const V&) {
            return d;
        }
    };
    struct Right {
        static constexpr unsigned needs = needs::a;
        template <class V>
        static V pullback(const V& h, const V& g, const V&, const V&) {
            return strong2(h, g);
        }
    };
};

// Conditions, 1 where they hold and 0 elsewhere, for rules that choose. They have no derivative.

struct Less {
    static constexpr const char* name = "less";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_less(a, b), 1.0, constant(a, 0.0));
    }
};

struct Equal {
    static constexpr const char* name = "equal";
    template <class V>
    static V forward(const V& a, const V& b) {
        return select(is_equal(a, b), 1.0, constant(a, 0.0));
    }
};

}  // namespace xtape
