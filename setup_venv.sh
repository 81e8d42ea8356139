#!/bin/sh
# Makes the virtual environment that make uses, through uv, unless it is there and up to date.
#
#     ./setup_venv.sh VENV PYTHON
#
# PYTHON is a version, a name or a path; where it is empty, uv finds a Python 3.8 to 3.11 or downloads one.
# All is built in a folder beside VENV and moved into place in the end: an interruption leaves nothing half done,
# and two at once do not harm each other.
venv=${1%/} python=$2 uv=uv

fresh() {
	test -x "$venv/bin/python" && test -e "$venv/made-for" || return
	for file in requirements.txt constraints.txt; do
		if test $file -nt "$venv/made-for"; then return 1; fi
	done
	test -z "$python" || test "$python" = "$(cat "$venv/made-for")"
}

stop() {
	echo "$*" >&2
	exit 1
}

cannot_write() {
	stop "Cannot write $venv: choose another place: make VENV=/tmp/venv BUILD=/tmp/build run"
}

# The tool's error and its first cause, from the log, in one line.
reason() {
	sed -nE '/^ *(error|ERROR|×)/,$p' "$part/log" | head -n 2 |
		sed -E 's/^[ │├╰─▶×]*//; s/^(error|ERROR|cause|Caused by): *//' | paste -s -d ' ' -
}

# A uv of our own, for this once: made by any Python that can.
install_uv() {
	found=
	for any in "$python" "python$python" python3 python python3.11 python3.10 python3.9 python3.8; do
		"$any" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || continue
		found=$any
		"$any" -m venv "$part/uv" >"$part/log" 2>&1 && break
		rm -rf "$part/uv"
	done
	test "$found" || stop "Found neither a recent uv nor a Python 3.8 or later: install uv (https://docs.astral.sh/uv) or python3"
	test -d "$part/uv" || stop "$found -m venv failed: install uv, or what it lacks (on Debian and Ubuntu: apt install python3-venv)"
	"$part/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9 >"$part/log" 2>&1 ||
		stop "pip could not install uv ($(reason)): check the network and pip's index, or install uv"
	uv=$part/uv/bin/uv
}

fresh && exit
if test -e "$venv" && ! test -e "$venv/made-for"; then
	stop "$venv is there and make did not make it: move it away, or choose another place: make VENV=/tmp/venv ..."
fi
trap 'exit 1' INT TERM HUP  # dash runs no EXIT trap on a signal
trap 'rm -rf "$part"' EXIT
part=$(mkdir -p "$(dirname "$venv")" 2>/dev/null && mktemp -d "$venv.part-XXXXXX" 2>/dev/null) || cannot_write
new=$part/venv
# The system's certificates where it has some, as pip does: behind a company's proxy no others are valid. (An
# older uv knows the first name, a newer one the second.)
if ls /etc/ssl/certs/ca-* >/dev/null 2>&1; then
	export UV_NATIVE_TLS="${UV_NATIVE_TLS-true}" UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS-true}"
fi

echo "Setting up $venv: about 15 seconds"
uv pip install --help 2>/dev/null | grep -q -e --build-constraint || install_uv  # an old uv has no such option
: >"$part/uv.toml"  # what a project around this one sets for uv is not for here
"$uv" --project "$part" venv --quiet --relocatable --python "${python:-cpython>=3.8,<3.12}" "$new" >"$part/log" 2>&1 ||
	stop "uv got no Python ${python:-3.8 to 3.11} ($(reason)): install one, or name it: make PYTHON=/path/to/python3.11 run"
version=$("$new/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
case $version in
3.8 | 3.9 | 3.10 | 3.11) ;;
*) stop "$python is Python ${version:-that does not start}: this project needs Python 3.8 to 3.11, as Theano 1.0.5 does" ;;
esac
echo "$python" >"$new/made-for"
"$uv" --project "$part" pip install --quiet --python "$new/bin/python" -r requirements.txt \
	--build-constraint constraints.txt >"$part/log" 2>&1 ||
	stop "uv could not install the packages ($(reason)): check the network and uv's index, then call make again"

if ! fresh; then  # else another make was quicker
	test ! -e "$venv" || mv "$venv" "$part/old"
	mv "$new" "$venv" || cannot_write
	rm -rf "$venv/venv"  # here mv has put it if another make was quicker by a hair
fi
