#!/bin/sh
# Makes .venv: Python 3.11 and the packages of requirements.txt. Called by make. Where all is there
# it changes nothing, and needs no network.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."

# Of the user's settings for Python and uv, mirrors and the files that may name them count, and the
# second line below: where Python comes from (UV_PYTHON_DOWNLOADS, for example), proxies,
# certificates. All others are unset: they could install other packages, or into another folder.
for name in $(env | sed -n -E 's/^((PYTHON|UV_)[A-Z0-9_]*)=.*/\1/p'); do
    case $name in
        UV_*INDEX* | UV_*MIRROR* | UV_FIND_LINKS | UV_OFFLINE | UV_CACHE_DIR | UV_*CONFIG*) ;;
        UV_PYTHON_[DI]* | UV_HTTP_* | UV_*CERTS | UV_NATIVE_TLS | UV_INSECURE_HOST | UV_KEYRING*) ;;
        *) unset "$name" ;;
    esac
done
# A file in which one of these is set would send packages elsewhere, or not all: then none counts.
if grep -q -s -E '^ *(pip\.)?(target|prefix|no-deps) *=' "${UV_CONFIG_FILE:-/etc/uv/uv.toml}" \
    "${XDG_CONFIG_HOME:-${HOME:-}/.config}/uv/uv.toml"; then
    unset UV_CONFIG_FILE
    export UV_NO_CONFIG=1
fi

# Behind a company's proxy only the system's certificates are valid. They are used where there are
# some: macOS and Linux have them in these folders.
if [ -d /System/Library/Keychains ] || ls /etc/ssl/certs/ca-* >/dev/null 2>&1; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

# The home of what make runs; also of uv and pip, where the user's can't be written.
mkdir -p .uv/home
if [ ! -w "${HOME:-/nowhere}" ]; then
    export HOME="$PWD/.uv/home"
fi

stop() {
    echo "$*" >&2
    exit 1
}

# Everything is made in a folder of this process and then renamed: it is whole or not there,
# whatever stops this script, and two at once do not meet.
work=.uv/$$
rm -rf $work
trap 'rm -rf $work' EXIT
trap 'exit 1' HUP INT TERM

# uv finds or downloads Python 3.11 and installs the packages. One of them, Theano, is built here,
# by the setuptools of constraints.txt: --build-constraint, which an old uv lacks.
version=0.13.9
wheel=uv-$version
uv=.uv/$wheel.data/scripts/uv
if uv pip install --help 2>/dev/null | grep -q -e --build-constraint; then
    uv=uv
elif ! $uv --version >/dev/null 2>&1; then
    if [ "$(python3 -c 'import sys; print(sys.version_info >= (3, 8))' 2>&1)" != True ]; then
        stop "Found neither uv nor Python 3.8 or newer (as python3): install one of them"
    fi
    echo "Downloading uv into .uv"
    python3 -m venv $work/python || stop "python3 can't make an environment, for the reason" \
        "above. Install what it lacks (on Debian, apt install python3-venv), or install uv"
    # Downloaded and unpacked, not installed: pip.conf may send what is installed elsewhere.
    $work/python/bin/python -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --dest $work uv==$version ||
        stop "uv could not be downloaded, for the reason above"
    $work/python/bin/python -m zipfile -e $work/uv-*.whl $work
    chmod +x $work/$wheel.data/scripts/uv
    rm -rf .uv/$wheel.data
    mv $work/$wheel.data .uv
fi

# Whether an environment has the packages of requirements.txt, which names constraints.txt for all
# others, and all their files, as recorded in it. uv fails if a package is missing, since it has no
# index and, by env -i, no UV_FIND_LINKS to get it from.
is_whole() {
    env -i PATH="$PATH" $uv pip install --quiet --dry-run --no-config --no-cache --no-index \
        --python "$1/bin/python" -r requirements.txt &&
        "$1/bin/python" -I -c '
import importlib.metadata
for package in importlib.metadata.distributions():
    for file in package.files:
        path = file.locate()
        size = path.stat().st_size  # stops if there is none
        if file.size not in (None, size):
            raise SystemExit(f"{path} was changed")
'
}

if [ -e .venv ]; then
    grep -q -s '^prompt = mnist-rnn-theano$' .venv/pyvenv.cfg ||
        stop ".venv is there, and not as this version of make setup makes it: rename or delete it"
    if is_whole .venv 2>/dev/null; then
        exit 0
    fi
fi

echo "Looking for Python 3.11, or downloading it"
$uv venv --quiet --relocatable --prompt mnist-rnn-theano --python cpython@3.11 $work/venv || stop \
    "Python 3.11 was not found, nor downloaded, for the reason above. Install it (from" \
    "python.org, your system's packages, pyenv or conda) and call make again"
echo "Installing the packages of requirements.txt into .venv"
$uv pip install --quiet --python $work/venv/bin/python --build-constraint constraints.txt \
    -r requirements.txt || stop "Not all packages could be installed, for the reason above"
is_whole $work/venv || stop "The packages are not as they should be, for the reason above." \
    "A setting of uv's? Try UV_NO_CONFIG=1 make setup"
# Another call may have made it meanwhile.
if [ -e .venv ] && ! is_whole .venv 2>/dev/null; then
    mv .venv $work/old
fi
if [ ! -e .venv ]; then
    mv $work/venv .venv
fi
