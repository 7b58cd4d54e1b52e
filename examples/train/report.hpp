#pragma once

#include <optional>
#include <string>
#include <vector>

#include "course.hpp"

namespace train {

/// What a report tells.
struct Report {
    std::string title;     ///< the data's name
    std::string headline;  ///< "test accuracy: 97.8%"; empty without a test
    std::string remark;    ///< such as that the run was interrupted; may be empty
    Task task = Task::classification;
    std::vector<std::string> classes;
    std::vector<std::pair<std::string, std::string>> facts;     ///< name and value, of data, network and result
    std::vector<std::pair<std::string, std::string>> versions;  ///< of programs
    std::vector<Epoch> history;
    std::size_t best_epoch = 0;  ///< whose weights were kept; 0: the last
    std::optional<Verdict> test;
    Json configuration;
    std::string graph;  ///< in Graphviz's language
};

/// Writes a page that needs nothing but itself. Throws IoError.
void write_report(const std::string& path, const Report& report);

}  // namespace train
