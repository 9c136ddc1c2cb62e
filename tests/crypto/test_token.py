import itertools
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.token import ALPHABET, TokenFormatError, generate, parse

ASCII = [chr(code) for code in range(128)]
LOOK_ALIKES = list("０１Ａаіοｌ𝟎١²\u200b\u00a0\ud800") + [chr(code | 0x80) for code in range(128)]
PREFIXES = ["id", "rid", "mail", "aa", "zzzz", "zy"]


def is_token(text: str) -> bool:
    """Whether the text is accepted; any refusal but the format's is an error of the test."""
    try:
        parse(text)
    except TokenFormatError:
        return False
    return True


def test_spells_what_the_document_says(token_vector, monkeypatch):
    assert parse(token_vector["token"]) == token_vector["prefix"]
    monkeypatch.setattr(secrets, "token_bytes", {16: bytes.fromhex(token_vector["random"])}.__getitem__)
    assert generate(token_vector["prefix"]) == token_vector["token"]


def test_refuses_what_the_vectors_say(token_refused_vector):
    assert not is_token(token_refused_vector["token"])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_token_says_its_prefix(prefix):
    token = generate(prefix)
    assert parse(token) == prefix
    assert token.startswith(prefix + "_")
    assert len(token) == len(prefix) + 28
    assert set(token.removeprefix(prefix + "_")) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_all_128_bits_are_random():
    ever_one, ever_zero, seen = 0, 0, set()
    for _ in range(500):
        number = 0
        for digit in generate("id")[3:29]:
            number = number * 32 + ALPHABET.index(digit)
        assert number < 2**128
        ever_one |= number
        ever_zero |= ~number
        seen.add(number)
    assert ever_one == ever_zero & (2**128 - 1) == 2**128 - 1
    assert len(seen) == 500


@pytest.mark.parametrize("prefix", PREFIXES * 4)
def test_every_changed_character_is_refused(prefix):
    token = generate(prefix)
    changed = (
        token[:at] + character + token[at + 1 :]
        for at in range(len(token))
        for character in ASCII + LOOK_ALIKES
        if character != token[at]
    )
    assert [text for text in changed if is_token(text)] == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_flipped_bit_is_refused(prefix):
    token = generate(prefix)
    places = itertools.product(range(len(token)), range(8))
    flipped = [token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :] for at, bit in places]
    assert [text for text in flipped if is_token(text)] == []


@pytest.mark.parametrize("prefix", PREFIXES * 4)
def test_every_swap_of_two_different_characters_is_refused(prefix):
    token = generate(prefix)
    swapped = (
        token[:a] + token[b] + token[a + 1 : b] + token[a] + token[b + 1 :]
        for a, b in itertools.combinations(range(len(token)), 2)
        if token[a] != token[b]
    )
    assert [text for text in swapped if is_token(text)] == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_lost_and_added_characters_of_the_body_and_the_first_of_the_prefix_are_refused(prefix):
    token = generate(prefix)
    body_at = len(prefix) + 1
    shorter = [token[:at] + token[at + 1 :] for at in [0, *range(body_at - 1, len(token))]]
    additions = itertools.product(range(body_at, len(token) + 1), ALPHABET + " -_\n")
    longer = [token[:at] + character + token[at:] for at, character in additions]
    assert [text for text in shorter + longer if is_token(text)] == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_exactly_one_check_character_fits(prefix):
    token = generate(prefix)
    assert [check for check in ALPHABET if is_token(token[:-1] + check)] == [token[-1]]


@settings(deadline=None)
@given(st.sampled_from(PREFIXES), st.binary(min_size=16, max_size=16))
def test_there_is_one_way_to_write_a_token(prefix, random):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", lambda _: random)
        token = generate(prefix)
    assert parse(token) == prefix
    ways = [token.lower(), token.upper(), f" {token}", f"{token} ", f"{token}\n", f"{token}\x00", f"{token}="]
    aliases = [token.replace(digit, alias) for digit, alias in ["0O", "0o", "1I", "1L", "1i", "1l", "VU"]]
    assert [text for text in ways + aliases if text != token and is_token(text)] == []


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_refused_or_is_a_token(text):
    assert not is_token(text) or text == f"{parse(text)}_{text[-27:]}"


@pytest.mark.parametrize("character", ["A", "a", "_", "0", "\ud800", "𝟎"])
def test_a_megabyte_is_refused_for_its_length_before_it_is_read(character):
    with pytest.raises(TokenFormatError, match="at most 32 characters"):
        parse(character * 1_000_000)
    with pytest.raises(TokenFormatError, match="at most 32 characters"):
        parse(generate("mail") + character)


@pytest.mark.parametrize("prefix", ["", "a", "abcde", "AB", "a1", "ab_", "ab ", "ab\n", "äb", "ａｂ", "a" * 1_000_000])
def test_a_prefix_of_another_form_is_refused(prefix):
    with pytest.raises(ValueError, match="2 to 4 letters"):
        generate(prefix)


def test_no_refusal_shows_the_text():
    token = generate("id")
    for text in (token[:-1] + ALPHABET[ALPHABET.index(token[-1]) - 1], token.lower(), token * 3):
        with pytest.raises(TokenFormatError) as refused:
            parse(text)
        assert token[3:15].lower() not in repr(refused.value).lower()
