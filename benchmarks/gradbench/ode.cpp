#include "ode.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<ode::Input>(argc, argv, Function{"primal", ode::primal}, Function{"gradient", ode::gradient});
}
