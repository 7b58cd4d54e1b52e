#include <xtape/autograd/dot.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/describe.hpp>

namespace xtape {
namespace {

// One node of the tape, as both pictures of it show it.
struct Entry {
    Node* node;
    std::string name;       // that the user gave; empty if none
    std::size_t kept = 0;   // bytes of the values saved
    std::string_view kind;  // the op, or what kind of leaf
};

std::size_t bytes_kept(Node& node, const Saved& saved) {
    const auto input = static_cast<std::size_t>(saved.input());
    const Node* from = saved.input() < 0 ? &node : node.inputs()[input].get();
    const Shape& shape = saved.input() < 0 ? node.shape : node.input_shape(input);
    return element_count(shape) * bodies::size_of(from != nullptr ? from->dtype : node.dtype);
}

// What lies behind a tensor, oldest first; leaves before ops.
class Listing {
public:
    Listing(const Body& y, std::unordered_map<const Node*, std::string> names) {
        std::vector<Node*> pending;
        std::unordered_set<const Node*> seen;
        const auto visit = [&](Node* node) {
            if (node != nullptr && seen.insert(node).second) {
                pending.push_back(node);
            }
        };
        visit(y.node.get());
        while (!pending.empty()) {
            Node* node = pending.back();
            pending.pop_back();
            entries_.push_back(entry(*node, std::move(names[node])));
            for (const Ref<Node>& input : node->inputs()) {
                visit(input.get());
            }
        }
        // In the order in which a depth-first walk met them where no sequence number tells: that of the inputs.
        std::ranges::reverse(entries_);
        std::ranges::stable_sort(entries_, {}, [](const Entry& e) {
            return std::pair(!e.node->is_leaf(), e.node->is_leaf() ? 0 : e.node->sequence);
        });
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            numbers_[entries_[i].node] = i;
        }
    }
    [[nodiscard]] std::span<const Entry> entries() const noexcept { return entries_; }
    [[nodiscard]] std::size_t number(const Node* node) const { return numbers_.at(node); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    Entry entry(Node& node, std::string name) {
        if (node.is_leaf()) {
            return {.node = &node, .name = std::move(name), .kind = "leaf"};
        }
        Entry made{.node = &node, .name = std::move(name), .kind = node.op->name};
        if (node.state == Node::State::recorded) {
            for (const Saved& saved : node.saved()) {
                const std::size_t bytes = bytes_kept(node, saved);
                made.kept += bytes;
                bytes_ += buffers_.insert(saved.data()).second ? bytes : 0;
            }
        }
        return made;
    }

    std::vector<Entry> entries_;
    std::unordered_map<const Node*, std::size_t> numbers_;
    std::unordered_set<const void*> buffers_;
    std::size_t bytes_ = 0;
};

// A label between quotation marks.
std::string escaped(std::string_view label) {
    std::string text;
    for (const char c : label) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '"' || c == '\\') {
            text += '\\';
        }
        text += c;
    }
    return text;
}

std::string kept_text(const Entry& entry) {
    return entry.node->state == Node::State::released ? "replayed" : fmt::format("{} B", entry.kept);
}

// A module: its own statements, and the modules within it.
struct Frame {
    std::string statements;
    std::map<std::string, Frame> frames;
};

// "encoder.0" of "encoder.0.weight"
std::string module_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return std::string(name.substr(0, dot == std::string_view::npos ? 0 : dot));
}

Frame& frame_of(Frame& all, std::string_view module) {
    Frame* frame = &all;
    while (!module.empty()) {
        const std::size_t dot = std::min(module.find('.'), module.size());
        frame = &frame->frames[std::string(module.substr(0, dot))];
        module.remove_prefix(std::min(dot + 1, module.size()));
    }
    return *frame;
}

void write(const Frame& frame, std::string& text, const std::string& path) {
    text += frame.statements;
    for (const auto& [name, inner] : frame.frames) {
        const std::string full = path.empty() ? name : path + "." + name;
        text += fmt::format("subgraph \"cluster_{0}\" {{\nlabel=\"{0}\";\n", escaped(full));
        write(inner, text, full);
        text += "}\n";
    }
}

class Picture {
public:
    explicit Picture(const Listing& listing) : listing_(listing) {
        for (const Entry& entry : listing.entries()) {
            add(entry);
        }
    }
    [[nodiscard]] std::string text() const {
        std::string text = "digraph tape {\nrankdir=LR;\nnode [fontname=\"Helvetica\", fontsize=11];\n"
                           "graph [fontname=\"Helvetica\", fontsize=11, style=rounded, color=gray];\n";
        write(all_, text, "");
        return text + edges_ + "}\n";
    }

private:
    void add(const Entry& entry) {
        Node& node = *entry.node;
        const std::size_t number = listing_.number(&node);
        const bool shows_kind = !node.is_leaf() || entry.name.empty();
        const std::string label = fmt::format(
            "{}{}{}\n{}{}{}", entry.name, shows_kind && !entry.name.empty() ? " = " : "", shows_kind ? entry.kind : "",
            to_string(node.shape), node.is_leaf() ? "" : "\n", node.is_leaf() ? std::string() : kept_text(entry));
        modules_.push_back(node.is_leaf() || !entry.name.empty() ? module_of(entry.name) : module_of_inputs(node));
        Frame& frame = frame_of(all_, modules_.back());
        frame.statements +=
            fmt::format("n{} [shape={}, label=\"{}\"];\n", number, node.is_leaf() ? "ellipse" : "box", escaped(label));
        add_inputs(node, number, frame);
    }
    void add_inputs(Node& node, std::size_t number, Frame& frame) {
        for (std::size_t i = 0; i < node.input_count; ++i) {
            const Node* input = node.inputs()[i].get();
            if (input != nullptr) {
                edges_ += fmt::format("n{} -> n{};\n", listing_.number(input), number);
            } else if (std::ranges::count(node.saved(), static_cast<std::int32_t>(i), &Saved::input) != 0) {
                frame.statements += fmt::format("c{}_{} [shape=plaintext, label=\"constant\\n{}\"];\n", number, i,
                                                to_string(node.input_shape(i)));
                edges_ += fmt::format("c{}_{} -> n{} [style=dashed];\n", number, i, number);
            }
        }
    }
    // The module that all its named leaves belong to.
    [[nodiscard]] std::string module_of_inputs(Node& node) const {
        std::string module;
        for (const Ref<Node>& input : node.inputs()) {
            if (input && input->is_leaf() && !modules_[listing_.number(input.get())].empty()) {
                const std::string& of_input = modules_[listing_.number(input.get())];
                if (!module.empty() && module != of_input) {
                    return {};
                }
                module = of_input;
            }
        }
        return module;
    }

    const Listing& listing_;
    Frame all_;
    std::string edges_;
    std::vector<std::string> modules_;  // by number
};

template <class T>
Listing listing_of(const Tensor<T>& y, const TensorNames<T>& names) {
    std::unordered_map<const Node*, std::string> by_node;
    for (const auto& [name, tensor] : names) {
        if (const Node* node = tensor.body().node.get(); node != nullptr) {
            by_node.try_emplace(node, name);
        }
    }
    return Listing(y.body(), std::move(by_node));
}

}  // namespace

template <class T>
std::string to_dot(const Tensor<T>& y, const TensorNames<std::type_identity_t<T>>& names) {
    const Listing listing = listing_of(y, names);
    if (listing.entries().empty()) {
        return fmt::format("digraph tape {{\nc [shape=plaintext, label=\"constant\\n{}\"];\n}}\n",
                           to_string(y.shape()));
    }
    return Picture(listing).text();
}

template <class T>
std::string describe_tape(const Tensor<T>& y, const TensorNames<std::type_identity_t<T>>& names) {
    const Listing listing = listing_of(y, names);
    std::size_t kind_width = 2;
    std::size_t shape_width = 5;
    std::size_t name_width = 4;
    std::size_t ops = 0;
    for (const Entry& entry : listing.entries()) {
        kind_width = std::max(kind_width, entry.kind.size());
        shape_width = std::max(shape_width, to_string(entry.node->shape).size());
        name_width = std::max(name_width, entry.name.size());
        ops += entry.node->is_leaf() ? 0 : 1;
    }
    const auto row = [&](auto number, std::string_view kind, std::string_view shape, std::string_view kept,
                         std::string_view name, std::string_view inputs) {
        std::string line = fmt::format("{:>6}  {:<{}}  {:<{}}  {:>12}  {:<{}}  {}", number, kind, kind_width, shape,
                                       shape_width, kept, name, name_width, inputs);
        line.erase(line.find_last_not_of(' ') + 1);
        return line + "\n";
    };
    std::string text = row("#", "op", "shape", "kept", "name", "inputs");
    for (const Entry& entry : listing.entries()) {
        std::string inputs;
        for (const Ref<Node>& input : entry.node->inputs()) {
            inputs += fmt::format("{}{}", inputs.empty() ? "" : " ",
                                  input ? fmt::format("{}", listing.number(input.get())) : "-");
        }
        text += row(listing.number(entry.node), entry.kind, to_string(entry.node->shape),
                    entry.node->is_leaf() ? "" : kept_text(entry), entry.name, inputs);
    }
    return text + fmt::format("{} ops on {} leaves keep {} B\n", ops, listing.entries().size() - ops, listing.bytes());
}

template std::string to_dot(const Tensor<float>&, const TensorNames<float>&);
template std::string to_dot(const Tensor<double>&, const TensorNames<double>&);
template std::string describe_tape(const Tensor<float>&, const TensorNames<float>&);
template std::string describe_tape(const Tensor<double>&, const TensorNames<double>&);

}  // namespace xtape
