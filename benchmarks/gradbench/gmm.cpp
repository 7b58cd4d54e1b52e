#include "gmm.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<gmm::Input>(argc, argv, Function{"objective", gmm::objective}, Function{"jacobian", gmm::jacobian});
}
