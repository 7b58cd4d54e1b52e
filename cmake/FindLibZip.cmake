# Finds libzip. Its own package config, as Debian ships it, fails unless the command line tools zipcmp, zipmerge and
# ziptool are installed too; we need none of them.
#   LibZip_FOUND, LibZip_INCLUDE_DIR, LibZip_LIBRARY, target LibZip::LibZip

include(FindPackageHandleStandardArgs)

find_path(LibZip_INCLUDE_DIR NAMES zip.h)
find_library(LibZip_LIBRARY NAMES zip)
mark_as_advanced(LibZip_INCLUDE_DIR LibZip_LIBRARY)

find_package_handle_standard_args(LibZip REQUIRED_VARS LibZip_LIBRARY LibZip_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libzip (Debian: libzip-dev)")

if(LibZip_FOUND AND NOT TARGET LibZip::LibZip)
    add_library(LibZip::LibZip UNKNOWN IMPORTED)
    set_target_properties(LibZip::LibZip PROPERTIES
        IMPORTED_LOCATION ${LibZip_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${LibZip_INCLUDE_DIR})
endif()
