# Compiles `source` as its first line asks:
#   // must compile                    it does, and without a warning
#   // must not compile: WORDS         it doesn't, and the compiler's words hold WORDS; with CORRECTED defined it
#                                      does, so that what fails is what is meant to fail
#
#   cmake -D compiler=... -D source=... -D includes=a;b -D implicit=c;d -P compile_test.cmake

cmake_minimum_required(VERSION 3.25)

set(flags -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
foreach(directory IN LISTS includes)
    if(directory AND NOT directory IN_LIST implicit)
        list(APPEND flags -I${directory})
    endif()
endforeach()

function(compile outcome output)
    execute_process(COMMAND ${compiler} ${flags} ${ARGN} ${source}
        RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
    set(${outcome} ${result} PARENT_SCOPE)
    set(${output} "${out}${err}" PARENT_SCOPE)
endfunction()

file(STRINGS ${source} first_line LIMIT_COUNT 1)
if(first_line STREQUAL "// must compile")
    compile(result text)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${source} does not compile:\n${text}")
    endif()
elseif(first_line MATCHES "^// must not compile: (.+)$")
    set(expected "${CMAKE_MATCH_1}")
    compile(result text -DCORRECTED)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${source} does not compile even when corrected:\n${text}")
    endif()
    compile(result text)
    if(result EQUAL 0)
        message(FATAL_ERROR "${source} compiles; it must not")
    endif()
    string(FIND "${text}" "${expected}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "${source} does not compile, but the compiler does not say \"${expected}\":\n${text}")
    endif()
else()
    message(FATAL_ERROR "${source}: the first line does not say what to expect")
endif()
