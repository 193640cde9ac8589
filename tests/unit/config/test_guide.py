from __future__ import annotations

from anchor.config.guide import settings_guide
from anchor.config.setting import settings_of
from anchor.config.settings import Settings


def test_the_committed_guide_is_the_one_that_the_settings_give(project_root):
    committed = (project_root / "docs" / "guides" / "settings.md").read_text()
    assert committed == settings_guide(), "python -m anchor.config.guide > docs/guides/settings.md"


def test_the_guide_lists_every_setting():
    guide = settings_guide()
    for setting in settings_of(Settings):
        assert f"### `{setting.key}`" in guide
        assert f"`{setting.variable}`" in guide
        assert setting.trust in guide
