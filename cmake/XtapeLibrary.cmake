# xtape_library(<target> [STATIC|SHARED] [COMPONENT <name>]): packs xtape's objects into a library and, with
# XTAPE_INSTALL, makes its install rules. Without a kind BUILD_SHARED_LIBS decides. A library with a COMPONENT is
# installed only when that component is asked for by name.

include(CMakePackageConfigHelpers)

function(xtape_library target)
    cmake_parse_arguments(arg "STATIC;SHARED" "COMPONENT" "" ${ARGN})
    set(kind)
    if(arg_STATIC)
        set(kind STATIC)
    elseif(arg_SHARED)
        set(kind SHARED)
    endif()

    add_library(${target} ${kind} $<TARGET_OBJECTS:xtape_objects>)
    foreach(arch IN LISTS XTAPE_KERNEL_ARCHS)
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:xtape_kernels_${arch}>)
    endforeach()
    xtape_link_dependencies(${target})
    target_compile_features(${target} PUBLIC cxx_std_20)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME xtape EXPORT_NAME xtape LINKER_LANGUAGE CXX
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    if(XTAPE_SANITIZE)
        # Sanitized objects need the sanitizer's run time, whoever links them.
        target_link_options(${target} PUBLIC -fsanitize=${XTAPE_SANITIZE})
    endif()

    if(XTAPE_INSTALL)
        xtape_install(${target} "${arg_COMPONENT}")
    endif()
endfunction()

function(xtape_install target component)
    set(when)
    if(component)
        set(when COMPONENT ${component} EXCLUDE_FROM_ALL)
    endif()
    install(TARGETS ${target} EXPORT ${target}Targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${when}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ${when}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} ${when})

    set(headers ${CMAKE_INSTALL_INCLUDEDIR}/xtape)
    install(FILES ${PROJECT_SOURCE_DIR}/xtape.hpp DESTINATION ${headers} ${when})
    foreach(folder IN LISTS XTAPE_FOLDERS)
        install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${headers} ${when} FILES_MATCHING PATTERN "*.hpp")
    endforeach()
    foreach(part IN LISTS XTAPE_PARTS)
        install(FILES ${PROJECT_SOURCE_DIR}/${part}/${part}.hpp DESTINATION ${headers} ${when})
    endforeach()

    get_target_property(type ${target} TYPE)
    string(COMPARE EQUAL ${type} STATIC_LIBRARY XTAPE_IS_STATIC)
    set(config ${PROJECT_BINARY_DIR}/package/${target})
    set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/xtape)
    configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/xtapeConfig.cmake.in ${config}/xtapeConfig.cmake
        INSTALL_DESTINATION ${destination})
    # Before 1.0 a new minor version may break its users.
    write_basic_package_version_file(${config}/xtapeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
    install(EXPORT ${target}Targets NAMESPACE xtape:: FILE xtapeTargets.cmake DESTINATION ${destination} ${when})
    install(FILES ${config}/xtapeConfig.cmake ${config}/xtapeConfigVersion.cmake
                  ${PROJECT_SOURCE_DIR}/cmake/FindCBLAS.cmake
                  ${PROJECT_SOURCE_DIR}/cmake/FindLibCSV.cmake
                  ${PROJECT_SOURCE_DIR}/cmake/FindLibZip.cmake
                  ${PROJECT_SOURCE_DIR}/cmake/FindONNX.cmake
        DESTINATION ${destination} ${when})
endfunction()
