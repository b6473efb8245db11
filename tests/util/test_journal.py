"""A journal keeps what was written, whatever ended the program."""

from concurrent.futures import ThreadPoolExecutor

from srgan.util.journal import Journal


def test_entries_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "log.jsonl")
    assert list(journal.entries()) == []
    for number in range(3):
        journal.append({"number": number})
    assert [entry["number"] for entry in Journal(tmp_path / "log.jsonl").entries()] == [0, 1, 2]


def test_a_line_cut_short_is_left_out_and_does_not_spoil_the_next(tmp_path):
    file = tmp_path / "log.jsonl"
    file.write_text('{"number": 1}\n[1]\nnonsense\n{"numb')
    journal = Journal(file)
    assert list(journal.entries()) == [{"number": 1}]
    journal.append({"number": 2})
    assert list(journal.entries()) == [{"number": 1}, {"number": 2}]


def test_several_threads_do_not_mix_their_lines(tmp_path):
    journal = Journal(tmp_path / "log.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.append({"text": "x" * 5000, "n": number}), range(100)))
    assert sorted(entry["n"] for entry in journal.entries()) == list(range(100))
