# Sourced by demo.sh and test.sh.

# say WHAT: tells the user what comes next.
say() {
    printf '==> %s\n' "$*"
}

# configure: makes the release build in build/, or brings it up to date.
configure() {
    local fresh=() cache=build/CMakeCache.txt
    if [[ -f $cache ]] && ! grep -qx 'CMAKE_GENERATOR:INTERNAL=Ninja' "$cache"; then
        say "build/ was made for another generator: making it anew"
        fresh=(--fresh)
    fi
    say "configuring (cmake --preset release)"
    cmake --preset release "${fresh[@]}" --log-level=WARNING
}
