#include "kmeans.hpp"

int main(int argc, char** argv) {
    using namespace xtape::gradbench;
    return run_eval<kmeans::Input>(argc, argv, Function{"cost", kmeans::cost}, Function{"dir", kmeans::direction});
}
