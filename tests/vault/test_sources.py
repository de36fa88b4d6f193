"""Plain files of other tools: what their own parsers say is what is found, and what is not understood is an error."""

from __future__ import annotations

import codecs
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from dotenv import dotenv_values

from vault import InvalidField, Vault, from_found
from vault.cleaning import MAX_NEIGHBOUR_BYTES, MAX_NEIGHBOURS
from vault.formats import DOTENV, INI, JSON, JSON5, TOML
from vault.hidden import Hidden
from vault.rsa import private_key_file
from vault.sources import cleaned_file, environment_source, from_file, from_text, read_source

KEY = {"api_key": "bg_aa11", "secret_key": "0a1b2c3d4e5f", "passphrase": "Orchard#Lane"}
A, S, P = KEY.values()
CCXT = {"apiKey": A, "secret": S, "password": P}

SHAPES: dict[str, tuple[str, str, str]] = {  # what was written, how it is read, the label
    "freqtrade with comments": (
        f'// mine\n{{"exchange": {{/* here */ "name": "bitget", "key": "{A}", "secret": "{S}", "password": "{P}",}},}}',
        JSON5, "freqtrade",
    ),
    "freqtrade's api_key": (
        json.dumps({"exchange": {"name": "bitget", "api_key": A, "secret": S, "password": P}}), JSON, "freqtrade",
    ),
    "freqtrade's ccxt_config": (
        json.dumps({"exchange": {"name": "bitget", "key": "", "secret": "", "ccxt_config": CCXT}}), JSON, "freqtrade",
    ),
    "passivbot": (
        json.dumps({"bitget_01": {"exchange": "bitget", "key": A, "secret": S, "passphrase": P}, "referrals": {}}),
        JSON, "bitget_01",
    ),
    "an object of our own names": (json.dumps({"bitget": KEY}), JSON, "bitget"),
    "flat variables as JSON": (
        json.dumps({"BITGET_API_KEY": A, "BITGET_SECRET_KEY": S, "BITGET_PASSPHRASE": P}), JSON, "bitget",
    ),
    "TOML": (f'[bitget]\napi_key = "{A}" # mine\nsecret_key = "{S}"\npassphrase = "{P}"\n', TOML, "bitget"),
    "INI": (f"[bitget]\napi_key = {A}\nsecret_key = {S}\npassphrase = {P}\n", INI, "bitget"),
    "INI in capitals": (f"[Bitget]\nAPI_KEY={A}\nSECRET_KEY={S}\nPASSPHRASE={P}\n", INI, "Bitget"),
    "variables in a section": (
        f'[env]\nBITGET_API_KEY = "{A}"\nBITGET_SECRET_KEY = "{S}"\nBITGET_PASSPHRASE = "{P}"\n', TOML, "bitget",
    ),
    ".env": (f"BITGET_API_KEY={A}\nBITGET_SECRET_KEY='{S}'\nexport BITGET_PASSPHRASE=\"{P}\"\n", DOTENV, "bitget"),
    "freqtrade's variables": (
        "".join(f"FREQTRADE__EXCHANGE__{one}\n" for one in ("NAME=bitget", f"KEY={A}", f"SECRET={S}"))
        + f"FREQTRADE__EXCHANGE__PASSWORD='{P}'\n",
        DOTENV, "freqtrade",
    ),
    "credentials below the name of the exchange": (
        json.dumps({"accounts": {"main": {"exchange": "Bitget", "credentials": CCXT},
                                 "b": {"exchange": "okx", "credentials": {"apiKey": "x", "secret": "y"}}}}),
        JSON, "accounts-main-credentials",
    ),
    "names with hyphens": (
        json.dumps({"bitget-api-key": A, "bitget-secret-key": S, "bitget-passphrase": P}), JSON, "bitget",
    ),
    "names with dots": (f"bitget.api.key={A}\nbitget.secret.key={S}\nbitget.passphrase='{P}'\n", DOTENV, "bitget"),
    "PowerShell": (
        f'$env:BITGET_API_KEY="{A}"\n$env:BITGET_SECRET_KEY="{S}"\n$env:BITGET_PASSPHRASE="{P}"\n', DOTENV, "env",
    ),
}  # fmt: skip
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "UTF-8": lambda text: text.encode(),
    "a byte order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "both": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_understood_in_every_encoding_and_taken_out(shape: str, encoding: str, tmp_path: Path) -> None:
    text, kind, label = SHAPES[shape]
    source = tmp_path / "source"
    source.write_bytes(ENCODINGS[encoding](text))
    read = read_source(source)
    (found,) = read.found
    assert (read.format, found.label, found.doubt) == (kind, label, "")
    assert {field: one.value for field, one in found.triple.items()} == KEY
    assert cleaned_file(source, read.found).left == ()
    after = source.read_bytes()
    assert not any(value.encode(name) in after for value in KEY.values() for name in ("utf-8", "utf-16-le"))
    assert from_file(source) == []
    marks = (codecs.BOM_UTF8, codecs.BOM_UTF16)
    assert [after.startswith(mark) for mark in marks] == [ENCODINGS[encoding](text).startswith(mark) for mark in marks]


NOT_UNDERSTOOD = {
    "prose": "the key is in the safe\nask me\n",
    "YAML": "bitget:\n  api_key: bg_aa11\n  secret_key: abc\n",
    "XML": "<keys><bitget>bg_aa11</bitget></keys>",
    "broken JSON": '{"apiKey": "bg_aa11", "secret": ',
    "broken TOML and INI": '[bitget]\napi_key "bg_aa11"\n',
    "endless nesting": "[" * 5000,
    "nesting with comments": "//\n" + '{"a":' * 5000,
    "many blank lines before the end of a section": "[bitget]\n" + "\n" * 300_000 + "x",
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_an_error_that_says_what_was_tried(name: str) -> None:
    with pytest.raises(InvalidField, match="tried: ") as refusal:
        from_text(Hidden(NOT_UNDERSTOOD[name]))
    assert "bg_aa11" not in str(refusal.value)
    assert refusal.value.__cause__ is refusal.value.__context__ is None


@pytest.mark.parametrize(
    "text", ["// x\n{" + '"a": 1,' * 20_000 + "}", "A=b\n" * 200_000, "\n" * 500_000], ids=["JSON", ".env", "blank"]
)
def test_what_a_slow_parser_would_read_for_minutes_is_refused_before(text: str) -> None:
    with pytest.raises(InvalidField, match="longer than 65536 characters"):
        from_text(Hidden(text))


@pytest.mark.slow
def test_a_large_file_of_a_fast_parser_is_read() -> None:
    names = ",".join(f'"k{number}": {number}' for number in range(200_000))
    assert len(from_text(Hidden(f'{{"bitget": {json.dumps(KEY)}, {names}}}'))) == 1


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "COLOUR=red\n", "{}", "[]", '{"okx": {"apiKey": "x"}}'])
def test_nothing_there_is_said_of_what_was_understood(text: str) -> None:
    assert from_text(Hidden(text)) == []


UNKNOWN_FORMS = {
    "names and values": json.dumps([{"name": "BITGET_API_KEY", "value": A}, {"name": "BITGET_SECRET_KEY", "value": S}]),
    "a module of JavaScript": "module.exports = { bitget: { apiKey: 'bg_aa11', secret: 's', password: 'p' } }\n",
    "another name for the texts": json.dumps({"bitget": {"public": A, "private": S, "phrase": P}}),
    "a list of three": f'[bitget]\ntexts = ["{A}", "{S}", "{P}"]\n',
}


@pytest.mark.parametrize("name", UNKNOWN_FORMS)
def test_a_file_that_names_the_exchange_and_has_no_known_key_is_not_called_empty(name: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_text(UNKNOWN_FORMS[name])
    read = read_source(tmp_path / "source")
    assert read.found == []
    assert "it names bitget, but has no key in a form that is known" in read.incomplete[0]
    assert A not in read.incomplete[0]


def test_hummingbots_file_is_said_to_be_encrypted() -> None:
    text = "connector: bitget_perpetual\n\nbitget_perpetual_api_key: " + "7b2263727970746f223a" * 4
    with pytest.raises(InvalidField, match="encrypted with Hummingbot's own password"):
        from_text(Hidden(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BITGET_API_KEY=bg_1\nBITGET_SECRET_KEY=abc\n", "no passphrase"),
        ('{"bitget": {"apiKey": "bg_1", "secret": "abc"}}', "no passphrase"),
        ('{"bitget": {"apiKey": "bg_1", "secret": "abc", "password": 1234}}', "bitget.password is no text"),
        ("[bitget]\napi_key = bg_1\n", "no secret_key and no passphrase"),
    ],
)
def test_a_key_that_is_not_whole_is_said(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_text(text)
    read = read_source(tmp_path / "source")
    assert read.found == []
    assert words in read.incomplete[0]
    assert "bg_1" not in read.incomplete[0]
    assert environment_source({"BITGET_API_KEY": "bg_1"}).incomplete[0].startswith("bitget: BITGET_API_KEY found")


VALUES = {  # as they are written: whether another common reader would see another text
    "Tr0ub4dor#3x": True, '"Tr0ub4dor#3x"': False, "'Tr0ub4dor#3x'": False, "Tr0ub4dor #3x": False,
    r'"pa\"ss\\wd9"': True, r"'pa\'ss'": True, "${HOME}x": True, '"${NO_SUCH}x"': True, "'${HOME}'": True,
    "pa$$word": True,
    "two words": True, 'half"quote': True, r"back\slash": True, "tick`s": True, "a=b=c": False, "  spaced  ": False,
    '"  kept  "': False, "'single' # comment": False, "plain-777": False, "p@ss!word%": False, '"tab\\t"': True,
}  # fmt: skip


@pytest.mark.parametrize("written", VALUES)
def test_values_are_those_of_python_dotenv_and_doubtful_ones_are_marked(written: str, vault: Vault) -> None:
    text = f"BITGET_API_KEY=bg_aa11\nBITGET_SECRET_KEY=abc123\nBITGET_PASSPHRASE={written}\n"
    (found,) = from_text(Hidden(text))
    assert found.triple["passphrase"].value == dotenv_values(stream=io.StringIO(text))["BITGET_PASSPHRASE"]
    assert bool(found.doubt) is VALUES[written]
    incoming = from_found([found])
    if found.doubt:
        assert vault.import_keys(incoming) == [], "not without the exchange's word"


@pytest.mark.parametrize(
    "text",
    [
        "BITGET_API_KEY=bg_1\nBITGET_API_KEY=bg_2\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\n",
        "BITGET_KEY=bg_1\nBITGET_API_KEY=bg_2\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\n",
        "not a line of it\nBITGET_API_KEY=bg_1\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\n",
        '{"bitget": {"apiKey": "bg_1", "apiKey": "bg_2", "secret": "abc", "password": "p"}}',
        "[bitget]\napi_key = 'bg_1'\nsecret = abc\npassword = p\n",
        "[bitget]\napi_key = bg_1 ; mine\nsecret = abc\npassword = p\n",
        "[bitget]\napi_key = bg_1\nsecret = abc\npassword = 100%%\n",
        "[bitget]\napi_key = bg_1\nsecret = abc\npassword = one\n  two\n",
    ],
)
def test_two_texts_for_one_field_and_odd_neighbours_are_doubtful(text: str) -> None:
    (found,) = from_text(Hidden(text))
    assert found.doubt
    assert "bg_" not in found.doubt


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("spelling", ['"{lines}"', '"{escaped}"', "'{lines}'", "'{escaped}'", "{escaped}"])
def test_a_pem_in_a_dotenv_file_is_taken_on_many_lines_or_on_one(
    spelling: str, private_key: rsa.RSAPrivateKey, vault: Vault
) -> None:
    pem = pem_of(private_key).strip()
    written = spelling.format(lines=pem, escaped=pem.replace("\n", "\\n"))
    text = f"BITGET_API_KEY=bg_rsa\nBITGET_SECRET_KEY={written}\nBITGET_PASSPHRASE=Orchard\nLAST=1\n"
    found = from_text(Hidden(text))
    assert [one.doubt for one in found] == [""]
    assert vault.import_keys(from_found(found)) == ["bitget"]
    assert next(one.kind for one in vault.describe() if one.label == "bitget") == "rsa"


BAG = "Bag Attributes\n    friendlyName: mine\n    localKeyID: 54 69\nKey Attributes: <No Attributes>\n"
FILES: dict[str, Callable[[rsa.RSAPrivateKey], bytes]] = {
    "PEM": lambda key: pem_of(key).encode(),
    "byte order mark": lambda key: pem_of(key).encode("utf-8-sig"),
    "UTF-16": lambda key: pem_of(key).encode("utf-16"),
    "bag attributes": lambda key: (BAG + pem_of(key)).encode(),
    "literal line ends": lambda key: pem_of(key).replace("\n", "\\n").encode(),
    "Windows": lambda key: pem_of(key).replace("\n", "\r\n").encode(),
    "DER": lambda key: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "traditional DER": lambda key: key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
}


@pytest.mark.parametrize("name", FILES)
def test_a_private_key_is_taken_from_every_kind_of_file(
    name: str, private_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(FILES[name](private_key))
    assert private_key_file(tmp_path / "key").value == pem_of(private_key)


def test_a_pasted_pem_with_attributes_before_it_is_a_private_key(private_key: rsa.RSAPrivateKey, vault: Vault) -> None:
    vault.add("rsa", api_key="bg_rsa", secret_key=BAG + pem_of(private_key), passphrase="Orchard Lane")
    assert next(one.kind for one in vault.describe() if one.label == "rsa") == "rsa"


def test_of_two_private_keys_none_is_guessed(private_key: rsa.RSAPrivateKey, tmp_path: Path, vault: Vault) -> None:
    both = pem_of(private_key) + pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for text in (both, both.replace("\n", "\\n")):
        (tmp_path / "key").write_text(text)
        with pytest.raises(InvalidField, match="more than one private key"):
            private_key_file(tmp_path / "key")
        with pytest.raises(InvalidField, match="more than one private key"):
            vault.add("rsa", api_key="bg_rsa", secret_key=text, passphrase="Orchard Lane")
    (tmp_path / "key").write_text(pem_of(private_key) * 2)
    assert private_key_file(tmp_path / "key").value == pem_of(private_key)


def test_a_file_without_a_private_key_is_named(private_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    encrypted = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    for number, data in enumerate((b"", b"\xff\xfe\x00", b"\x30\x82" + b"\0" * 90, encrypted, os.urandom(200_000))):
        (tmp_path / str(number)).write_bytes(data)
        with pytest.raises(InvalidField, match=f"{tmp_path / str(number)} has no unencrypted RSA private key"):
            private_key_file(tmp_path / str(number))
    with pytest.raises(InvalidField, match="not a regular file"):
        private_key_file(tmp_path)


def test_a_symbolic_link_stays_one_and_its_target_is_cleaned(tmp_path: Path) -> None:
    text = SHAPES[".env"][0]
    target = tmp_path / "elsewhere" / "real.env"
    target.parent.mkdir()
    target.write_text(f"A=1\n{text}")
    link = tmp_path / ".env"
    link.symlink_to(target)
    cleaned = cleaned_file(link, from_file(link))
    assert (cleaned.path, cleaned.left) == (target, ())
    assert link.is_symlink()
    assert target.read_text() == link.read_text() == "A=1\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone gives files away")
def test_a_file_that_root_cleans_stays_its_owner_s(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text(SHAPES[".env"][0])
    os.chown(source, 1234, 1235)
    source.chmod(0o640)
    cleaned_file(source, from_file(source))
    found = source.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 1235, 0o640)


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    source, other = tmp_path / ".env", tmp_path / "other"
    source.write_text(SHAPES[".env"][0])
    other.hardlink_to(source)
    with pytest.raises(InvalidField, match="1 other names"):
        cleaned_file(source, from_file(source))
    assert source.read_text() == other.read_text() == SHAPES[".env"][0]


@pytest.mark.parametrize("name", [".env~", ".env.bak", "#.env#", "..env.swp", ".env.save"])
def test_what_editors_left_next_to_it_is_named(name: str, tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text(SHAPES[".env"][0])
    (tmp_path / name).write_bytes(b"b0VIM\0\0" + SHAPES[".env"][0].encode())
    (tmp_path / ".env.example").write_text("BITGET_API_KEY=\n")
    assert cleaned_file(source, from_file(source)).left == (tmp_path / name,)


WRITTEN: dict[str, Callable[[str], bytes]] = {  # a copy next to the file, as other programs write it
    "UTF-8": lambda text: text.encode(),
    "UTF-16, little-endian": lambda text: text.encode("utf-16-le"),
    "UTF-16, big-endian": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "UTF-32, big-endian": lambda text: text.encode("utf-32-be"),
    "JSON": lambda text: json.dumps({"old": text}).encode(),
    "behind nine megabytes": lambda text: b"\0" * 9_000_000 + text.encode(),
    "over the end of a block": lambda text: b"x" * (1024 * 1024 - 3) + text.encode(),
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("passphrase", ['pa"ss\\wd9', "Orchard Lane", "Öl&Tür"])
def test_a_copy_with_one_secret_is_named_however_it_is_written(tmp_path: Path, written: str, passphrase: str) -> None:
    source, copy = tmp_path / "keys.json", tmp_path / "keys.json.bak"
    source.write_text(json.dumps({"bitget": {**KEY, "passphrase": passphrase}}), encoding="utf-8")
    copy.write_bytes(WRITTEN[written](passphrase))
    (tmp_path / "keys.json.other").write_bytes(WRITTEN[written]("Another Lane"))
    cleaned = cleaned_file(source, from_file(source))
    assert (cleaned.left, cleaned.unread) == ((copy,), ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_secret_in_a_comment_of_a_file_in_any_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    source = tmp_path / ".env"
    source.write_bytes((f"# old: {P}\n" + SHAPES[".env"][0]).encode(encoding))
    assert cleaned_file(source, from_file(source)).left == (source,)


def test_a_copy_that_cannot_be_searched_is_not_called_clean(tmp_path: Path) -> None:
    source, huge = tmp_path / ".env", tmp_path / ".env.tar"
    source.write_text(SHAPES[".env"][0])
    with huge.open("wb") as file:
        file.truncate(MAX_NEIGHBOUR_BYTES + 1)
    for number in range(MAX_NEIGHBOURS + 2):
        (tmp_path / f".env.{number:03}").write_text("A=1\n")
    (tmp_path / ".env.gone").symlink_to(tmp_path / "nowhere")
    cleaned = cleaned_file(source, from_file(source))
    assert cleaned.left == ()
    assert len(cleaned.unread) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_copy_that_may_not_be_read_is_not_called_clean(tmp_path: Path) -> None:
    source, copy = tmp_path / ".env", tmp_path / ".env.bak"
    for file in (source, copy):
        file.write_text(SHAPES[".env"][0])
    copy.chmod(0)
    assert cleaned_file(source, from_file(source)).unread == (copy,)


def test_a_secret_that_a_comment_keeps_is_named(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text(f"# old: {S}\n" + SHAPES[".env"][0])
    assert cleaned_file(source, from_file(source)).left == (source,)


TWICE = (
    "BITGET_API_KEY=bg_1\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\n"
    "BITGET_API_KEY=bg_2\nBITGET_SECRET_KEY=def\nBITGET_PASSPHRASE=q\n"
)


def test_another_key_under_the_same_names_is_not_taken_out_with_the_one_that_was_found(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text(TWICE)
    with pytest.raises(InvalidField, match="BITGET_API_KEY is there twice"):
        cleaned_file(source, from_file(source))
    assert source.read_text() == TWICE


SAME_OBJECT_TWICE = (
    '{"bitget": {"apiKey": "bg_1", "secret": "abc", "password": "p"}, '
    '"bitget": {"apiKey": "bg_2", "secret": "def", "password": "q"}}'
)


@pytest.mark.parametrize(
    "text",
    [
        SAME_OBJECT_TWICE,
        "BITGET_API_KEY=bg_1\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\u00a0\n",
        "BITGET_API_KEY=bg_1\nBITGET_SECRET_KEY=abc\nBITGET_PASSPHRASE=p\u200b\n",
    ],
    ids=["an object twice", "no-break space", "zero width"],
)
def test_an_object_twice_and_characters_that_cannot_be_seen_are_doubtful(text: str) -> None:
    assert from_text(Hidden(text))[0].doubt


@pytest.mark.parametrize(
    "text",
    [
        f'[{{"name": "bitget", "apiKey": "{A}", "secret": "{S}", "password": "{P}"}}]',
        f"[{{name: 'bitget', apiKey: '{A}', secret: '{S}', password: '{P}'}},]",
        f'bitget = {{api_key = "{A}", secret_key = "{S}", passphrase = "{P}"}}\n',
        f'bitget.api_key = "{A}"\nbitget.secret_key = "{S}"\nbitget.passphrase = "{P}"\n',
        f"[bitget]\rapi_key = {A}\rsecret_key = {S}\rpassphrase = {P}\r",
    ],
    ids=["a list on one line", "the same as JSON5", "a TOML table on one line", "TOML names with dots", "INI with CR"],
)
def test_what_looks_like_another_format_is_found(text: str) -> None:
    (found,) = from_text(Hidden(text))
    assert {field: one.value for field, one in found.triple.items()} == KEY


def test_a_file_with_nul_characters_is_no_text(tmp_path: Path) -> None:
    for data in (SHAPES[".env"][0].encode("utf-16-le"), SHAPES[".env"][0].encode() + b"\0"):
        (tmp_path / "source").write_bytes(data)
        with pytest.raises(InvalidField, match="no UTF-8 text"):
            read_source(tmp_path / "source")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidField, match="not a regular file"):
        from_file(tmp_path / "pipe")
