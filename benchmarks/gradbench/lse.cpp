#include "lse.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<lse::Input>(argc, argv, Function{"primal", lse::primal}, Function{"gradient", lse::gradient});
}
