#pragma once

#include <functional>

#include <xtape/autograd/recording.hpp>

/// Ops of the tests' own: y = x, with a rule that can be watched or made to fail.
namespace counted {

struct Rule {
    static constexpr const char* name = "counted";
    std::function<void(xtape::RuleContext&)>* before;
    void operator()(xtape::RuleContext& context) const {
        (*before)(context);
        context.give(0, context.gradient<double>());
    }
};

/// y = x; `before` runs whenever the node is replayed.
inline xtape::Tensor<double> identity(const xtape::Tensor<double>& x,
                                      std::function<void(xtape::RuleContext&)>& before) {
    xtape::Tensor<double> y(x.value());
    if (xtape::records(x)) {
        xtape::record(Rule{&before}, y.body(), {{x}});
    }
    return y;
}

/// Counts how often the nodes that it made were replayed.
class Counter {
public:
    Counter() = default;
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;
    [[nodiscard]] xtape::Tensor<double> operator()(const xtape::Tensor<double>& x) { return identity(x, before_); }
    [[nodiscard]] int replays() const { return replays_; }

private:
    int replays_ = 0;
    std::function<void(xtape::RuleContext&)> before_ = [this](xtape::RuleContext&) { ++replays_; };
};

}  // namespace counted
