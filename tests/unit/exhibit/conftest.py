"""One small vault and one exhibit of it, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import exhibits


@pytest.fixture(scope="session")
def case(tmp_path_factory) -> exhibits.VaultCase:
    return exhibits.make_vault(tmp_path_factory.mktemp("vault"))


@pytest.fixture(scope="session")
def exhibit(case, tmp_path_factory) -> Path:
    made, _ = exhibits.export(case, tmp_path_factory.mktemp("out"))
    return made.path
