"""Values that callers keep: encrypted and decrypted by commands, one by one and as whole tables."""

import csv
import stat
from base64 import b64encode
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Served

VALUE, BOUND = "+447700900123", ("--associated-data", "customers/phone/17")
FACE = bytes(2048)


def encrypted(served: Served, *more: str, value: str = VALUE, data_class: str = "phone") -> str:
    """The ciphertext of one value."""
    done = served("app", "encrypt", "--class", data_class, "--subject", "customer-17", *more, stdin=f"{value}\n".encode())
    assert done.code == 0, done.err
    assert value not in done.out + done.err
    return str(done.rows[0]["ciphertext"])


def test_a_value_comes_back_in_the_form_that_is_asked_for(served: Served) -> None:
    ciphertext = encrypted(served)
    assert ciphertext.startswith("pdv1.")
    masked, part = served("support", "decrypt", ciphertext), served("support", "decrypt", ciphertext, "--form", "partial:last4")
    assert masked.rows == [{"data_class": "phone", "form": "masked", "value": "****0123"}]
    assert part.rows[0]["value"] == "0123"
    assert served("payout", "decrypt", ciphertext, "--form", "plain").rows[0]["value"] == VALUE
    denied = served("support", "decrypt", ciphertext, "--form", "plain")
    assert (denied.code, denied.out) == (2, "")
    assert "POLICY_DENIED" in denied.err


def test_ciphertexts_come_from_stdin_and_their_order_stays(served: Served) -> None:
    emails = [f"p{number}@example.org" for number in range(150)]
    made = [encrypted(served, value=email, data_class="email") for email in emails[:2]]
    lines = "\n".join(made * 75).encode()
    done = served("payout", "decrypt", "--form", "plain", stdin=lines)
    assert [row["value"] for row in done.rows] == emails[:2] * 75


def test_what_it_is_bound_to_has_to_be_given_again(served: Served) -> None:
    ciphertext = encrypted(served, *BOUND)
    assert served("support", "decrypt", ciphertext, *BOUND).code == 0
    for more in ((), ("--associated-data", ""), ("--associated-data", "customers/phone/18")):
        refused = served("support", "decrypt", ciphertext, *more)
        assert (refused.code, refused.out) == (2, "")
        assert "CIPHERTEXT_REFUSED" in refused.err
    assert served("support", "decrypt", encrypted(served, "--associated-data", ""), "--associated-data", "").code == 0


def test_bytes_come_in_as_they_are_and_out_in_base64(served: Served) -> None:
    arguments = ("--class", "face_template", "--bytes", "--subject", "customer-17")
    (made,) = served("app", "encrypt", *arguments, stdin=FACE).rows
    (row,) = served("payout", "decrypt", made["ciphertext"], "--form", "plain").rows
    assert row["value_base64"] == b64encode(FACE).decode()


@pytest.mark.parametrize("text", ["pdv1.", "pdv1.AQFE...", VALUE, "pdv1.A+B/"])
def test_a_text_that_is_no_ciphertext_is_refused_here_and_not_repeated(served: Served, text: str) -> None:
    refused = served("support", "decrypt", text)
    assert (refused.code, refused.out) == (1, "")
    assert "base64url" in refused.err
    assert text not in refused.err.replace('"pdv1."', "")


def test_which_line_is_no_ciphertext_is_said_before_any_is_sent(served: Served) -> None:
    (made,) = served("app", "encrypt", "--class", "phone", "--subject", "customer-17", stdin=VALUE.encode()).rows
    refused = served("support", "decrypt", stdin=f"{made['ciphertext']}\npdv1.AQFE...\n".encode())
    assert (refused.code, refused.out) == (1, "")
    assert "line 2: " in refused.err


def test_nothing_to_do_is_said(served: Served) -> None:
    assert "at least one ciphertext" in served("support", "decrypt").err
    assert "--class and --subject" in served("app", "encrypt", "--class", "phone").err
    assert served("app", "encrypt", VALUE, "--class", "phone", "--subject", "customer-17").code == 1


def rekeyed(served: Served) -> None:
    """Give everybody new keys."""
    done = served("security", "keys", "rekey", "--all")
    assert (done.code, done.rows[0]["state"]) == (0, "DONE"), done.err


def test_ciphertexts_move_to_the_newest_keys_and_the_old_ones_still_open(served: Served) -> None:
    first, second = encrypted(served), encrypted(served, value="+447700900124")
    unmoved = served("app", "reencrypt", first, second)
    assert unmoved.rows == [{"ciphertext": text, "changed": False} for text in (first, second)]
    rekeyed(served)
    moved = served("app", "reencrypt", stdin=f"{first}\n{second}\n".encode()).rows
    assert [row["changed"] for row in moved] == [True, True]
    opened = served("payout", "decrypt", first, *(row["ciphertext"] for row in moved), "--form", "plain").rows
    assert [row["value"] for row in opened] == [VALUE, VALUE, "+447700900124"]


def test_to_move_a_ciphertext_takes_what_it_is_bound_to_and_stays_bound(served: Served) -> None:
    bound = encrypted(served, *BOUND)
    refused = served("app", "reencrypt", bound)
    assert (refused.code, refused.out, "CIPHERTEXT_REFUSED" in refused.err) == (2, "", True)
    rekeyed(served)
    (row,) = served("app", "reencrypt", bound, *BOUND).rows
    assert row["changed"] is True
    assert served("support", "decrypt", row["ciphertext"], *BOUND).code == 0
    assert served("support", "decrypt", row["ciphertext"]).code == 2


def test_nobody_moves_a_ciphertext_who_may_not_encrypt(served: Served) -> None:
    refused = served("support", "reencrypt", encrypted(served))
    assert (refused.code, "POLICY_DENIED" in refused.err) == (2, True)


def test_a_table_of_ciphertexts_moves_as_a_whole(table: "Table", served: Served, tmp_path: Path) -> None:
    table.write(("id", "phone", "note", "face"), ("c1", VALUE, "hi, there", ""), ("c2", "", "", b64encode(FACE).decode()))
    assert table.run("--associated-data-column", "id").code == 0
    rekeyed(served)
    columns = ("--column", "phone", "--column", "face", "--associated-data-column", "id")
    done = served("app", "reencrypt", "--csv", table.out, "--out", tmp_path / "newest.csv", *columns)
    assert done.code == 0, done.err
    assert (done.rows[0]["rows"], done.rows[0]["ciphertexts"], done.rows[0]["changed"]) == (2, 2, 2)
    before, table.out = table.rows(), tmp_path / "newest.csv"
    first, second = table.rows()
    assert (first["id"], first["note"], first["face"], second["phone"]) == ("c1", "hi, there", "", "")
    assert first["phone"] != before[0]["phone"]
    assert served("payout", "decrypt", first["phone"], "--form", "plain", "--associated-data", "c1").rows[0]["value"] == VALUE


def test_a_cell_that_is_no_ciphertext_is_named_before_anything_is_sent(table: "Table", served: Served) -> None:
    table.write(("id", "phone", "face"), ("c1", VALUE, ""))
    refused = served("app", "reencrypt", "--csv", table.source, "--out", table.out, "--column", "phone")
    assert (refused.code, "row 1, column phone is no ciphertext" in refused.err, VALUE in refused.err) == (1, True, False)
    assert not table.out.exists()


@pytest.mark.parametrize(
    "arguments", [(), ("--csv", __file__), ("pdv1.AQFE", "--column", "phone"), ("pdv1.AQFE", "--csv", __file__)]
)
def test_what_to_move_must_be_said_in_one_way(served: Served, arguments: tuple[str, ...]) -> None:
    assert served("app", "reencrypt", *arguments).code == 1


class Table:
    """A CSV file in a folder, and the command that encrypts it."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.source, self.out = folder / "in.csv", folder / "out.csv"

    def write(self, *rows: tuple[str, ...]) -> None:
        """The file's rows, the header first."""
        with self.source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    def run(self, *more: str) -> Result:
        """Encrypt it."""
        columns = ("--column", "phone=phone", "--column", "face=face_template:base64")
        return self.served("app", "encrypt", "--csv", self.source, "--out", self.out, "--subject-column", "id", *columns, *more)

    def rows(self) -> list[dict[str, str]]:
        """The rows written."""
        with self.out.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def table(served: Served, tmp_path: Path) -> Table:
    return Table(served, tmp_path)


def test_ciphertexts_take_the_places_of_values_and_all_else_stays(table: Table, served: Served) -> None:
    face = b64encode(FACE).decode()
    table.write(("id", "phone", "note", "face"), ("c1", VALUE, "hi, there", face), ("c2", "", "nobody's", ""))
    done = table.run("--associated-data-column", "id")
    assert done.code == 0, done.err
    assert (done.rows[0]["rows"], done.rows[0]["ciphertexts"]) == (2, 2)
    first, second = table.rows()
    assert (first["id"], first["note"]) == ("c1", "hi, there")
    assert second == {"id": "c2", "phone": "", "note": "nobody's", "face": ""}
    opened = served("payout", "decrypt", first["phone"], "--form", "plain", "--associated-data", "c1")
    assert opened.rows[0]["value"] == VALUE
    assert served("payout", "decrypt", first["phone"], "--associated-data", "c2").code == 2
    assert stat.S_IMODE(table.out.stat().st_mode) == 0o600
    assert not table.out.with_name("out.csv.partial").exists()


def test_a_refused_cell_is_named_and_the_table_can_be_begun_anew(table: Table) -> None:
    table.write(("id", "phone", "face"), ("c1", VALUE, ""), ("c2", "unspeakable", ""))
    refused = table.run()
    assert refused.code == 2
    assert "row 2, column phone" in refused.err
    assert "begins anew" in refused.err
    assert "unspeakable" not in refused.err
    assert not table.out.exists()
    table.write(("id", "phone", "face"), ("c1", VALUE, ""), ("c2", VALUE, ""))
    assert table.run().code == 0
    assert len(table.rows()) == 2


def test_a_column_that_is_not_there_is_named_before_anything_is_sent(table: Table) -> None:
    table.write(("id", "phone", "face"), ("c1", VALUE, ""))
    refused = table.run("--associated-data-column", "row")
    assert refused.code == 1
    assert "no column row" in refused.err
