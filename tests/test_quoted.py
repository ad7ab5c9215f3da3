"""Foreign text in the words of an error: what is UTF-8 and no control is shown, the rest byte by byte."""

from __future__ import annotations

from itertools import product

import pytest

from tidegauge import _contract

LEADS = [0x00, 0x1F, 0x20, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4]
LEADS += [0xF5, 0xFF]
SECONDS = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0]
OTHERS = [0x7F, 0x80, 0xBF, 0xC2]


def shown(text: bytes) -> bytes:
    """Python's own decoder as the oracle: the longest sequence at each place that it takes, or a byte."""
    out, at = b"", 0
    while at < len(text):
        for length in (4, 3, 2, 1):
            piece = text[at : at + length]
            try:
                is_one = len(piece) == length and len(piece.decode()) == 1
            except UnicodeDecodeError:
                continue
            if is_one:
                control = ord(piece.decode()) < 0x20 or 0x7F <= ord(piece.decode()) < 0xA0
                out += b"".join(b"\\x%02x" % byte for byte in piece) if control else piece
                at += length
                break
        else:
            out += b"\\x%02x" % text[at]
            at += 1
    return b'"' + out + b'"'


@pytest.mark.parametrize("lead", LEADS)
def test_sequences(lead: int) -> None:
    texts = [bytes([lead]), *(bytes([lead, second]) for second in SECONDS)]
    texts += [bytes([lead, *more]) for more in product(SECONDS, OTHERS)]
    texts += [bytes([lead, *more]) for more in product(SECONDS, OTHERS, OTHERS)]
    for text in texts:
        assert _contract.arrow_quoted(text) == shown(text), text


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
@pytest.mark.parametrize("before", range(4))
def test_a_long_text_is_cut_between_letters(letter: str, before: int) -> None:
    found = _contract.arrow_quoted(("x" * before + letter * 500).encode())
    assert found.endswith(b'..."')
    kept = found[1:-4].decode()
    assert set(kept[before:]) == {letter}
    assert len(kept.encode()) + len(letter.encode()) > len(_contract.arrow_quoted(b"x" * 500)) - 5


def test_a_cut_among_bytes_that_are_no_text() -> None:
    assert _contract.arrow_quoted(b"\xbf" * 500).count(b"\\xbf") == 97
