"""``LIMITS.md`` in both languages: the statement is the verdict's, in each language's words."""

from __future__ import annotations

import re
from dataclasses import replace

from anchor.exhibit.choice import Choice
from anchor.exhibit.limits_text import limits_texts
from tests import exhibits


def test_the_statement_of_completeness_is_in_both_languages(case, tmp_path):
    choice = Choice(records=frozenset(range(10)) - {2})
    _, staged = exhibits.export(case, tmp_path, choice)
    texts = limits_texts(staged.listing, staged.verdict)
    english, chinese = texts["data/LIMITS.md"], texts["data/LIMITS.zh.md"]
    assert "Complete up to record 9 of project" in english
    assert "至记录 9 为止是完整的，其中 1 条未出示；不涉及其后的记录" in chinese
    assert "complete up to" not in chinese.lower()
    assert not re.search(r"\{[a-z]+\}", english + chinese)


def test_what_is_not_complete_is_said_to_be_so_in_both(case, tmp_path):
    _, staged = exhibits.export(case, tmp_path)
    report = replace(staged.verdict.report, complete_up_to=None, missing=3)
    broken = replace(staged.verdict, report=report)
    assert "有 3 条记录未列出" in limits_texts(staged.listing, broken)["data/LIMITS.zh.md"]
    report = replace(report, missing=0)
    chinese = limits_texts(staged.listing, replace(broken, report=report))["data/LIMITS.zh.md"]
    assert "完整性未得到证明：最后一条记录的位置未经验证" in chinese
    closed = replace(staged.verdict.report, closed=True)
    chinese = limits_texts(staged.listing, replace(broken, report=closed))["data/LIMITS.zh.md"]
    assert "项目已结束。" in chinese
