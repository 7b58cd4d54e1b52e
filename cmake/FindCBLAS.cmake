# Finds a BLAS with the C interface: OpenBLAS and the like carry both, the reference BLAS has it in libcblas.
#   CBLAS_FOUND, CBLAS_INCLUDE_DIR, CBLAS_LIBRARY, target CBLAS::CBLAS

include(FindPackageHandleStandardArgs)

find_path(CBLAS_INCLUDE_DIR NAMES cblas.h PATH_SUFFIXES openblas blis)
find_library(CBLAS_LIBRARY NAMES openblas blis cblas)
mark_as_advanced(CBLAS_INCLUDE_DIR CBLAS_LIBRARY)

find_package_handle_standard_args(CBLAS REQUIRED_VARS CBLAS_LIBRARY CBLAS_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install OpenBLAS (Debian: libopenblas-dev)")

if(CBLAS_FOUND AND NOT TARGET CBLAS::CBLAS)
    add_library(CBLAS::CBLAS UNKNOWN IMPORTED)
    set_target_properties(CBLAS::CBLAS PROPERTIES
        IMPORTED_LOCATION ${CBLAS_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${CBLAS_INCLUDE_DIR})
endif()
