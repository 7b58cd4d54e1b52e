#pragma once

#include <functional>
#include <string>
#include <vector>

#include <spawn.h>

namespace support {

/// Runs a program, found along PATH, and waits for it. `prepare` says what becomes of its files and its folder.
/// Returns its exit status: 127 if there is no such program, 1 if it did not end by itself.
int run_program(std::vector<std::string> command, const std::function<void(posix_spawn_file_actions_t&)>& prepare);

}  // namespace support
