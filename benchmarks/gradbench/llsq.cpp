#include "llsq.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<llsq::Input>(argc, argv, Function{"primal", llsq::primal}, Function{"gradient", llsq::gradient});
}
