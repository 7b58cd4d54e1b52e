# autograd/kernels/*.cpp, each compiled once per instruction set: the library picks one at run time (dispatch.cpp).
#   XTAPE_SIMD_LEVELS      an option: which, on x86-64
#   XTAPE_KERNEL_ARCHS     the instruction sets, weakest first
#   XTAPE_DISPATCH_SOURCE  autograd/kernels/dispatch.cpp, an ordinary source of the library
#   targets                xtape_kernels_<arch>
#
# The hazard is the one-definition rule: should a weak symbol (an inline function, a template) of the same name come
# out of two of these libraries, the linker keeps one for all, and a machine without AVX-512 may be handed the AVX-512
# copy. So everything carries the instruction set in its name: our own through XTAPE_ARCH, a namespace; xsimd's by
# renaming its namespace. The test kernel_symbols holds them to it.

include(CheckCXXSourceCompiles)
check_cxx_source_compiles("
    #if !defined(__x86_64__)
    #error another processor
    #endif
    int main() {}" XTAPE_X86_64)

set(XTAPE_SIMD_LEVELS "sse2;avx2;avx512" CACHE STRING
    "x86-64 instruction sets to compile kernels for; fewer make a smaller library, and a slower one where they are missed")
if(XTAPE_X86_64)
    set(XTAPE_KERNEL_ARCHS ${XTAPE_SIMD_LEVELS})
    foreach(arch IN LISTS XTAPE_KERNEL_ARCHS)
        if(NOT arch MATCHES "^(sse2|avx2|avx512)$")
            message(FATAL_ERROR "XTAPE_SIMD_LEVELS=${XTAPE_SIMD_LEVELS}: \"${arch}\" is not sse2, avx2 or avx512")
        endif()
    endforeach()
    if(NOT "sse2" IN_LIST XTAPE_KERNEL_ARCHS)
        message(FATAL_ERROR "XTAPE_SIMD_LEVELS=${XTAPE_SIMD_LEVELS}: sse2, which every x86-64 processor has, must be there")
    endif()
    set(xtape_flags_sse2)
    set(xtape_flags_avx2 -mavx2 -mfma)
    set(xtape_flags_avx512 -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mfma -mavx2)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
        # g++ 12 takes the deliberately undefined registers in its own AVX-512 intrinsics for mistakes (its bug 105593).
        list(APPEND xtape_flags_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
    endif()
else()
    set(XTAPE_KERNEL_ARCHS generic)
    set(xtape_flags_generic)
endif()

file(GLOB xtape_kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/autograd/kernels/*.cpp)
set(XTAPE_DISPATCH_SOURCE ${PROJECT_SOURCE_DIR}/autograd/kernels/dispatch.cpp)
list(REMOVE_ITEM xtape_kernel_sources ${XTAPE_DISPATCH_SOURCE})
set_property(SOURCE ${XTAPE_DISPATCH_SOURCE} PROPERTY COMPILE_DEFINITIONS
    XTAPE_KERNELS_X86=$<BOOL:${XTAPE_X86_64}>
    XTAPE_KERNELS_AVX2=$<IN_LIST:avx2,${XTAPE_KERNEL_ARCHS}>
    XTAPE_KERNELS_AVX512=$<IN_LIST:avx512,${XTAPE_KERNEL_ARCHS}>)

# How a target that consists of kernels is compiled for one instruction set.
function(xtape_kernel_settings target arch)
    xtape_settings(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/include)
    target_link_libraries(${target} PRIVATE xsimd)
    target_compile_definitions(${target} PRIVATE XTAPE_ARCH=${arch} xsimd=xsimd_${arch}
                                                 XTAPE_LIBMVEC=$<BOOL:${XTAPE_LIBMVEC}>)
    # Optimised even in a debug build: what is inlined leaves no weak symbol behind, and unoptimised SIMD code is slower
    # than none.
    target_compile_options(${target} PRIVATE ${xtape_flags_${arch}} -fno-math-errno -fno-trapping-math
                                             $<IF:$<CONFIG:Release>,-O3,-O2>)
endfunction()

foreach(arch IN LISTS XTAPE_KERNEL_ARCHS)
    add_library(xtape_kernels_${arch} OBJECT ${xtape_kernel_sources})
    xtape_kernel_settings(xtape_kernels_${arch} ${arch})
endforeach()
