# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What tools/check and tools/demo share: the packages, and a configured build directory.

# shellcheck disable=SC2034,SC2154  # the caller sets $top and reads the lists

# Debian 12's names.
build_packages=(autoconf automake libtool pkg-config make gcc g++ libc6-dev binutils xz-utils
    liburcu-dev libcriterion-dev libnanomsg-dev libnng-dev libdw-dev)
check_packages=(clang valgrind curl socat netcat-openbsd wrk procps gdb)
demo_packages=(curl procps)
arm64_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user liburcu-dev:arm64)

say()
{
    printf '%s\n' "$*"
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints those of the named packages that are not installed.
missing_packages()
{
    local p arch native

    native=$(dpkg --print-architecture)
    for p in "$@"; do
        arch=$native
        case $p in *:*) arch=${p#*:} ;; esac
        dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "${p%:*}" 2>/dev/null |
            grep -qxE "(all|$arch) installed" || printf '%s ' "$p"
    done
}

# Installs what is missing as root or through sudo that asks no password; else says what to do.
need_packages()
{
    local missing as_root=()

    if ! command -v dpkg-query >/dev/null; then
        say "no dpkg here: going on in the hope that all of this is installed: $*"
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            die "packages are missing; as root: apt-get install ${missing% }"
        fi
        as_root=(sudo -n)
    fi
    say "installing: ${missing% }"
    "${as_root[@]}" apt-get -q update
    # shellcheck disable=SC2086  # words
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
}

# Lets dpkg take packages of another architecture.
need_architecture()
{
    local as_root=()

    command -v dpkg >/dev/null || return 0
    ! dpkg --print-foreign-architectures | grep -qx "$1" || return 0
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" dpkg --add-architecture "$1"
}

# Makes ./configure if it is not there or older than what it is made from.
need_configure()
{
    if [ ! -e "$top/configure" ] || [ ! -e "$top/Makefile.in" ] ||
        [ -n "$(find "$top/configure.ac" "$top/m4" "$top/Makefile.am" "$top"/*/local.mk "$top"/*/*/local.mk \
            -newer "$top/Makefile.in" -print -quit)" ]; then
        (cd "$top" && autoreconf -fi)
    fi
}

# configure_in DIRECTORY [OPTION...]: makes the directory, configured with these options. One that
# was configured with the same options by the same configure is used again.
configure_in()
{
    local dir=$1 wanted
    shift
    wanted="$top/configure $*"
    mkdir -p "$dir"
    if [ ! -e "$dir/Makefile" ] || [ "$top/configure" -nt "$dir/config.status" ] ||
        [ "$(cat "$dir/configured-with" 2>/dev/null)" != "$wanted" ]; then
        (cd "$dir" && "$top/configure" -q "$@" && printf '%s\n' "$wanted" >configured-with)
    fi
}
