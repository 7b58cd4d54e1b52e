# Builds and runs a small project that uses xtape, then looks at what came along uninvited.
#   kind        static or shared: install xtape (its `component`, if given) from build_dir, move the tree, find it there;
#               not given: include source_dir as a subdirectory
#   scratch     a folder of this test's own, kept between runs so that the second is quick

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(project_dir ${CMAKE_CURRENT_LIST_DIR}/subdirectory)
set(options)
if(kind)
    set(project_dir ${CMAKE_CURRENT_LIST_DIR}/installed)
    set(component_option)
    if(component)
        set(component_option --component ${component})
    endif()
    # An installed tree can be moved: nothing in it may name the prefix it was made for.
    file(REMOVE_RECURSE ${scratch}/made-for ${scratch}/moved-to)
    execute_process(COMMAND ${CMAKE_COMMAND} --install ${build_dir} --prefix ${scratch}/made-for ${component_option}
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    file(RENAME ${scratch}/made-for ${scratch}/moved-to)
    set(options -D CMAKE_PREFIX_PATH=${scratch}/moved-to -D kind=${kind})
else()
    # The baseline's kernels alone: the others are the same sources, and half of the time.
    set(options -D xtape_source_dir=${source_dir} -D XTAPE_SIMD_LEVELS=sse2)
endif()

run(${CMAKE_COMMAND} -S ${project_dir} -B ${scratch}/build -G ${generator}
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_CXX_COMPILER_LAUNCHER=${launcher} -D CMAKE_EXPORT_COMPILE_COMMANDS=ON
    ${options})
run(${CMAKE_COMMAND} --build ${scratch}/build --parallel 2 --target consumer)
run(${scratch}/build/consumer)

# The user's own sources are compiled with no option that the user did not ask for: an include path, the language
# standard and fmt's FMT_SHARED are all that xtape brings.
file(READ ${scratch}/build/compile_commands.json commands)
string(JSON count LENGTH ${commands})
math(EXPR last "${count} - 1")
set(looked_at 0)
foreach(index RANGE ${last})
    string(JSON file GET ${commands} ${index} file)
    if(NOT file STREQUAL "${CMAKE_CURRENT_LIST_DIR}/main.cpp")
        continue()
    endif()
    math(EXPR looked_at "${looked_at} + 1")
    string(JSON command GET ${commands} ${index} command)
    separate_arguments(arguments UNIX_COMMAND "${command}")
    list(FILTER arguments INCLUDE REGEX "^-[DfmOW]")
    list(FILTER arguments EXCLUDE REGEX "^-DFMT_SHARED$")
    if(arguments)
        message(FATAL_ERROR "xtape::xtape adds options to its user's sources: ${arguments}")
    endif()
endforeach()
if(looked_at EQUAL 0)
    message(FATAL_ERROR "no compile command for the consumer's source in ${scratch}/build/compile_commands.json")
endif()

if(NOT kind)
    file(REMOVE_RECURSE ${scratch}/installed)
    run(${CMAKE_COMMAND} --install ${scratch}/build --prefix ${scratch}/installed)
    file(GLOB_RECURSE installed ${scratch}/installed/*)
    if(installed)
        message(FATAL_ERROR "a project that includes xtape installs it without having asked: ${installed}")
    endif()
endif()
