#!/usr/bin/env bash
# setuptools 84.2.1: `include_package_data = True` takes nothing into a wheel, and says nothing, where `package_dir` maps the
# root to "." (`package_dir = = .`), although MANIFEST.in names the file and the sdist holds it. The paths of the manifest
# and of the packages are compared as texts, and one of them begins with "./". Without `package_dir` the same project's
# wheel has the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install setuptools==84.2.1 build==1.6.1
for where in dot none; do
	project="$folder/$where"
	mkdir -p "$project/parcel"
	touch "$project/parcel/__init__.py"
	echo "dear reader" >"$project/parcel/letter.txt"
	echo "graft parcel" >"$project/MANIFEST.in"
	printf '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n' >"$project/pyproject.toml"
	printf '[metadata]\nname = parcel\nversion = 1\n[options]\ninclude_package_data = True\npackages = find:\n' >"$project/setup.cfg"
	if [ "$where" = dot ]; then printf 'package_dir =\n    = .\n' >>"$project/setup.cfg"; fi
	(cd "$project" && "$folder/venv/bin/python" -m build --no-isolation --quiet . >/dev/null 2>&1)
	"$folder/venv/bin/python" - "$project" "$where" <<'PYTHON'
import sys
import tarfile
import zipfile
from pathlib import Path

project, where = Path(sys.argv[1]), sys.argv[2]
wheel = zipfile.ZipFile(next(project.glob("dist/*.whl"))).namelist()
sdist = tarfile.open(next(project.glob("dist/*.tar.gz"))).getnames()
in_wheel = "parcel/letter.txt" in wheel
in_sdist = any(name.endswith("parcel/letter.txt") for name in sdist)
print(f"package_dir {where}: in the sdist {in_sdist}, in the wheel {in_wheel}")
assert in_sdist
assert in_wheel == (where == "none"), "this has changed"
PYTHON
done
