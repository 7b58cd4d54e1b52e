// In the place of peer_sacado.cpp where the library is not installed.

#include "peer_gradbench.hpp"

const xtape::bench::GradbenchProgram* xtape::bench::sacado_gradbench() { return nullptr; }
