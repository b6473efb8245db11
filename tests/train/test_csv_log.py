"""Tables survive what ends a program in the middle of a row."""

import pytest

from srgan.train import csv_log


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "log.csv"
    for step in (5, 6, 7):
        csv_log.append(file, {"step": step, "loss": step / 3})
    return file


def steps(file):
    return [int(row["step"]) for row in csv_log.read_rows(file)]


def test_rows_come_back_with_six_digits(table):
    assert csv_log.read_rows(table)[0] == {"step": "5", "loss": "1.66667"}


def test_rows_after_a_step_are_forgotten(table):
    csv_log.forget_after(table, 6)
    assert steps(table) == [5, 6]
    csv_log.forget_after(table, 4)
    assert not table.exists()


def test_a_row_that_is_cut_anywhere_is_dropped_and_comes_again(table, caplog):
    whole = table.read_bytes()
    start = whole.index(b"7,")
    for end in range(start + 1, len(whole)):
        table.write_bytes(whole[:end])
        assert steps(table) == [5, 6]
        csv_log.forget_after(table, 7)
        assert "log.csv: damaged rows are dropped (1)" in caplog.text
        csv_log.append(table, {"step": 7, "loss": 7 / 3})
        assert table.read_bytes() == whole


@pytest.mark.parametrize("row", ["7", "7,1,2", "seven,1", "7,x", "\0\0\0"])
def test_what_is_no_row_of_numbers_is_dropped(table, row):
    with table.open("a") as stream:
        stream.write(f"{row}\r\n")
    csv_log.forget_after(table, 9)
    assert steps(table) == [5, 6, 7]


def test_a_table_of_garbage_is_dropped_with_a_warning(table, caplog):
    table.write_bytes(b"\x80\x81\n")
    csv_log.forget_after(table, 9)
    assert "damaged rows are dropped" in caplog.text
    assert not table.exists()


@pytest.mark.parametrize("cut", ["", "st", "step,loss"])
def test_a_table_that_was_cut_in_its_first_line_begins_anew(table, cut):
    table.write_text(cut)
    csv_log.forget_after(table, 9)
    csv_log.append(table, {"step": 1, "loss": 2.0})
    assert steps(table) == [1]


def test_a_column_that_comes_later_is_added_and_empty_above(tmp_path):
    file = tmp_path / "log.csv"
    csv_log.append(file, {"step": 1, "a": 0.5})
    csv_log.append(file, {"step": 2, "a": 0.25, "b": 3.0})
    csv_log.append(file, {"step": 3, "a": 0.125})
    assert file.read_text().splitlines() == ["step,a,b", "1,0.5,", "2,0.25,3", "3,0.125,"]
    assert [row["b"] for row in csv_log.read_rows(file)] == ["", "3", ""]
    csv_log.forget_after(file, 2)
    assert file.read_text().splitlines() == ["step,a,b", "1,0.5,", "2,0.25,3"]
