#!/usr/bin/env bash
# pip 26.3: the option --no-compile as an environment variable means its opposite. PIP_NO_COMPILE=1 leaves compiling to
# bytecode switched on, as if nothing was said, PIP_NO_COMPILE=0 switches it off, and so does PIP_COMPILE=0. The option itself, on the
# command line, does what its name says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install pip==26.3
install() { # its name, then what stands before and behind the command
	name=$1
	shift
	env "$1" "$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install --no-deps --target "$folder/$name" ${2:-} idna==3.10
	compiled=$(find "$folder/$name" -name '*.pyc' | wc -l)
	echo "$1 ${2:-}: $compiled files of bytecode"
}
install nothing NOTHING=1
[ "$compiled" -gt 0 ]
install option NOTHING=1 --no-compile
[ "$compiled" -eq 0 ]
install one PIP_NO_COMPILE=1
[ "$compiled" -gt 0 ]
install zero PIP_NO_COMPILE=0
[ "$compiled" -eq 0 ]
install positive PIP_COMPILE=0
[ "$compiled" -eq 0 ]
