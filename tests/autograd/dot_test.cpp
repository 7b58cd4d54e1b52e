// to_dot and describe_tape: the tape behind a tensor as a picture and as a table.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/dot.hpp>
#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::message;

namespace {

bool contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) {
        return true;
    }
    MESSAGE("not in: ", text);
    return false;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
        ++found;
    }
    return found;
}

// What `dot -Tsvg` makes of a text. Empty if it takes offence.
std::string rendered(const std::string& text) {
    const auto stem = std::filesystem::temp_directory_path() / ("xtape_dot_test_" + std::to_string(::getpid()));
    const std::string dot = stem.string() + ".dot";
    const std::string svg = stem.string() + ".svg";
    std::ofstream(dot) << text;
    std::string drawn;
    if (std::system(("dot -Tsvg '" + dot + "' > '" + svg + "' 2> /dev/null").c_str()) == 0) {
        std::stringstream content;
        content << std::ifstream(svg).rdbuf();
        drawn = content.str();
    }
    std::filesystem::remove(dot);
    std::filesystem::remove(svg);
    return drawn;
}

bool has_dot() { return std::system("dot -V > /dev/null 2>&1") == 0; }

struct Net {
    nn::Sequential<double> layers{nn::Linear<double>(3, 4), nn::Tanh<double>(), nn::Linear<double>(4, 2)};
    Tensor<double> loss = sum(square(layers(ones<double>({5, 3}))));
};

}  // namespace

TEST_CASE("ops are boxes with shape and the bytes they keep, leaves are ellipses, arrows go from inputs to ops") {
    const auto x = parameter(ones<double>({2, 3}));
    const auto y = sum(exp(x) * x);
    CHECK(to_dot(y, {{"x", x}}) == "digraph tape {\n"
                                   "rankdir=LR;\n"
                                   "node [fontname=\"Helvetica\", fontsize=11];\n"
                                   "graph [fontname=\"Helvetica\", fontsize=11, style=rounded, color=gray];\n"
                                   "n0 [shape=ellipse, label=\"x\\n(2, 3)\"];\n"
                                   "n1 [shape=box, label=\"exp\\n(2, 3)\\n48 B\"];\n"
                                   "n2 [shape=box, label=\"multiply\\n(2, 3)\\n96 B\"];\n"
                                   "n3 [shape=box, label=\"sum\\n()\\n0 B\"];\n"
                                   "n0 -> n1;\n"
                                   "n1 -> n2;\n"
                                   "n0 -> n2;\n"
                                   "n2 -> n3;\n"
                                   "}\n");
}

TEST_CASE("constants are drawn where they are kept") {
    const auto x = parameter(ones<double>({2, 3}));
    CHECK(contains(to_dot(x * ones<double>({3})), "c1_1 [shape=plaintext, label=\"constant\\n(3,)\"];\n"));
    CHECK(contains(to_dot(x * ones<double>({3})), "c1_1 -> n1 [style=dashed];\n"));
    CHECK(count(to_dot(x + ones<double>({3})), "constant") == 0);
}

TEST_CASE("a name of an op's result stands before the op, a leaf without a name is called so") {
    const auto x = parameter(1.0);
    const auto h = tanh(x);
    const std::string text = to_dot(exp(h), {{"hidden", h}});
    CHECK(contains(text, "label=\"leaf\\n()\""));
    CHECK(contains(text, "label=\"hidden = tanh\\n()\\n8 B\""));
}

TEST_CASE("modules are frames around their parameters and the ops that are theirs") {
    Net net;
    const std::string text = to_dot(net.loss, net.layers.named_parameters());
    CHECK(contains(text, "subgraph \"cluster_0\" {\nlabel=\"0\";\n"));
    CHECK(contains(text, "subgraph \"cluster_2\" {\nlabel=\"2\";\n"));
    CHECK(count(text, "subgraph") == 2);
    const std::string first =
        text.substr(text.find("cluster_0"), text.find("}", text.find("cluster_0")) - text.find("cluster_0"));
    CHECK(contains(first, "label=\"0.weight\\n(4, 3)\""));
    CHECK(contains(first, "label=\"0.bias\\n(4,)\""));
    CHECK(contains(first, "label=\"linear\\n"));
    CHECK(count(first, "2.weight") == 0);
}

TEST_CASE("modules within modules are frames within frames, and what two modules share is in neither") {
    const auto a = parameter(1.0);
    const auto b = parameter(2.0);
    const std::string text = to_dot(a * b, {{"encoder.0.weight", a}, {"encoder.1.weight", b}});
    CHECK(contains(text, "subgraph \"cluster_encoder\" {\nlabel=\"encoder\";\n"
                         "subgraph \"cluster_encoder.0\" {\nlabel=\"encoder.0\";\n"));
    CHECK(text.find("[shape=box") < text.find("subgraph"));
}

TEST_CASE("after a replay nothing is kept") {
    const auto x = parameter(ones<double>({3}));
    const auto y = sum(exp(x));
    y.backward();
    CHECK(contains(to_dot(y), "label=\"exp\\n(3,)\\nreplayed\""));
    CHECK(contains(describe_tape(y), "2 ops on 1 leaves keep 0 B\n"));
}

TEST_CASE("a constant and a leaf are pictures too, an empty tensor is none") {
    CHECK(contains(to_dot(ones<double>({2})), "constant\\n(2,)"));
    CHECK(count(to_dot(parameter(1.0)), "shape=ellipse") == 1);
    CHECK(contains(describe_tape(ones<double>({2})), "0 ops on 0 leaves keep 0 B\n"));
    CHECK_THROWS_AS((void)to_dot(Tensor<double>()), ValueError);
    CHECK_THROWS_AS((void)to_dot(parameter(1.0), {{"x", Tensor<double>()}}), ValueError);
    CHECK_THROWS_AS((void)describe_tape(Tensor<double>()), ValueError);
}

TEST_CASE("the table lists leaves and ops with numbers, and counts what two ops keep once") {
    const auto x = parameter(ones<double>({2, 3}));
    const auto w = parameter(ones<double>({3}));
    const auto y = sum(exp(x) * w + 1.0);
    CHECK(describe_tape(y, {{"x", x}, {"weight", w}}) == "     #  op        shape           kept  name    inputs\n"
                                                         "     0  leaf      (2, 3)                x\n"
                                                         "     1  leaf      (3,)                  weight\n"
                                                         "     2  exp       (2, 3)          48 B          0\n"
                                                         "     3  multiply  (2, 3)          72 B          2 1\n"
                                                         "     4  add       (2, 3)           0 B          3 -\n"
                                                         "     5  sum       ()               0 B          4\n"
                                                         "4 ops on 2 leaves keep 72 B\n");
}

TEST_CASE("float and long chains are drawn as well") {
    auto y = parameter(1.0F) * 2.0;
    for (int i = 0; i < 100'000; ++i) {
        y = y + 1.0;
    }
    CHECK(contains(describe_tape(y), "100001 ops on 1 leaves"));
    CHECK(count(to_dot(y), "->") == 100'002);  // one from the constant that the product keeps
}

TEST_CASE("dot draws it, frames, escapes and all") {
    if (!has_dot()) {
        MESSAGE("skipped: there is no dot (Debian: graphviz)");
        return;
    }
    CHECK(rendered("digraph { no picture").empty());  // the check can fail
    Net net;
    const std::string svg = rendered(to_dot(net.loss, net.layers.named_parameters()));
    CHECK(contains(svg, "</svg>"));
    CHECK(contains(svg, ">0.weight</text>"));
    CHECK(count(svg, "class=\"cluster\"") == 2);
    const auto x = parameter(1.0);
    const auto y =
        custom("\"op\\n\" <b> {a|b}\\", tanh(x), {x}, [](const Tensor<double>& g) { return std::vector{g}; });
    const std::string odd = rendered(to_dot(y, {{"m\"\\.o}ne;.x", x}}));
    CHECK(contains(odd, ">&quot;op\\n&quot; &lt;b&gt; {a|b}\\</text>"));
    CHECK(count(odd, "class=\"cluster\"") == 2);
}
