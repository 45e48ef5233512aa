# shellcheck shell=bash
# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
#
# What labs that are made of Debian have in common; sourced by them. They have `state`, a folder, and `say` and `die`.

# The mirror that debootstrap takes packages from: FREEZER_LAB_MIRROR, else the one in apt's sources.
debian_mirror() {
    [ -z "${FREEZER_LAB_MIRROR:-}" ] || {
        echo "$FREEZER_LAB_MIRROR"
        return
    }
    local found
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1) || :
    [ -n "$found" ] || die "no Debian mirror is known; name one in FREEZER_LAB_MIRROR"
    echo "${found%% *}"
}

# usage: install_packages PACKAGE...; nothing to do for none.
install_packages() {
    [ $# -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "there is no $* here, and no apt-get to get it with"
    say "installing $*"
    local tries
    for tries in $(seq 40); do
        # Some source of this machine may not answer; what is needed then comes from the others.
        timeout 180 apt-get -qq update >"${state:?}/apt.log" 2>&1 || :
        if DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qq -y -o DPkg::Lock::Timeout=240 install \
            --no-install-recommends "$@" >>"$state/apt.log" 2>&1; then
            return 0
        fi
        # The lock of the archives is not covered by apt's own patience.
        grep -q 'Could not get lock' "$state/apt.log" || break
        sleep 3
    done
    die "apt-get cannot install $* (try $tries): $(tail -n 1 "$state/apt.log")"
}

# usage: unpack_packages FOLDER PACKAGE...; what is in them and in what they need is then below FOLDER. Nothing is installed.
unpack_packages() {
    local folder=$1 apt=${state:?}/apt deb
    shift
    command -v apt-get >/dev/null || die "$* comes from Debian's packages, and there is no apt-get here"
    rm -rf "$apt" "$folder"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$folder"
    local options=(-qq -y -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" -o Debug::NoLocking=1
        -o APT::Sandbox::User=root -o Acquire::http::Timeout=30 -o Acquire::Retries=2)
    timeout 180 apt-get "${options[@]}" update >"$state/apt.log" 2>&1 || :
    # Libraries that this machine has are fetched again and used all the same.
    timeout 300 apt-get "${options[@]}" install --download-only --reinstall --no-install-recommends "$@" \
        >>"$state/apt.log" 2>&1 || die "apt-get cannot fetch $*: $(tail -n 1 "$state/apt.log")"
    for deb in "$apt"/archives/*.deb; do
        dpkg-deb -x "$deb" "$folder"
    done
    rm -rf "$apt"
}
