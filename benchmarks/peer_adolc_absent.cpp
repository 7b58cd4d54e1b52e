// In the place of peer_adolc.cpp where the library is not installed.

#include "peer_gradbench.hpp"

const xtape::bench::GradbenchProgram* xtape::bench::adolc_gradbench() { return nullptr; }
