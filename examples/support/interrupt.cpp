#include "interrupt.hpp"

#include <csignal>

namespace support {
namespace {

volatile std::sig_atomic_t requested_flag = 0;
struct sigaction previous_action;

}  // namespace

Interrupt::Interrupt() {
    requested_flag = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { requested_flag = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // SA_RESETHAND: the second one is not ours
    sigaction(SIGINT, &action, &previous_action);
}

Interrupt::~Interrupt() { sigaction(SIGINT, &previous_action, nullptr); }

bool Interrupt::requested() { return requested_flag != 0; }

}  // namespace support
