# Sourced by ./check and ./demo: installs the Debian packages that are missing.
# usage: install_missing GROUP...   groups: build run kernel quick tests testhost

packages_of() {
    case $1 in
    build) echo "ccache g++ meson ninja-build pkg-config gettext python3 libfmt-dev libboost1.81-dev libboost-json1.81-dev
        libxml2-dev libseccomp-dev libselinux1-dev libcap-ng-dev libsystemd-dev libacl1-dev libcli11-dev selinux-policy-dev" ;;
    run) echo "qemu-system-x86 qemu-utils ovmf swtpm swtpm-tools busybox-static cpio" ;;
    kernel) echo "linux-image-amd64" ;;
    testhost) echo "mmdebstrap policycoreutils e2fsprogs debhelper dpkg-dev lintian chromium chromium-driver python3-selenium" ;;
    quick) echo "libgtest-dev libxml2-utils clang-format-19 libvirt-clients" ;;
    tests) echo "acl attr e2fsprogs iproute2 procps libvirt-clients libvirt-daemon-system python3-libvirt virtinst
        clang-19 libclang-rt-19-dev libxml2-utils
        virt-manager gir1.2-gtk-vnc-2.0 gir1.2-spiceclientgtk-3.0 xvfb xdotool imagemagick dbus polkitd libvirt-dbus python3-gi qemu-guest-agent
        cockpit-ws cockpit-bridge cockpit-system cockpit-machines chromium chromium-driver" ;;
    esac
}

# Only what dpkg does not know as installed is asked for, so a second run needs no network.
install_missing() {
    missing=
    for group; do
        for package in $(packages_of "$group"); do
            dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
        done
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "these packages are missing, and only root can install them:$missing" >&2
        return 1
    fi
    echo "installing:$missing" >&2
    # No service of a package may start here: libvirt's own daemon is only ever run by the tests, privately.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made_policy=yes; }
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } \
        >/tmp/cloister-install.$$ 2>&1
    status=$?
    [ -z "$made_policy" ] || rm -f $policy
    [ $status = 0 ] || tail -n 20 /tmp/cloister-install.$$ >&2
    rm -f /tmp/cloister-install.$$
    return $status
}

# What is precompiled has no time of its own: without this ccache takes none of it.
export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros}"
# By the headers' contents, not by what the preprocessor makes of them: to the compiler a precompiled header is stale as soon as a comment
# changed, and then every class in it is there twice.
export CCACHE_DEPEND="${CCACHE_DEPEND:-1}"

# configure BUILD_DIR [MESON OPTION...]: an optimised build with debug information, through ccache when it is there.
configure() {
    build=$1
    shift
    if [ -e "$build/build.ninja" ]; then return 0; fi
    meson setup "$build" . "$@" >"$build.log" 2>&1 || { tail -n 30 "$build.log" >&2; return 1; }
    rm -f "$build.log"
}
