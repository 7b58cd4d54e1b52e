# What xtape decides only when it is the project being built, never when another project includes it.

option(BUILD_SHARED_LIBS "Build xtape as a shared library" OFF)

get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT is_multi_config)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo or MinSizeRel" FORCE)
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(XTAPE_CCACHE ccache)
    mark_as_advanced(XTAPE_CCACHE)
    if(XTAPE_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${XTAPE_CCACHE})
    endif()
endif()
