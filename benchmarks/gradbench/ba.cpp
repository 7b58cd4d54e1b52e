#include "ba.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<ba::Input>(argc, argv, Function{"objective", ba::objective}, Function{"jacobian", ba::jacobian});
}
