#!/bin/sh
# Makes the Python environment of the SDK journeys under target/, once for each set of requirements, and
# prints its interpreter. Touches nothing outside the repository.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv="$root/target/sdk-python"

say() { echo "$*" >&2; }

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        say "The journeys with the Anthropic Python SDK need Python 3 with venv: apt-get install python3-venv"
        exit 1
    fi
    say "Installing the Anthropic Python SDK into target/sdk-python …"
    rm -rf "$venv"
    mkdir -p "$root/target"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt" >&2
    # Last, so that an installation that broke off is begun anew.
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
echo "$venv/bin/python"
