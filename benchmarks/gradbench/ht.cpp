#include "ht.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<ht::Input>(argc, argv, Function{"objective", ht::objective}, Function{"jacobian", ht::jacobian});
}
