"""The hub's bill of materials in CycloneDX 1.6: every crate that is compiled into it, or builds it.

sbom.py CARGO_LOCK < `cargo tree --package syncline-hub --edges normal,build --prefix none
--format '{p}|{l}'`, a line a crate, crates seen before again. The same input gives the same bytes.
"""

import json
import re
import sys
import tomllib

PROGRAM = "syncline-hub"

# `name v1.2.3`, what it is or where it lies, its licence, and whether it was told before.
LINE = re.compile(r"(\S+) v(\S+)(?: \(.*?\))*\|(.*?)(?: \(\*\))?$")


def crates(lines):
    """(name, version) → licence."""
    found = {}
    for line in filter(None, map(str.strip, lines)):
        read = LINE.match(line)
        if read is None:
            raise ValueError(f"no crate: {line}")
        found[read[1], read[2]] = read[3]
    return found


def component(crate, licence, checksum):
    """A crate as CycloneDX describes it."""
    name, version = crate
    purl = f"pkg:cargo/{name}@{version}"
    described = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        # The slash is an old way to write OR.
        described["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", licence)}]
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def bill(lines, lock):
    """The whole document."""
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    described = [
        component(crate, licence, checksums[crate]) for crate, licence in sorted(crates(lines).items())
    ]
    (program,) = [each for each in described if each["name"] == PROGRAM]
    described.remove(program)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**program, "type": "application"}},
        "components": described,
    }


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        lock = tomllib.load(file)
    json.dump(bill(sys.stdin, lock), sys.stdout, indent=1)
    print()
