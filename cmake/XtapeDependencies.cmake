# Finds what xtape is made of. GLOBAL, because a project that includes xtape as a subdirectory links these targets
# through xtape::xtape and must be able to see them.

find_package(Threads REQUIRED GLOBAL)
find_package(xtensor 0.24 REQUIRED GLOBAL)
find_package(xtensor-blas REQUIRED GLOBAL)
find_package(xsimd REQUIRED GLOBAL)
find_package(fmt 9 REQUIRED GLOBAL)
find_package(CBLAS REQUIRED GLOBAL)
find_package(LAPACK REQUIRED GLOBAL)
find_package(LibCSV REQUIRED GLOBAL)
find_package(LibZip REQUIRED GLOBAL)
find_package(nlohmann_json REQUIRED GLOBAL)
# Optional: without it nn::export_onnx throws. -D CMAKE_DISABLE_FIND_PACKAGE_ONNX=ON leaves it out.
find_package(ONNX GLOBAL)

# glibc's vector functions, of 2.35 or later: autograd/kernels/libmvec.hpp. Without them xtape takes others.
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)
cmake_push_check_state()
list(APPEND CMAKE_REQUIRED_LIBRARIES mvec)
check_cxx_source_compiles("
    extern \"C\" void _ZGVbN2v_erf();
    extern \"C\" void _ZGVdN4v_erf();
    extern \"C\" void _ZGVeN8v_erf();
    int main() {
        _ZGVbN2v_erf();
        _ZGVdN4v_erf();
        _ZGVeN8v_erf();
    }" XTAPE_LIBMVEC)
cmake_pop_check_state()

# Users of xtape see xtensor's and fmt's headers. The rest is the library's own affair: a shared library hides it, a
# static one passes it on to the linker only (cmake/xtapeConfig.cmake.in finds it again).
function(xtape_link_dependencies target)
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                                $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target}
        PUBLIC xtensor fmt::fmt
        PRIVATE Threads::Threads CBLAS::CBLAS LAPACK::LAPACK LibCSV::LibCSV LibZip::LibZip
                $<$<BOOL:${XTAPE_LIBMVEC}>:mvec> $<$<BOOL:${ONNX_FOUND}>:ONNX::ONNX>
                $<BUILD_INTERFACE:xtensor-blas> $<BUILD_INTERFACE:xsimd> $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
endfunction()
