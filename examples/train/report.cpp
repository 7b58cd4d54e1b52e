#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <xtape/io/atomic_file.hpp>

#include "chart.hpp"
#include "graph.hpp"
#include "html.hpp"
#include "report_style.hpp"

namespace train {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string section(const std::string& title, const std::string& content) {
    return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, content);
}

std::string header(const Report& report) {
    std::string html = fmt::format("<header>\n<h1>{}</h1>\n<p class=\"headline\">{}</p>\n", escaped(report.title),
                                   escaped(report.headline.empty() ? "no test" : report.headline));
    if (!report.remark.empty()) {
        html += fmt::format("<p class=\"remark\">{}</p>\n", escaped(report.remark));
    }
    html += "</header>\n<section>\n<dl class=\"facts\">\n";
    for (const auto& [name, value] : report.facts) {
        html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value));
    }
    return html + "</dl>\n</section>\n";
}

/// A line of something that each epoch has.
template <class F>
Line line_of(const std::string& name, const std::vector<Epoch>& history, F value) {
    Line line{name, {}, {}};
    for (const Epoch& epoch : history) {
        line.x.push_back(static_cast<double>(epoch.number));
        line.y.push_back(value(epoch));
    }
    return line;
}

std::vector<Line> training_and_validation(const std::vector<Epoch>& history, double Scores::*figure) {
    std::vector<Line> lines{line_of("training", history, [=](const Epoch& e) { return e.training.*figure; })};
    if (!history.empty() && history.front().validation) {
        lines.push_back(line_of("validation", history, [=](const Epoch& e) { return e.validation.value().*figure; }));
    }
    return lines;
}

std::string charts(const Report& report) {
    const std::vector<Epoch>& history = report.history;
    if (history.empty()) {
        return section("Training", "<p>No epoch has ended.</p>\n");
    }
    const auto options = [&](const char* title) {
        return ChartOptions{.title = title,
                            .mark = static_cast<double>(report.best_epoch),
                            .mark_name = "the lowest validation loss: these weights were kept"};
    };
    const bool classes = report.task == Task::classification;
    ChartOptions loss = options("Loss");
    loss.logarithmic = true;
    ChartOptions measure = options(classes ? "Accuracy" : "RMSE, in the target's units");
    measure.percent = classes;

    std::vector<Line> norms;
    for (std::size_t layer = 0; layer < history.front().gradient_norms.size(); ++layer) {
        norms.push_back(line_of(fmt::format("layer {}", history.front().gradient_norms[layer].first), history,
                                [=](const Epoch& e) { return e.gradient_norms.at(layer).second; }));
    }
    ChartOptions gradients = options("Gradient norms by layer, at each epoch's last step");
    gradients.logarithmic = true;
    const ChartOptions rate = options("Learning rate");

    const std::string kept =
        report.best_epoch == 0
            ? ""
            : fmt::format("<p class=\"remark\">The dashed line marks epoch {}, whose weights were kept.</p>\n",
                          report.best_epoch);
    return section(
        "Training",
        kept + "<div class=\"charts\">\n" + line_chart(loss, training_and_validation(history, &Scores::loss)) +
            line_chart(measure, training_and_validation(history, &Scores::measure)) + line_chart(gradients, norms) +
            line_chart(rate, {line_of("rate", history, [](const Epoch& e) { return e.lr; })}) + "</div>\n");
}

std::string confusion_table(const support::ConfusionMatrix& matrix, const std::vector<std::string>& classes) {
    std::string html =
        "<div class=\"wide\"><table class=\"confusion\">\n<thead><tr><th class=\"corner\">is | taken for</th>";
    for (const std::string& name : classes) {
        html += fmt::format("<th scope=\"col\" title=\"{0}\">{0}</th>", escaped(name));
    }
    html += "<th>found</th></tr></thead>\n<tbody>\n";
    for (std::size_t i = 0; i < classes.size(); ++i) {
        std::size_t row = 0;
        for (std::size_t j = 0; j < classes.size(); ++j) {
            row += matrix.count(i, j);
        }
        html += fmt::format("<tr><th scope=\"row\" title=\"{0}\">{0}</th>", escaped(classes[i]));
        for (std::size_t j = 0; j < classes.size(); ++j) {
            const std::size_t n = matrix.count(i, j);
            if (n == 0) {
                html += "<td class=\"none\">0</td>";
                continue;
            }
            // The root, so that a few mistakes among many samples can still be seen.
            const double part = std::sqrt(static_cast<double>(n) / static_cast<double>(row));
            html += fmt::format("<td class=\"{}\" style=\"--part: {:.3f}\">{}</td>", i == j ? "right" : "wrong",
                                i == j ? 0.55 * part : std::min(0.15 + part, 0.8), n);
        }
        html += row == 0 ? "<td class=\"found\"></td></tr>\n"
                         : fmt::format("<td class=\"found\">{:.1f}%</td></tr>\n",
                                       100 * static_cast<double>(matrix.count(i, i)) / static_cast<double>(row));
    }
    return html + "</tbody>\n</table></div>\n";
}

/// What was taken for what, most often first; for more classes than a table shows.
std::string confusion_list(const support::ConfusionMatrix& matrix, const std::vector<std::string>& classes) {
    constexpr std::size_t most = 20;
    struct Mistake {
        std::size_t count;
        std::size_t truth;
        std::size_t taken_for;
    };
    std::vector<Mistake> mistakes;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        for (std::size_t j = 0; j < classes.size(); ++j) {
            if (i != j && matrix.count(i, j) > 0) {
                mistakes.push_back({matrix.count(i, j), i, j});
            }
        }
    }
    std::ranges::stable_sort(mistakes, std::ranges::greater(), &Mistake::count);
    std::string html = fmt::format("<p>The most frequent mistakes among {} classes.</p>\n<table><thead><tr><th>is</th>"
                                   "<th>taken for</th><th>times</th></tr></thead>\n<tbody>\n",
                                   classes.size());
    for (const Mistake& mistake : std::span(mistakes).first(std::min(most, mistakes.size()))) {
        html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escaped(classes[mistake.truth]),
                            escaped(classes[mistake.taken_for]), mistake.count);
    }
    return html + "</tbody></table>\n";
}

std::string test(const Report& report) {
    constexpr std::size_t most_classes = 30;
    if (!report.test) {
        return {};
    }
    if (report.task == Task::regression) {
        return section("Test", "<div class=\"narrow\">\n" + scatter_chart(report.test->points) + "</div>\n");
    }
    const support::ConfusionMatrix& matrix = report.test->confusion;
    return section("Test", fmt::format("<p>{} of {} samples are right; mean loss {:.4g}.</p>\n{}", matrix.correct(),
                                       matrix.total(), report.test->scores.loss,
                                       report.classes.size() <= most_classes ? confusion_table(matrix, report.classes)
                                                                             : confusion_list(matrix, report.classes)));
}

std::string names_table(const std::string& title, const Rows& rows) {
    std::string html = fmt::format("<div>\n<h2>{}</h2>\n<table class=\"names\"><tbody>\n", title);
    for (const auto& [name, value] : rows) {
        html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), escaped(value));
    }
    return html + "</tbody></table>\n</div>\n";
}

std::string configuration(const Report& report) {
    Rows options;
    for (const auto& [name, value] : report.configuration.items()) {
        if (value != "" && value != Json::array()) {
            options.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
        }
    }
    return "<section>\n<div class=\"two\">\n" + names_table("Configuration", options) +
           names_table("Versions", report.versions) + "</div>\n</section>\n";
}

std::string epochs_table(const Report& report) {
    const std::vector<Epoch>& history = report.history;
    if (history.empty()) {
        return {};
    }
    const bool classes = report.task == Task::classification;
    const std::string measure = classes ? "accuracy" : "RMSE";
    const auto scores = [&](const Scores& s) {
        return fmt::format("<td>{:.5g}</td><td>{}</td>", s.loss,
                           classes ? fmt::format("{:.2f}%", 100 * s.measure) : fmt::format("{:.5g}", s.measure));
    };
    const bool validated = history.front().validation.has_value();
    std::string html = "<section>\n<details>\n<summary>Every epoch in numbers</summary>\n<div class=\"wide\"><table>"
                       "<thead><tr><th>epoch</th><th>training loss</th><th>training " +
                       measure + "</th>";
    if (validated) {
        html += "<th>validation loss</th><th>validation " + measure + "</th>";
    }
    html += "<th>learning rate</th><th>seconds</th>";
    for (const auto& [layer, norm] : history.front().gradient_norms) {
        html += fmt::format("<th>gradient norm, layer {}</th>", escaped(layer));
    }
    html += "</tr></thead>\n<tbody>\n";
    for (const Epoch& epoch : history) {
        html += fmt::format("<tr><td>{}</td>{}{}<td>{:.4g}</td><td>{:.3g}</td>", epoch.number, scores(epoch.training),
                            epoch.validation ? scores(*epoch.validation) : "", epoch.lr, epoch.seconds);
        for (const auto& [layer, norm] : epoch.gradient_norms) {
            html += fmt::format("<td>{:.4g}</td>", norm);
        }
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n</details>\n</section>\n";
}

}  // namespace

void write_report(const std::string& path, const Report& report) {
    const std::string page = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\"/>\n<title>{}: {}</title>\n<style>{}</style>\n"
        "</head>\n<body>\n<main>\n{}{}{}{}{}{}</main>\n</body>\n</html>\n",
        escaped(report.title), escaped(report.headline.empty() ? "training" : report.headline), report_style,
        header(report), charts(report), test(report), section("The graph of the loss", graph_html(report.graph)),
        configuration(report), epochs_table(report));
    xtape::io::write_file(path, std::as_bytes(std::span(page)));
}

}  // namespace train
