#include <xtape/autograd/custom.hpp>

#include <map>
#include <mutex>
#include <string>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape::detail {
namespace {

template <class T>
struct CustomOpRule {
    static constexpr const char* name = "custom";
    CustomRule<T> rule;
    const char* op;
    CustomReads reads;

    void operator()(RuleContext& context) const {
        const std::size_t count = context.input_count();
        const Tensor<T> y = reads == CustomReads::gradient ? Tensor<T>() : context.output<T>();
        std::vector<Tensor<T>> xs;
        for (std::size_t i = 0; reads == CustomReads::inputs && i < count; ++i) {
            xs.push_back(context.input<T>(i));
        }
        const std::vector<Tensor<T>> gradients = rule(context.gradient<T>(), y, xs);
        check(context, gradients);
        for (std::size_t i = 0; i < count; ++i) {
            if (context.wants(i) && gradients[i]) {
                // Under a handle of its own, so that no leaf that the rule returned becomes a gradient; and in the
                // graph only if one is made.
                context.give(i, Tensor<T>(bodies::alias(gradients[i].ref(), context.creates_graph())));
            }
        }
    }

    void check(const RuleContext& context, const std::vector<Tensor<T>>& gradients) const {
        if (gradients.size() != context.input_count()) {
            throw ShapeError(
                fmt::format("{}: the rule returned {} gradients for {} inputs; return one for each, in their order, an "
                            "empty tensor where there is none",
                            op, gradients.size(), context.input_count()));
        }
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            if (context.wants(i) && gradients[i] && gradients[i].shape() != context.input_shape(i)) {
                throw ShapeError(fmt::format("{}: the rule returned a gradient of shape {} for input {} of shape {}; "
                                             "they must be the same (sum over what was broadcast)",
                                             op, to_string(gradients[i].shape()), i,
                                             to_string(context.input_shape(i))));
            }
        }
    }
};

// Nodes point to their ops, and so may what outlives them: one for each name, for good.
template <class T>
const Op& op_named(std::string_view name) {
    static std::mutex mutex;
    static auto* ops = new std::map<std::string, Op, std::less<>>;  // outlives tensors with static storage
    const std::scoped_lock lock(mutex);
    auto it = ops->find(name);
    if (it == ops->end()) {
        Op op = op_of<CustomOpRule<T>>;
        it = ops->emplace(name, op).first;
        it->second.name = it->first.c_str();
    }
    return it->second;
}

}  // namespace

template <class T>
Tensor<T> custom(std::string_view name, const Tensor<T>& value, const std::vector<Tensor<T>>& inputs,
                 CustomRule<T> rule, CustomReads reads) {
    const Tensor<T> y = value.detach();
    std::vector<RecordedInput> recorded;
    bool is_recorded = false;
    for (const Tensor<T>& x : inputs) {
        is_recorded = x.requires_grad() || is_recorded;  // throws for an empty tensor
        recorded.emplace_back(x, reads == CustomReads::inputs);
    }
    if (is_recorded && is_recording()) {
        const Op& op = op_named<T>(name);
        Node& node = record_node(op, y.body(), recorded, reads != CustomReads::gradient, sizeof(CustomOpRule<T>));
        new (node.rule()) CustomOpRule<T>{std::move(rule), op.name, reads};
    }
    return y;
}

template Tensor<float> custom(std::string_view, const Tensor<float>&, const std::vector<Tensor<float>>&,
                              CustomRule<float>, CustomReads);
template Tensor<double> custom(std::string_view, const Tensor<double>&, const std::vector<Tensor<double>>&,
                               CustomRule<double>, CustomReads);

}  // namespace xtape::detail
