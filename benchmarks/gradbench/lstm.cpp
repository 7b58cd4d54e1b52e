#include "lstm.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<lstm::Input>(argc, argv, Function{"objective", lstm::objective},
                                 Function{"jacobian", lstm::jacobian});
}
