#!/bin/sh
# Makes .venv: Python 3.11 and the packages of requirements.txt. Called by make, in the user's own
# environment: its proxies, certificates, mirrors and settings of uv count here.
set -eu
cd "$(dirname "$0")/.."

# The user's settings of Python would disturb the build of Theano.
unset PYTHONHOME PYTHONOPTIMIZE PYTHONPATH PYTHONWARNINGS

# .venv/made-from holds the checksum of the pins, and how many files of code .venv had then. It is
# empty until .venv is complete.
stamp=.venv/made-from
pins=$(cat requirements.txt constraints.txt | cksum)
count_code() {
    find -L .venv/lib -type f \( -name '*.py' -o -name '*.so*' \) 2>/dev/null | wc -l
}

# Done already? Not where files are missing, or where Python's own, which .venv links to, are gone.
if [ -s $stamp ]; then
    { read -r made_from && read -r files; } <$stamp || true
    if [ "$made_from" = "$pins" ] && [ "$(count_code)" -ge "${files:-0}" ] &&
        .venv/bin/python -c 'import numpy' 2>/dev/null; then
        exit 0
    fi
fi

if [ -e .venv ] && [ ! -e $stamp ]; then
    echo ".venv exists but was not made by tools/setup.sh: rename or delete it" >&2
    exit 1
fi

# uv and pip keep downloads below HOME. Where it can't be written, they use .uv instead.
if [ ! -w "${HOME:-/nowhere}" ]; then
    mkdir -p .uv/home
    export HOME="$PWD/.uv/home"
fi

# Behind a company's proxy only the system's certificates are valid, so they are used if there are
# any: on Linux in /etc/ssl/certs, on macOS in its keychain.
if [ -d /System/Library/Keychains ] || ls /etc/ssl/certs/ca-* >/dev/null 2>&1; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

# uv finds or downloads Python 3.11 and installs the packages. An old one has no
# --build-constraint.
if uv pip install --help 2>/dev/null | grep -q -e --build-constraint; then
    uv=uv
else
    uv=.uv/uv-0.13.9.data/scripts/uv
    if ! $uv --version >/dev/null 2>&1; then
        if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
            echo "Found neither uv nor Python 3.8 or newer: install one of them" >&2
            exit 1
        fi
        echo "Downloading uv into .uv"
        python3 -m venv .uv/python
        # Downloaded and unpacked, not installed: pip.conf may send what is installed elsewhere.
        .uv/python/bin/python -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --dest .uv uv==0.13.9
        .uv/python/bin/python -m zipfile -e .uv/uv-0.13.9-*.whl .uv
        chmod +x $uv
    fi
fi

echo "Installing Python 3.11 and the packages of requirements.txt into .venv"
rm -rf .venv
mkdir -p .venv/home # make's HOME for what it runs
: >$stamp
# --allow-existing, since the stamp and the home folder are in .venv already.
$uv venv --quiet --allow-existing --python cpython@3.11 .venv
if ! $uv pip install --quiet --python .venv/bin/python --build-constraint constraints.txt \
    -r requirements.txt; then
    echo "Not all packages could be installed, for the reason above. There are none ready-made for" \
        "Linux without glibc 2.28 or newer (as Alpine) and for 32 bits" >&2
    exit 1
fi
printf '%s\n%s\n' "$pins" "$(count_code)" >$stamp
