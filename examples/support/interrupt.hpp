#pragma once

namespace support {

/// While it lives, the first Ctrl-C (SIGINT) only makes `requested()` true, so that a loop can end in good order.
/// A second one ends the program at once, as it always does. One at a time.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    static bool requested();
};

}  // namespace support
