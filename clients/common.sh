# What `install`, `run` and `contract` share: sourced, not run. Finds or installs tools, and starts a server.

clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$clients")
tools=$clients/.tools
description=$repository/openapi/openapi.json
binary=
# For the servers and what they write. PostgreSQL, which does not run as root, has to get in.
scratch=$(mktemp -d)
chmod 755 "$scratch"
servers=()

say() { printf '\n== %s\n' "$*"; }

fail() {
    echo "$*" >&2
    exit 1
}

clean_up() {
    local server
    for server in "${servers[@]}"; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

# Leaves out what is under way, since a tool is missing and cannot be installed. In CI that is an error. What calls this
# runs in a subshell of its own.
missing() {
    [ -z "${APPOINTD_TOOLS_REQUIRED-${CI:-}}" ] || fail "$1 is missing"
    echo "skipped: $1 is missing"
    exit 0
}

# The options that both scripts take; what else there is stays in `words`.
words=()
read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --server) binary=$(realpath "${2:?--server needs a file}") && shift ;;
            --description) description=$(realpath "${2:?--description needs a file}") && shift ;;
            -h | --help) usage && exit 0 ;;
            -*) usage >&2 && exit 2 ;;
            *) words+=("$1") ;;
        esac
        shift
    done
}

# Python 3.11 or newer with the packages of a list of requirements: `python` is its interpreter.
use_python() { # requirements, name
    local folder=$tools/$2
    local new_enough='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    if ! python3 -c "$new_enough" 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update && apt-get install --yes python3 python3-venv || true
        fi
        python3 -c "$new_enough" 2>/dev/null || missing "Python 3.11 with venv"
    fi
    python=$folder/bin/python
    if ! cmp -s "$1" "$folder/installed"; then
        rm -rf "$folder"
        python3 -m venv "$folder"
        "$python" -m pip install --quiet --disable-pip-version-check --requirement "$1" ||
            missing "a package of ${1#"$repository/"}"
        cp "$1" "$folder/installed"
    fi
}

# Node.js 20.19 or newer in the PATH. Where the machine has none: the one that a Python package carries.
use_node() {
    local new_enough='const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
    if command -v npm >/dev/null && node --eval "$new_enough" 2>/dev/null; then
        return
    fi
    use_python "$clients/node-requirements.txt" node
    PATH=$tools/node/bin:$PATH
    node --eval "$new_enough"
}

# The packages of a folder, as its lock has them.
install_packages() { # folder
    if ! cmp -s "$1/package-lock.json" "$1/node_modules/installed"; then
        npm ci --prefix "$1" --loglevel error || missing "a package of ${1#"$repository/"}/package-lock.json"
        cp "$1/package-lock.json" "$1/node_modules/installed"
    fi
}

# The Rust client and its scenario: `scenario` is the program.
build_rust() {
    command -v cargo >/dev/null || missing Rust
    APPOINTD_DESCRIPTION=$description cargo build --quiet --locked --manifest-path "$clients/rust/Cargo.toml"
    scenario=${CARGO_TARGET_DIR:-$clients/rust/target}/debug/appointd-client-scenario
}

# The program: the one that was given, or the one that this tree builds.
find_server() {
    if [ -z "$binary" ]; then
        say "build the server"
        cargo build --quiet --locked --manifest-path "$repository/Cargo.toml"
        binary=${CARGO_TARGET_DIR:-$repository/target}/debug/appointd
    fi
}

# Waits for a line in the output of a server, and prints what the pattern finds in it.
await() { # process, file, sed expression
    local found
    for _ in $(seq 600); do
        found=$(sed -n -E "$3" "$2" | head -1)
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
        kill -0 "$1" 2>/dev/null || break
        sleep 0.2
    done
    cat "$2"* >&2
    fail "the server did not start"
}

# `appointd dev` on a free port: sets APPOINTD_URL, APPOINTD_MAIL and `database`, the URL of its database.
start_dev() {
    find_server
    say "start $binary"
    local output=$scratch/dev.out
    "$binary" dev --data-dir "$scratch/dev" --listen 127.0.0.1:0 >"$output" 2>"$output.err" &
    servers=("$!" "${servers[@]}")
    APPOINTD_URL=$(await "$!" "$output" 's/^appointd is running at (http[^ ]+)$/\1/p')
    APPOINTD_MAIL=$(await "$!" "$output" 's/^E-mails +(.*)$/\1/p')
    database=$(await "$!" "$output" "s/^[^ ]*psql '([^']+user=appointd_api)' -c .*/\1/p")
    export APPOINTD_URL APPOINTD_MAIL
}
