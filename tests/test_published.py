"""Every row of the table of published results holds; a failure prints its table."""

import pytest

from tests.published import GROUPS, UNCHECKED, main, rows_of


@pytest.mark.parametrize("group", GROUPS.values(), ids=[function.__name__ for function in GROUPS.values()])
def test_rows_hold(group):
    rows = rows_of(group)
    assert rows
    table = "\n".join(f"{row.name}: {row.ours!r} beside {row.published!r}, {row.rule}" for row in rows)
    assert all(row.holds for row in rows), table


def test_rows_are_as_many_as_the_logs_have():
    counts = {function.__name__: len(list(function())) for function in (GROUPS[name] for name in list(GROUPS)[:1])}
    assert counts == {"utilisation": 23}  # ten layers twice, three dense ones


def test_table_is_printed(capsys):
    main()
    out = capsys.readouterr().out
    assert "DOES NOT HOLD" not in out
    assert "YOLO-KP on Loihi 2                                     574           574  equal" in out
    for title in GROUPS:
        assert title in out
    assert "MobileNet on Loihi, 16 chips to 80 %                  1977          1640  1610 <= both" in out


def test_table_names_what_is_not_checked_and_checks_nothing_of_it(capsys):
    main()
    checkable, out = capsys.readouterr().out.split("Not checkable")
    for each in UNCHECKED:
        assert each.name in out
        assert each.missing in out
    assert "Massa" not in checkable
