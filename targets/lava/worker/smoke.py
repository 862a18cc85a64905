"""Imports what an environment must hold and prints its versions as JSON: ``python smoke.py``."""

import json
import sys
from importlib.metadata import version

from netx import load

PACKAGES = ("lava-nc", "lava-dl", "numpy", "scipy", "h5py")

if __name__ == "__main__":
    load()
    versions = {name: version(name) for name in PACKAGES}
    sys.stdout.write(json.dumps({"python": sys.version.split()[0], **versions}) + "\n")
