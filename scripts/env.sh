# shellcheck shell=bash
# Sourced by every script: where things are kept, the environment a build needs, and three small helpers.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit
# shellcheck source=scripts/versions
source scripts/versions

# Everything that is built or fetched lies outside the clone, where the server's user can read it.
CACHE=${CLERK_SYNC_CACHE:-/var/tmp/clerk_sync.$(id -u)}
umask 022
mkdir -p "$CACHE"
# /var/tmp belongs to everybody: never run what somebody else may have put there.
if [ ! -O "$CACHE" ]; then
    echo "$CACHE belongs to another user; set CLERK_SYNC_CACHE to a directory of your own." >&2
    exit 1
fi
mkdir -p "$CACHE"/{pgrx,postgres,run,target,tools}

export CARGO_TARGET_DIR=$CACHE/target
export PGRX_HOME=$CACHE/pgrx
export PATH=$CACHE/tools/bin:$PATH
# Without this, cargo and cargo-pgrx use different flags and each compiles all of pgrx anew.
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
# A server started with backtraces on would send them to its clients.
export RUST_BACKTRACE=0

say() { printf '\n== %s\n' "$*"; }

die() {
    echo "$*" >&2
    exit 1
}

am_root() { [ "$(id -u)" = 0 ]; }

# Postgres refuses to run as root, so root starts it as the user that Debian's packages make.
as_server_user() {
    if am_root; then
        setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        "$@"
    fi
}

# Overwriting a library would crash servers that have it mapped; an unlinked one lives on for them.
unlink_library() { rm -f "$("$1" --pkglibdir)/clerk_sync.so"; }

# Runs cargo with tests that print how long each took.
with_test_times() {
    local host
    host=$(rustc --print host-tuple | tr 'a-z-' 'A-Z_')
    env "CARGO_TARGET_${host}_RUNNER=$ROOT/scripts/with-test-times" "$@"
}
