#include "graph.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "html.hpp"
#include "support/process.hpp"

namespace train {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// What `dot -Tsvg` makes of its input; nothing if there is no such program or it fails.
std::optional<std::string> run_dot(const std::string& text) {
    const File input(std::tmpfile(), std::fclose);
    const File output(std::tmpfile(), std::fclose);
    if (!input || !output || std::fwrite(text.data(), 1, text.size(), input.get()) != text.size()) {
        return std::nullopt;
    }
    std::rewind(input.get());

    const int status = support::run_program({"dot", "-Tsvg"}, [&](posix_spawn_file_actions_t& actions) {
        posix_spawn_file_actions_adddup2(&actions, fileno(input.get()), STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, fileno(output.get()), STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    });
    if (status != 0) {
        return std::nullopt;
    }
    std::string svg;
    std::array<char, 4096> buffer{};
    std::rewind(output.get());
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), output.get())) {
        svg.append(buffer.data(), count);
    }
    return svg;
}

}  // namespace

std::string graph_html(const std::string& dot_text) {
    if (const std::optional<std::string> svg = run_dot(dot_text)) {
        const std::size_t element = svg->find("<svg");  // after the declaration and the document type
        if (element != std::string::npos) {
            return fmt::format("<div class=\"graph\">{}</div>\n", svg->substr(element));
        }
    }
    return fmt::format("<p>Graphviz is not installed (on Debian: apt install graphviz), so here is the text that its "
                       "<code>dot -Tsvg</code> would draw.</p>\n<pre>{}</pre>\n",
                       escaped(dot_text));
}

}  // namespace train
