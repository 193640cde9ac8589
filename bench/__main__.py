"""Lists the measurements: ``python -m bench``."""

from __future__ import annotations

import importlib
import pkgutil

import bench


def main() -> None:
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name != "__main__":
            doc = importlib.import_module(f"bench.{module.name}").__doc__ or ""
            print(f"python -m bench.{module.name:<16} {doc.strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
