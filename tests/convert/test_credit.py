"""Whose a model is comes from its card, from its file, or stays unknown."""

import json

import pytest

from srgan.convert import credit

CARD = {
    "name": "Sharp",
    "author": "someone",
    "license": "CC-BY-NC-SA-4.0",
    "tags": ["photo", "restoration"],
    "description": "of no use here",
    "architecture": "esrgan",
    "size": ["64nf"],
    "scale": 4,
    "dataset": "DIV2K",
    "resources": [{"platform": "pytorch", "type": "pth", "sha256": "AB" * 32, "urls": []}],
}


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        path = tmp_path / "card.json"
        path.write_text(json.dumps(CARD | changes))
        return path

    return write


def test_a_card_names_licence_author_tags_and_data(write):
    card = credit.read_card(write())
    assert card.credit.licence == "CC-BY-NC-SA-4.0"
    assert card.credit.author == "someone"
    assert card.credit.tags == "photo, restoration"
    assert card.credit.training_data == "DIV2K"
    assert (card.scale, card.hashes) == (4, ["ab" * 32])


@pytest.mark.parametrize("missing", ["license", "author", "tags", "dataset", "resources"])
def test_what_a_card_does_not_say_is_unknown(write, missing):
    card = CARD | {missing: None} if missing in ("license", "dataset") else dict(CARD)
    if missing not in ("license", "dataset"):
        del card[missing]
    path = write()
    path.write_text(json.dumps(card))
    found = credit.read_card(path).credit
    assert (found.licence == "unknown") == (missing == "license")
    assert (found.author == "unknown") == (missing == "author")
    assert (found.training_data == "unknown") == (missing == "dataset")


def test_several_authors_are_named(write):
    assert credit.read_card(write(author=["one", "two"])).credit.author == "one, two"


def test_texts_of_strangers_become_one_line_that_can_be_shown(write):
    found = credit.read_card(write(license="MIT\n\x1b[2J" + 900 * "x", author=["a\nb"])).credit
    assert found.licence.startswith("MIT [2Jxx")
    assert len(found.licence) == 500
    assert found.author == "a b"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"scale": "four", "architecture": "x"}', "\xff"]
)
def test_other_files_are_no_cards(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"model\.json is no card of OpenModelDB") as caught:
        credit.read_card(path)
    assert "\n" not in str(caught.value)
    assert credit.beside(tmp_path / "model.pth") is None


def test_the_card_beside_a_model_is_found(write, tmp_path):
    assert credit.beside(tmp_path / "card.pth") is None
    path = write()
    assert credit.beside(tmp_path / "card.pth") == path
    assert credit.beside(tmp_path / "other.pth") is None


def test_safetensors_files_say_their_licence_in_their_header():
    found = credit.from_texts({"modelspec.license": "MIT", "author": "someone"})
    assert (found.licence, found.author) == ("MIT", "someone")
    assert credit.from_texts({"format": "pt"}).licence == "unknown"
