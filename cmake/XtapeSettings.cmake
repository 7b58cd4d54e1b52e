# xtape_settings(target): how xtape's own targets are compiled. All of it is PRIVATE: nothing here reaches a user.

string(REPLACE "," ";" xtape_sanitizers "${XTAPE_SANITIZE}")
foreach(sanitizer IN LISTS xtape_sanitizers)
    if(NOT sanitizer MATCHES "^(address|undefined|leak|thread)$")
        message(FATAL_ERROR "XTAPE_SANITIZE=${XTAPE_SANITIZE}: \"${sanitizer}\" is not a sanitizer known here; "
                            "give a comma-separated list of address, undefined, leak, thread")
    endif()
endforeach()

function(xtape_settings target)
    target_compile_features(${target} PRIVATE cxx_std_20)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                             $<$<BOOL:${XTAPE_WARNINGS_AS_ERRORS}>:-Werror>)
    if(XTAPE_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${XTAPE_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer -g)
        target_compile_definitions(${target} PRIVATE XTAPE_POOL_BYPASS)
        get_target_property(type ${target} TYPE)
        if(NOT type STREQUAL OBJECT_LIBRARY)
            target_link_options(${target} PRIVATE -fsanitize=${XTAPE_SANITIZE})
        endif()
    endif()
endfunction()
