#!/bin/sh
# Makes .venv: Python 3.11 and the packages of requirements.txt. Called by make, in the user's own
# environment: its proxies, certificates, mirrors and settings of uv count here.
set -eu
cd "$(dirname "$0")/.."

# The user's settings of Python would disturb the build of Theano.
unset PYTHONHOME PYTHONOPTIMIZE PYTHONPATH PYTHONWARNINGS

# .venv/made-from holds the checksum of the pins. It is empty until .venv is complete.
stamp=.venv/made-from
pins=$(cat requirements.txt constraints.txt | cksum)

# Done already? Python is tried, too, since the system's may have been removed or upgraded.
if [ "$(cat $stamp 2>/dev/null)" = "$pins" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
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
    uv=.uv/uv/bin/uv
    if ! $uv --version >/dev/null 2>&1; then
        command -v python3 >/dev/null || {
            echo "Found neither uv nor python3: install one of them" >&2
            exit 1
        }
        echo "Installing uv into .uv"
        python3 -m venv .uv
        # pip.conf may send packages elsewhere, by user or target; these two win over it.
        PIP_USER=false .uv/bin/python -m pip install --quiet --disable-pip-version-check \
            --target .uv/uv uv==0.13.9
    fi
fi

echo "Installing Python 3.11 and the packages of requirements.txt into .venv"
rm -rf .venv
mkdir -p .venv/home
: >$stamp
# It is allowed to exist, since the stamp and HOME are in it already.
$uv venv --quiet --allow-existing --python cpython@3.11 .venv
$uv pip install --quiet --python .venv/bin/python --build-constraint constraints.txt \
    -r requirements.txt
echo "$pins" >$stamp
