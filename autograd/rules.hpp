#pragma once

// The elementwise ops: forward and derivative side by side, each written once for any value type V. Read with a batch
// of SIMD lanes the pair gives the fused first-order kernels; read with tensors the same derivative records itself,
// which gives every higher order. This file is compiled once per instruction set: nothing but templates on V.
//
// A derivative takes one of three forms, and the engine's part is the same for all:
//   derivative(...)   f'(x); the engine multiplies by the incoming gradient g with the strong product
//   pullback(g, ...)  the input's gradient itself, for rules that choose or that are linear in g
//   `passes`          the gradient is g as it is
// `needs` says which values the derivative reads.

namespace xtape {

namespace needs {
inline constexpr unsigned nothing = 0;
inline constexpr unsigned x = 1;  // the input; of two, the left one
inline constexpr unsigned a = 1;
inline constexpr unsigned b = 2;
inline constexpr unsigned y = 4;  // the output
}  // namespace needs

// g * d, but 0 where g is 0, whatever d is: what an untaken branch computed can't poison a gradient.
template <class V>
V strong_product(const V& g, const V& d) {
    return select(is_equal(g, 0.0), 0.0, g * d);
}

// ------------------------------------------------------------------------------------------------- one input

struct Negate {
    static constexpr const char* name = "negate";
    static constexpr unsigned needs = needs::nothing;
    template <class V>
    static V forward(const V& x) {
        return -x;
    }
    template <class V>
    static V pullback(const V& g, const V&, const V&) {
        return -g;
    }
};

struct Exp {
    static constexpr const char* name = "exp";
    static constexpr unsigned needs = needs::y;
    template <class V>
    static V forward(const V& x) {
        return exp(x);
    }
    template <class V>
    static V derivative(const V&, const V& y) {
        return y;
    }
};

// x where x >= 0 and NaN below, in every derivative too: what keeps the rules of log and its kin NaN outside the
// domain.
struct NonNegative {
    static constexpr const char* name = "non_negative";
    static constexpr unsigned needs = needs::x | needs::y;
    template <class V>
    static V forward(const V& x) {
        return select(is_less(x, 0.0), constant(x, __builtin_nan("")), x);
    }
    template <class V>
    static V derivative(const V& x, const V& y) {
        return select(is_less(x, 0.0), y, 1.0);
    }
};

struct Log {
    static constexpr const char* name = "log";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return log(x);
    }
    template <class V>
    static V derivative(const V& x, const V&) {
        return 1.0 / non_negative(x);
    }
};

struct Sqrt {
    static constexpr const char* name = "sqrt";
    static constexpr unsigned needs = needs::y;
    template <class V>
    static V forward(const V& x) {
        return sqrt(x);
    }
    template <class V>
    static V derivative(const V&, const V& y) {
        return 0.5 / y;
    }
};

struct Square {
    static constexpr const char* name = "square";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return x * x;
    }
    template <class V>
    static V derivative(const V& x, const V&) {
        return 2.0 * x;
    }
};

struct Abs {
    static constexpr const char* name = "abs";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return abs(x);
    }
    // At NaN it is abs(NaN), which by this rule is NaN to every order.
    template <class V>
    static V pullback(const V& g, const V& x, const V&) {
        return select(is_greater(x, 0.0), g, select(is_less(x, 0.0), -g, strong(g, select(is_nan(x), abs(x), 0.0))));
    }
};

struct Tanh {
    static constexpr const char* name = "tanh";
    static constexpr unsigned needs = needs::y;
    template <class V>
    static V forward(const V& x) {
        return tanh(x);
    }
    template <class V>
    static V derivative(const V&, const V& y) {
        return 1.0 - y * y;
    }
};

struct Sin {
    static constexpr const char* name = "sin";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return sin(x);
    }
    template <class V>
    static V derivative(const V& x, const V&) {
        return cos(x);
    }
};

struct Cos {
    static constexpr const char* name = "cos";
    static constexpr unsigned needs = needs::x;
    template <class V>
    static V forward(const V& x) {
        return cos(x);
    }
    template <class V>
    static V derivative(const V& x, const V&) {
        return -sin(x);
    }
};

struct Sigmoid {
    static constexpr const char* name = "sigmoid";
    static constexpr unsigned needs = needs::y;
    template <class V>
    static V forward(const V& x) {
        return 1.0 / (1.0 + exp(-x));
    }
    template <class V>
    static V derivative(const V&, const V& y) {
        return y * (1.0 - y);
    }
};

struct Relu {
    static constexpr const char* name = "relu";
    static constexpr unsigned needs = needs::y;  // y tells what x would: positive, zero or NaN
    template <class V>
    static V forward(const V& x) {
        return select(is_less(x, 0.0), 0.0, x);
    }
    template <class V>
    static V pullback(const V& g, const V&, const V& y) {
        return select(is_greater(y, 0.0), g, strong(g, select(is_nan(y), y, 0.0)));
    }
};

// ------------------------------------------------------------------------------------------------- two inputs

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
    const V undecided = select(is_nan(a), select(is_nan(b), 0.5 * g, g), 0.0);
    return select(is_greater(a, b), g, select(is_less(a, b), 0.0, select(is_equal(a, b), 0.5 * g, undecided)));
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

// ------------------------------------------------------------------------------------------------- the lists

template <class... Rules>
struct RuleList {
    static constexpr int size = sizeof...(Rules);
    template <class Rule>
    static constexpr int index_of = [] {
        int index = 0;
        bool found = false;
        ((found = found || __is_same(Rule, Rules), index += found ? 0 : 1), ...);
        return index;
    }();
};

using UnaryRules = RuleList<Negate, Exp, NonNegative, Log, Sqrt, Square, Abs, Tanh, Sin, Cos, Sigmoid, Relu>;
using BinaryRules = RuleList<Add, Subtract, Multiply, Divide, Pow, Maximum, Minimum, Strong, Strong2, Less, Equal>;

}  // namespace xtape
