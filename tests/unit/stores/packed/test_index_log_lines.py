"""What the digest index says of itself when it opens."""

from __future__ import annotations

import logging
from pathlib import Path

from tests.fakes.log import append_and_commit, digests, open_log


def test_an_index_that_was_never_written_is_no_damage(tmp_path: Path, caplog) -> None:
    log = open_log(tmp_path)
    append_and_commit(log, digests(range(5)))
    log.close()
    with caplog.at_level(logging.INFO):
        open_log(tmp_path).close()
    lines = [record.getMessage() for record in caplog.records if "index" in record.getMessage()]
    assert lines == ["digest index: none yet, built from the log"]


def test_an_index_that_cannot_be_read_says_why(tmp_path: Path, caplog) -> None:
    log = open_log(tmp_path)
    append_and_commit(log, digests(range(5)))
    log.close()
    folder = next(path for path in tmp_path.rglob("*index*") if path.is_dir())
    (folder / "MANIFEST.json").write_bytes(b"{}")
    with caplog.at_level(logging.INFO):
        open_log(tmp_path).close()
    lines = [record.getMessage() for record in caplog.records if "index" in record.getMessage()]
    assert lines == ["digest index: 'version', built from the log"]
