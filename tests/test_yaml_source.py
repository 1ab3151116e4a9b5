"""The YAML reader: values of the 1.2 core schema, positions, and what it refuses."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.errors import ChipError, InputError
from sfnhw.yaml_source import MAX_BYTES, parse_scalar, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-12", 1e-12),
        ("-1.5E+3", -1500.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("042", 42),
        ("0x1F", 31),
        ("0o17", 15),
        ("+7", 7),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("-.inf", float("-inf")),
        # Text in YAML 1.2, though YAML 1.1 makes booleans, a sexagesimal number, a date and an octal number of them.
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("1_000", "1_000"),
        ("e3", "e3"),
    ],
)
def test_scalars_of_the_core_schema(text, value):
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


def test_quoted_numbers_are_text():
    assert parse_yaml("a: '5'\nb: \"true\"\nc: 5").value == {"a": "5", "b": "true", "c": 5}


def test_every_value_and_key_has_its_place():
    source = parse_yaml("a:\n  b: [10, 20]\n  c: x\n", "chip.yaml")
    assert str(source.where(("a", "c"))) == "chip.yaml:3:6"
    assert str(source.where(("a", "c"), key=True)) == "chip.yaml:3:3"
    assert str(source.where(("a", "b", 1))) == "chip.yaml:2:11"
    # What holds others stands where its key stands; what is missing, where the thing around it stands.
    assert str(source.where(("a",))) == "chip.yaml:1:1"
    assert str(source.where(("a", "missing", "deeper"))) == "chip.yaml:1:1"


# Beyond U+FFFF a JSON writer emits surrogate pairs, which YAML does not join.
_text = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))
# A key on one line has at most 1024 characters in YAML (1.2.2, section 7.4.2), escapes as they are written.
LONGEST_KEY = 1024
_key = _text.filter(lambda key: len(json.dumps(key)) <= LONGEST_KEY)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_key, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # the machine may be busy
@given(_plain)
def test_json_is_yaml(value):
    """YAML 1.2 holds JSON: an independent writer, read back, gives the same value."""
    assert parse_yaml(json.dumps(value)).value == value


def test_the_longest_key_and_one_longer():
    key = "k" * (LONGEST_KEY - 2)  # and two quotes
    assert parse_yaml(json.dumps({key: 1})).value == {key: 1}
    with pytest.raises(InputError, match=r"^chip\.yaml:1:\d+: not valid YAML"):
        parse_yaml(json.dumps({key + "k": 1}), "chip.yaml", InputError)


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=60))
def test_any_text_is_a_value_or_one_input_error(text):
    # Only input errors are caught: a traceback of any other kind fails the test.
    try:
        message = str(parse_yaml(text).where(()))
    except InputError as error:
        message = str(error)
    assert message.startswith("<text>")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "f:5:3: b.c: the key stands twice, in line 3 and in line 5"),
        ("a: !!python/name:os.system x", "f:1:4: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed, "),
        ("a: [1, 2\nb: 3", "f:2:2: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got ':'"),
        ("a: 1\n---\nb: 2", "f:2:1: not valid YAML: expected a single document"),
        ("? [a]\n: 1", "f:1:3: a sequence stands where a key belongs, expected text"),
        ("a: &x [*x]", "nested deeper than 50 levels"),
        ("a: " + "[" * 3000, "nested deeper than 50 levels"),
        ("a: *b", "f:1:4: not valid YAML: found undefined alias 'b'"),
        ('a: "\\ud800"', "f:1:4: half of a surrogate pair is not a character, found '\\ud800'"),
        ("\n\n", "f: the file is empty, expected a YAML mapping"),
        ("a: 1\nb: \x07", "f:2:4: not a text file: character U+0007 is not allowed in YAML"),
    ],
)
def test_refused(text, message):
    with pytest.raises(ChipError) as error:
        parse_yaml(text, "f")
    assert str(error.value).startswith(message) or message in str(error.value)


def test_aliases_cannot_blow_up():
    # Eight levels of ten aliases each: 10**8 values from 400 characters.
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 8)]
    with pytest.raises(ChipError, match="more than 100000 values once its aliases are expanded"):
        parse_yaml("\n".join(lines))


def test_too_large_and_not_text(tmp_path):
    large, binary = tmp_path / "large.yaml", tmp_path / "b.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    binary.write_bytes(b"a: 1\nb: \xff\xfe")
    with pytest.raises(ChipError, match=r"large.yaml: the file is too large, expected at most 1024 KiB"):
        read_yaml(large)
    with pytest.raises(ChipError, match=r"b.yaml:2: not a text file, found b'\\xff', expected UTF-8 text"):
        read_yaml(binary)
    with pytest.raises(ChipError, match="cannot be read"):
        read_yaml(tmp_path)


def test_a_based_number_of_any_length_is_read_or_left_as_text():
    assert parse_scalar("0xff") == 255
    assert parse_scalar("0x" + "f" * 5000) == "0x" + "f" * 5000
