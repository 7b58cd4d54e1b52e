# Finds libcsv, the small C parser for RFC 4180 and its relatives, which brings no CMake files of its own.
#   LibCSV_FOUND, LibCSV_INCLUDE_DIR, LibCSV_LIBRARY, target LibCSV::LibCSV

include(FindPackageHandleStandardArgs)

find_path(LibCSV_INCLUDE_DIR NAMES csv.h)
find_library(LibCSV_LIBRARY NAMES csv)
mark_as_advanced(LibCSV_INCLUDE_DIR LibCSV_LIBRARY)

find_package_handle_standard_args(LibCSV REQUIRED_VARS LibCSV_LIBRARY LibCSV_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libcsv (Debian: libcsv-dev)")

if(LibCSV_FOUND AND NOT TARGET LibCSV::LibCSV)
    add_library(LibCSV::LibCSV UNKNOWN IMPORTED)
    set_target_properties(LibCSV::LibCSV PROPERTIES
        IMPORTED_LOCATION ${LibCSV_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${LibCSV_INCLUDE_DIR})
endif()
