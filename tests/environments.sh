#!/bin/sh
# Sets up environments as on machines unlike this one, and says of each whether that ended as it must. Where no Python
# fits, uv fetches one: here from an archive of .venv's own, so that nothing but PyPI is asked. Where something is
# missing or broken, one line must name it, and nothing may be left behind. For contributors on Linux, after make test:
#     tests/environments.sh [A PYTHON OF 3.12 OR LATER]
cd "$(dirname "$0")/.." || exit 1
place=$(mktemp -d) failed=0 && trap 'rm -rf "$place"' EXIT || exit 1
for new in "${1:-}" python3.14 python3.13 python3.12; do new=$(command -v "$new") && break; done
test "$new" || { echo "Found no Python 3.12 or later: name one" >&2; exit 1; }

# Folders for PATH: the shell's tools, and with them nothing, uv, a new Python, or one that makes no environment.
pinned=$(grep -o 'uv==[0-9.]*' setup_venv.sh)
"$new" -m venv "$place/uv" && "$place/uv/bin/python" -m pip install --quiet "$pinned" || exit 1
for path in bare uv new no_venv; do
    mkdir -p "$place/path/$path"
    for tool in cat dirname env grep head ls mkdir mktemp mv paste rm rmdir sed sh timeout; do
        ln -s "$(command -v $tool)" "$place/path/$path"
    done
done
ln -s "$place/uv/bin/uv" "$place/path/uv"
ln -s "$new" "$place/path/new/python3"
printf '#!/bin/sh\ncase "$*" in *venv*) exit 1 ;; esac\nexec "%s" "$@"\n' "$new" >"$place/path/no_venv/python3"
chmod +x "$place/path/no_venv/python3"

# .venv's Python, as uv would download it.
.venv/bin/python - "$place" <<'PY' || exit 1
import json, os, platform, sys, tarfile
place, base, version = sys.argv[1], sys.base_prefix, 'python%d.%d' % sys.version_info[:2]
libraries = [name for name in os.listdir(base + '/lib') if name.startswith('libpython')]
with tarfile.open(place + '/python.tar.gz', 'w:gz', compresslevel=1) as archive:
    for name in ['bin/' + version, 'include/' + version, 'lib/' + version] + ['lib/' + name for name in libraries]:
        archive.add(os.path.join(base, name), 'python/' + name, filter=lambda member: None if os.path.basename(
            member.name) in ('site-packages', 'dist-packages', 'test', '__pycache__') else member)
machine, numbers = platform.machine(), dict(zip(('major', 'minor', 'patch'), sys.version_info))
download = dict(numbers, name='cpython', arch={'family': machine, 'variant': None}, os='linux', libc='gnu', prerelease='',
                url='file://' + archive.name, sha256=None, variant=None, build='20240101')
with open(place + '/downloads.json', 'w') as file:
    json.dump({'cpython-%s-linux-%s-gnu' % (platform.python_version(), machine): download}, file)
PY

# try LABEL PATH SAYS [VARIABLE=VALUE ...] [COMMAND ...]: SAYS is what the last line must hold; empty: it must succeed.
try() {
    label=$1 path=$2 says=$3 && shift 3
    out=$(env -i HOME="$place/home" PATH="$place/path/$path" UV_PYTHON_INSTALL_DIR="$place/pythons" UV_HTTP_RETRIES=0 \
        PIP_RETRIES=0 UV_PYTHON_DOWNLOADS_JSON_URL="file://$place/downloads.json" "$@" ./setup_venv.sh "$place/venv" "" 2>&1)
    status=$? verdict=ok last=$(printf '%s' "$out" | tail -n 1)
    if test -z "$says"; then
        test $status = 0 && "$place/venv/bin/python" notebooks/bitwise.py >/dev/null 2>&1 || verdict=FAILED
    else
        case $last in *"$says"*) ;; *) verdict=FAILED ;; esac
        test $status != 0 && test "$(printf '%s\n' "$out" | grep -vc '^Setting up')" -le 1 || verdict=FAILED
        case $(ls -d "$place"/venv* 2>/dev/null) in ?*) verdict=FAILED ;; esac
    fi
    test $verdict = ok || failed=1
    echo "$verdict: $label${last:+: $last}"
}

nowhere=http://127.0.0.1:9/simple
try 'no uv, no Python' bare 'Found neither a recent uv nor a Python 3.8 or later'
try 'a Python without ensurepip' no_venv 'python3 -m venv failed'
try 'a new Python, pip reaches no index' new 'pip could not install uv' PIP_INDEX_URL=$nowhere
try 'uv, which gets no Python' uv 'uv got no Python' UV_PYTHON_DOWNLOADS=never
try 'uv, which reaches no index' uv 'uv could not install the packages' UV_INDEX_URL=$nowhere
try 'a new Python, interrupted' new 'Setting up' timeout -s INT 2
try 'a new Python, whose uv fetches another' new ''
try 'the same again, without a network' bare '' UV_OFFLINE=1
rm -rf "$place/venv" "$place/pythons"
try 'uv and no Python, twice at once (a)' uv '' >"$place/other" &
try 'uv and no Python, twice at once (b)' uv ''
wait
cat "$place/other"
grep -q ^ok "$place/other" || failed=1
exit $failed
