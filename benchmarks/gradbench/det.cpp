#include "det.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<det::Input>(argc, argv, Function{"primal", det::primal}, Function{"gradient", det::gradient});
}
