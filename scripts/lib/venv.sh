# Makes the virtual environment that the scripts run in. Sourced; needs bash 3.2 or newer.
#
#   ensure_venv starter        sets VENV to an environment with capsize and these extras installed
#
# The environment is ./.venv, or the folder in CAPSIZE_VENV. It is made again or brought up to date when
# pyproject.toml, constraints.txt, the place of the project or the Python changed, and left alone otherwise.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
VENV="${CAPSIZE_VENV:-$ROOT/.venv}"

die() {
    printf '%s\n' "$@" >&2
    exit 64
}

# Prints the first Python that is 3.11 or newer. PYTHON, when set, is the only one that is tried.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Prints what the environment's content depends on, as one short word. $1: the extras.
_fingerprint() {
    { printf '%s\n' "$ROOT" "$1"; cat "$ROOT/pyproject.toml" "$ROOT/constraints.txt"; } | cksum | tr ' ' '-'
}

_stamp() { printf '%s/.capsize-%s' "$VENV" "$1"; }

# True when the extras in $1 hold all those in $2.
_covers() {
    local wanted
    for wanted in ${2//,/ }; do
        case ",$1," in *",$wanted,"*) ;; *) return 1 ;; esac
    done
}

# True when the environment works and holds these extras, or more. Asked for each run, so it must be quick.
_current() {
    local stamp extras
    for stamp in "$VENV"/.capsize-*; do
        extras="${stamp##*/.capsize-}"
        if _covers "$extras" "$1" && [ "$(cat "$stamp")" = "$(_fingerprint "$extras")" ] &&
            "$VENV/bin/python" -c '' >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

# One at a time: mkdir is atomic everywhere, and the pid inside tells a lock whose owner died.
_lock() {
    local lock="$VENV.lock" owner told="" nameless=0
    mkdir -p "$(dirname "$VENV")"
    until mkdir "$lock" 2>/dev/null; do
        owner="$(cat "$lock/pid" 2>/dev/null || true)"
        nameless=$([ -n "$owner" ] && echo 0 || echo $((nameless + 1)))
        if [ "$nameless" -gt 50 ] || { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; then
            rm -rf "$lock"
            continue
        fi
        [ -n "$told" ] || echo "Another script is preparing $VENV; waiting for it." >&2
        told=yes
        sleep 0.2
    done
    echo $$ >"$lock/pid"
    trap 'rm -rf "$VENV.lock"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

_unlock() {
    rm -rf "$VENV.lock"
    trap - EXIT INT TERM
}

_install() {
    local extras="$1" python log
    if ! "$VENV/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        # Only ever remove an environment, never a folder that CAPSIZE_VENV names by mistake.
        [ ! -e "$VENV" ] || [ -f "$VENV/pyvenv.cfg" ] || die \
            "$VENV exists and is no virtual environment. Name another place: CAPSIZE_VENV=/path/to/new $0"
        python="$(find_python)" || die \
            "No Python 3.11 or newer was found (tried ${PYTHON:-python3.13 python3.12 python3.11 python3})." \
            "Install one, with its venv module (Debian: apt install python3 python3-venv), or name one: PYTHON=/path/to/python $0"
        echo "Making $VENV with $("$python" --version 2>&1)." >&2
        rm -rf "$VENV"
        "$python" -m venv "$VENV" || die "$python could not make $VENV; on Debian its venv module is in python3-venv."
    fi
    echo "Installing capsize [$extras] and what it needs; this is done once and takes about a minute." >&2
    log="$VENV/.capsize-install.log"
    # ROOT is entered because pip takes "path[extras]" apart at the first bracket of the path.
    if ! (cd "$ROOT" && "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input \
        -c constraints.txt -e ".[$extras]") >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "The installation failed; the whole log: $log" >&2
        exit 70
    fi
    _fingerprint "$extras" >"$(_stamp "$extras")"
}

ensure_venv() {
    local extras="$1"
    _current "$extras" && return
    _lock
    # Whoever held the lock before may have done it.
    _current "$extras" || _install "$extras"
    _unlock
}
