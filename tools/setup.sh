#!/bin/sh
# Makes the virtual environment and installs edgecnn into it, editable, with the versions that were tested.
#
#   tools/setup.sh EXTRA      EXTRA is one of pyproject.toml: all (what edgecnn can use) or dev (all, and the tools to test it)
#
# PYTHON=python3.12   the Python to use (3.10 to 3.13); otherwise the first suitable one on the path
# VENV=.venv          where the environment goes
# NO_APT=1            install no Debian packages, even as root
#
# Needs a Python and nothing else. uv is used where it can be had because it is faster, pip does as well. Debian packages
# are installed as root or with passwordless sudo; otherwise the script says what is missing and what it is missed for.
# Proxies and package indexes are the machine's own: environment variables and pip's configuration.
set -eu
cd "$(dirname "$0")/.."

EXTRA=${1:-dev}
VENV=${VENV:-.venv}
PYTHON=${PYTHON:-}
NO_APT=${NO_APT:-}
IN_VENV=$VENV/bin/python

say() { printf '%s\n' "setup: $*"; }
warn() { printf '%s\n' "setup: $*" >&2; }
die() {
    warn "$@"
    exit 1
}

# --- Debian packages -------------------------------------------------------------------------------------------------

apt_updated=
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_apt() {
    [ -z "$NO_APT" ] && command -v apt-get >/dev/null 2>&1 &&
        { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; }
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" \
        </dev/null >"$log" 2>&1
}

# Package by package, so that one which this release does not have costs no other. The lists are fetched only when an
# installation fails without them: they may be there, and they may be old.
apt_install() {
    log=$(mktemp)
    for package in "$@"; do
        say "apt-get install $package"
        apt_get install --no-install-recommends "$package" && continue
        if [ -z "$apt_updated" ]; then
            apt_updated=yes
            say "apt-get update"
            apt_get update || warn "apt-get update failed: $(tail -n 1 "$log")"
            apt_get install --no-install-recommends "$package" && continue
        fi
        warn "apt-get install $package failed: $(grep -v '^$' "$log" | tail -n 1)"
    done
    rm -f "$log"
}

# All four files, in any spelling that edgecnn reads. MNIST's have the same names: the folder is taken at its word.
holds_fashion_mnist() {
    for part in train-images train-labels t10k-images t10k-labels; do
        set -- "$1" "$1/$part"[-.]idx[13]-ubyte*
        [ -f "$2" ] || return 1
    done
}

have_fashion_mnist() {
    for folder in ${EDGECNN_DATA:+"$EDGECNN_DATA/fashion_mnist" "$EDGECNN_DATA/fashion-mnist" "$EDGECNN_DATA"} \
        /usr/share/datasets/fashion-mnist "${KERAS_HOME:-${HOME:-/}/.keras}/datasets/fashion-mnist"; do
        ! holds_fashion_mnist "$folder" || return 0
    done
    return 1
}

# Programs and the packages that bring them. What only tests need is not worth the download to use edgecnn.
tools() {
    cat <<END
gcc gcc
g++ g++
END
    [ "$EXTRA" != dev ] || cat <<END
clang clang libclang-rt-dev
cppcheck cppcheck
arm-none-eabi-gcc gcc-arm-none-eabi libnewlib-arm-none-eabi
qemu-system-arm qemu-system-arm
riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
qemu-system-riscv32 qemu-system-misc
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
qemu-aarch64 qemu-user
END
}

missing_packages() {
    tools | while read -r program packages; do
        command -v "$program" >/dev/null 2>&1 || echo "$packages"
    done
    have_fashion_mnist || echo dataset-fashion-mnist
}

say_missing() {
    names=" $(missing_packages | tr '\n' ' ')"
    case $names in
    *" gcc "* | *" g++ "*) warn "no C or C++ compiler here: tests that compile exported C are skipped" ;;
    esac
    case $names in
    *" clang "* | *" cppcheck "*) warn "no clang or no cppcheck here: tests that check exported C with them are skipped" ;;
    esac
    case $names in
    *" gcc-arm-none-eabi "* | *" qemu-system-arm "* | *" gcc-riscv64-unknown-elf "* | *" qemu-system-misc "*)
        warn "no compiler or no QEMU for a microcontroller here: tests that run C on emulated boards are skipped"
        ;;
    esac
    case $names in
    *" gcc-aarch64-linux-gnu "* | *" qemu-user "*)
        warn "no compiler or no QEMU for a Raspberry Pi here: tests that run C for its processors are skipped"
        ;;
    esac
    case $names in
    *fashion*)
        warn "no Fashion-MNIST here: it is downloaded through Keras where that is possible;" \
            "otherwise the demo trains digits_tiny, and tests that need it are skipped"
        ;;
    esac
    if [ "$names" != " " ] && command -v apt-get >/dev/null 2>&1; then
        names=${names# }
        warn "to get what is missing: sudo apt-get install ${names% }"
    fi
}

# --- Python ----------------------------------------------------------------------------------------------------------

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

find_python() {
    if [ -n "$PYTHON" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || die "PYTHON=$PYTHON: there is no such program"
        suitable "$PYTHON" || die "PYTHON=$PYTHON is $("$PYTHON" --version 2>&1); edgecnn runs on Python 3.10 to 3.13"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python python3.13 python3.12 python3.11 python3.10; do
        if command -v "$candidate" >/dev/null 2>&1 && suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo none)
    die "no Python 3.10 to 3.13 on the path (found: $found). Install one with \`sudo apt-get install python3 python3-venv\`," \
        "or, where the distribution has none of these versions, with \`uv python install 3.12\`;" \
        "then name it: PYTHON=/path/to/python3.12 make ..."
}

# Debian splits ensurepip off into python3-venv. Without it, and without root, a recent pip can still fill a bare
# environment from outside.
can_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
pip_from_outside() { "$1" -m pip --python "$(command -v "$1")" --version >/dev/null 2>&1; }

make_venv() {
    python=$1
    version=$(version_of "$python")
    if ! can_venv "$python" && can_apt; then apt_install "python$version-venv"; fi
    if can_venv "$python"; then
        "$python" -m venv "$VENV"
    elif command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" "$VENV"
    elif pip_from_outside "$python"; then
        "$python" -m venv --without-pip "$VENV"
    else
        die "Python $version cannot make a virtual environment here." \
            "Run \`sudo apt-get install python$version-venv\`, then the same make command again"
    fi
}

# --- Packages --------------------------------------------------------------------------------------------------------

pip() {
    if "$IN_VENV" -m pip --version >/dev/null 2>&1; then
        "$IN_VENV" -m pip "$@"
    else
        "$base" -m pip --python "$IN_VENV" "$@"
    fi
}

pip_setting() {
    printf '%s\n' "$pip_configuration" | sed -n "s/^[^=]*[.]$1='\(.*\)'\$/\1/p" | sed 's/\\n/ /g' | tail -n 1
}

# uv reads its own variables and not pip's configuration, which is where a machine behind a mirror has its addresses.
follow_pip_configuration() {
    pip_configuration=$(pip config list 2>/dev/null || true)
    index=$(pip_setting index-url)
    extra=$(pip_setting extra-index-url)
    links=$(pip_setting find-links | tr ' ' ',')
    certificate=$(pip_setting cert)
    proxy=$(pip_setting proxy)
    hosts=$(pip_setting trusted-host)
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    # pip takes the best version over all its indexes, uv by default the first index that knows the name.
    [ -z "$extra" ] || export UV_INDEX="${UV_INDEX:-$extra}" UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    [ -z "$links" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$links}"
    [ -z "$certificate" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificate}"
    [ -z "$proxy" ] || export HTTPS_PROXY="${HTTPS_PROXY:-$proxy}" HTTP_PROXY="${HTTP_PROXY:-$proxy}"
    [ -z "$hosts" ] || export UV_INSECURE_HOST="${UV_INSECURE_HOST:-$hosts}"
}

find_uv() {
    if [ -x "$VENV/bin/uv" ]; then
        echo "$VENV/bin/uv"
    elif command -v uv >/dev/null 2>&1; then
        echo uv
    elif pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1; then
        echo "$VENV/bin/uv"
    fi
}

install_packages() {
    # An environment that was interrupted in the making, or that uv made, has no pip.
    pip --version >/dev/null 2>&1 || "$IN_VENV" -m ensurepip >/dev/null 2>&1 || true
    follow_pip_configuration
    uv=$(find_uv)
    if [ -n "$uv" ]; then
        say "installing edgecnn[$EXTRA] with uv"
        "$uv" pip install --quiet --python "$IN_VENV" -c constraints.txt -e ".[$EXTRA]" && return
        warn "uv could not do it; trying pip"
    fi
    say "installing edgecnn[$EXTRA] with pip (this takes a minute or more)"
    pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$EXTRA]" ||
        die "the packages could not be installed: see above. A proxy or an own package index is taken from" \
            "HTTPS_PROXY and from pip's configuration (\`pip config list\`)"
}

# --- What is to be done ----------------------------------------------------------------------------------------------

stamp_of() {
    hash=$("$IN_VENV" -c 'import hashlib, pathlib, sys
print(hashlib.sha256(b"".join(pathlib.Path(name).read_bytes() for name in sys.argv[1:])).hexdigest()[:16])' \
        pyproject.toml constraints.txt)
    echo "$VENV/.stamp-$1-$hash"
}

ready() {
    suitable "$IN_VENV" && { [ -f "$(stamp_of dev)" ] || [ -f "$(stamp_of "$EXTRA")" ]; }
}

if [ -e "$VENV" ] && [ ! -f "$VENV/pyvenv.cfg" ]; then
    die "$VENV is there already and is no virtual environment. Move it away, or set VENV to another folder"
fi
# What replaces an environment is found before it is removed, by an assignment of its own: `set -e` ends the script when
# there is none, which it would not do inside a condition or a nested $( ).
if [ -e "$VENV" ] && ! suitable "$IN_VENV"; then
    base=$(find_python)
    say "the Python of $VENV is gone or of another version: making it anew"
    rm -rf "$VENV"
elif [ -e "$VENV" ] && [ -n "$PYTHON" ]; then
    base=$(find_python)
    there=$(version_of "$IN_VENV")
    if [ "$(version_of "$base")" != "$there" ]; then
        say "$VENV has Python $there, $PYTHON is wanted: making it anew"
        rm -rf "$VENV"
    fi
fi

if ready; then
    say_missing
    exit 0
fi

base=$(find_python)
say "Python $(version_of "$base") ($(command -v "$base")), environment $VENV"
if can_apt; then
    wanted=$(missing_packages)
    # shellcheck disable=SC2086    # a list of words
    [ -z "$wanted" ] || apt_install $wanted
fi
say_missing
[ -e "$VENV" ] || make_venv "$base"
rm -f "$VENV"/.stamp-*
install_packages
: >"$(stamp_of "$EXTRA")"
say "ready"
