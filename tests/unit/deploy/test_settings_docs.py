"""The settings page and ``.env.example`` say what ``common/settings/`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import SettingsError
from common.settings import field_paths, load_settings, variable_name, variable_names
from deploy import settings_docs

REPOSITORY = Path(__file__).parents[3]


def test_the_committed_files_are_fresh() -> None:
    stale = settings_docs.stale_files(REPOSITORY)

    assert stale == [], "run `surgeline settings --write` and commit"


def test_every_setting_is_on_the_page_with_a_meaning() -> None:
    page = settings_docs.settings_page()

    for path in field_paths():
        assert f"| `{variable_name(path)}` |" in page
    assert all(row.description for row in settings_docs.setting_rows())


def test_the_example_uncommented_is_the_default_settings() -> None:
    lines = settings_docs.env_example().splitlines()
    environ = dict(line[1:].split("=", 1) for line in lines if line.startswith("#SURGELINE_"))

    assert set(environ) == variable_names()
    assert load_settings(environ) == load_settings({})


def test_writing_mends_what_is_stale_and_says_so(tmp_path: Path) -> None:
    for folder in ("common", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "common" / "settings").mkdir()
    (tmp_path / settings_docs.EXAMPLE).write_text("old", encoding="utf-8")

    assert set(settings_docs.write(tmp_path)) == {settings_docs.PAGE, settings_docs.EXAMPLE}
    assert settings_docs.stale_files(tmp_path) == []
    assert settings_docs.write(tmp_path) == []


def test_writing_outside_the_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no common/settings/"):
        settings_docs.write(tmp_path)
