"""Paths of any bytes have texts, each its own."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srgan.cluster.local import as_path, as_text

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names there have no bytes")


@given(st.binary(max_size=20))
@example(rb"\xe9" + b"\xe9")
@example(rb"\x5cxe9")
@example(rb"\\xe9\x5c")
def test_a_text_leads_back_to_its_path_and_is_utf_8(name):
    path = os.fsdecode(name)
    assert as_path(as_text(path)) == path
    as_text(path).encode()


def test_texts_stay_and_other_bytes_are_shown():
    assert as_text("/photos/café 100%.png") == "/photos/café 100%.png"
    assert as_text(os.fsdecode(b"caf\xe9.png")) == r"caf\xe9.png"
