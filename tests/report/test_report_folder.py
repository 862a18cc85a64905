"""A folder is replaced whole, and only where it is one of ours."""

from __future__ import annotations

import pytest

from neurodeploy.errors import UsageError
from neurodeploy.report.folder import refuse_folder, replacing_folder


def write(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text("old")
    return folder


def test_an_empty_folder_is_filled(tmp_path):
    with replacing_folder(write(tmp_path / "out"), force=False) as temporary:
        (temporary / "report.json").write_text("new")
    assert (tmp_path / "out" / "report.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("report.json", "thesis.txt"), "holds 'thesis.txt', which deploy did not write"),
        (("net.nir",), "holds no report.json"),
        (("report.json", "net.nir.bak"), "net.nir.bak"),
    ],
)
def test_what_is_not_ours_is_never_replaced(tmp_path, names, message):
    folder = write(tmp_path / "out", *names)
    with pytest.raises(UsageError, match=message):
        refuse_folder(folder, force=True)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_file_or_a_link_is_never_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(write(tmp_path / "real", "report.json"))
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="is no folder"):
            refuse_folder(tmp_path / name, force=True)


def replace_with(folder, report, *, force, then=lambda: None):
    with replacing_folder(folder, force=force) as temporary:
        (temporary / "report.json").write_text(report)
        then()


def interrupted():
    raise KeyboardInterrupt


def test_a_failure_keeps_the_old_one_and_leaves_nothing_else(tmp_path):
    folder = write(tmp_path / "out", "report.json", "net.loihi2.nir")
    with pytest.raises(KeyboardInterrupt):
        replace_with(folder, "new", force=True, then=interrupted)
    assert (folder / "report.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(UsageError, match="already exists"):
        replace_with(tmp_path / "out", "new", force=False, then=lambda: write(tmp_path / "out", "report.json"))
    assert (tmp_path / "out" / "report.json").read_text() == "old"


def test_a_place_that_cannot_hold_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"), replacing_folder(tmp_path / "file" / "out", force=False):
        pass
