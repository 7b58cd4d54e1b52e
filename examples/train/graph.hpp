#pragma once

#include <string>

namespace train {

/// A graph in Graphviz's language as an SVG element to stand in a page, or as its own text where the program `dot` is
/// not installed or fails.
std::string graph_html(const std::string& dot_text);

}  // namespace train
