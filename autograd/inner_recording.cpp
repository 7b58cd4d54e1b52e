#include <xtape/autograd/inner_recording.hpp>

#include <unordered_set>

#include <xtape/autograd/bodies.hpp>

namespace xtape {
namespace {

struct StandInRule {
    static constexpr const char* name = "input";
    void operator()(RuleContext& context) const { context.pass_on(0, true); }
};

}  // namespace

InnerRecording::InnerRecording() : was_recording_(is_recording()), start_(latest_sequence()) { set_recording(true); }

// Calls visit(edge) for every edge that leaves what was recorded behind `root`, until it returns true.
template <class Visit>
void InnerRecording::walk(Node* root, Visit visit) const {
    std::vector<Node*> pending{root};
    std::unordered_set<Node*> seen{root};
    while (!pending.empty()) {
        Node* node = pending.back();
        pending.pop_back();
        for (Ref<Node>& edge : node->inputs()) {
            if (!edge) {
                continue;
            }
            if (!holds(*edge)) {
                if (visit(edge)) {
                    return;
                }
            } else if (edge->refs.unique() || seen.insert(edge.get()).second) {  // a sole edge leads there but once
                pending.push_back(edge.get());
            }
        }
    }
}

bool InnerRecording::leads_out(std::span<const Ref<Body>> roots) const {
    bool found = false;
    for (const Ref<Body>& root : roots) {
        if (root->node && !found) {
            found = !holds(*root->node);
            if (!found) {
                walk(root->node.get(), [&](Ref<Node>&) { return found = true; });
            }
        }
    }
    return found;
}

std::vector<Ref<Node>*> InnerRecording::edges_out(const Ref<Body>& root) const {
    std::vector<Ref<Node>*> edges;
    walk(root->node.get(), [&](Ref<Node>& edge) {
        edges.push_back(&edge);
        return false;
    });
    return edges;
}

Ref<Body> stand_in(const Ref<Body>& x, bool connected) {
    Ref<Body> y = bodies::alias(x, false);
    const Ref<Body> behind = bodies::alias(x, connected);
    record(StandInRule{}, *y, {RecordedInput(behind)});
    return y;
}

}  // namespace xtape
