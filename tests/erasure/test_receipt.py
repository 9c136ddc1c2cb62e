"""A receipt is verified without the vault: whole ones are, and none in which a byte was changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.erasure.test_erase import stored
from tests.erasure.working import Working, erase, statement_of
from tests.use_cases.requests import new_subject

from vault.administration import Act, nothing
from vault.audit.events import Caller
from vault.audit.note import Verifier, verifier
from vault.audit.policy_file import Policy, policy_of
from vault.audit.receipt import VerifiedReceipt, verify_receipt
from vault.audit.receipt_file import decode, encode
from vault.audit.remembered import Memory
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.keys.horizon import Gone
from vault.store import tables as t
from vault.subjects import erasure_statement
from vault.v1.subject_service_pb2 import DestroyedKey, ErasureReceipt, LeafProof


def log_key(at_work: Working, tenant: str = "acme") -> Verifier:
    """The key of a tenant's log."""
    uid = at_work.inside.tenant(tenant).uid
    return verifier(f"{at_work.node.config.log.origin}/{uid.hex()}", at_work.node.key_manager.log_public_key(uid))


def reach_horizon(at_work: Working, *erasure_uids: bytes, tenant: str = "acme", oldest: str | None = None) -> None:
    """Have the log say so, as the key worker does."""
    after_all = str(at_work.node.key_manager.kek(at_work.inside.tenant(tenant).uid).latest + 1)
    listed = {"erasures": ",".join(uid.hex() for uid in erasure_uids), "oldest": after_all if oldest is None else oldest}
    at_work.node.act(Act(Caller(at_work.inside.tenant(tenant).uid, ""), "HorizonReached", "", listed, nothing))


def proven(at_work: Working, oldest: str | None = None) -> ErasureReceipt:
    """The holder's receipt of a new person's erasure, with both proofs."""
    subject_id = new_subject()
    stored(at_work, subject_id)
    receipt: ErasureReceipt = at_work.ask(erase(subject_id, ground="request", reference="T-1")).receipt
    uid = statement_of(receipt).erasure_uid
    reach_horizon(at_work, bytes(16), uid, oldest=oldest)
    at_work.integrate()
    later = at_work.receipt(uid, "auditor")
    receipt.erased.CopyFrom(later.erased)
    receipt.horizon.CopyFrom(later.horizon)
    return receipt


@pytest.fixture(scope="module")
def good(at_work: Working) -> ErasureReceipt:
    """A whole receipt."""
    return proven(at_work)


@pytest.fixture
def check(at_work: Working, tmp_path: Path) -> "Check":
    """Verifies with the log's key."""
    return Check(policy_of([log_key(at_work)], [], 0), Memory(tmp_path))


class Check:
    """A holder with the log's key in hand."""

    def __init__(self, policy: Policy, memory: Memory) -> None:
        self._policy = policy
        self._memory = memory

    def __call__(self, receipt: ErasureReceipt) -> VerifiedReceipt:
        """What is found."""
        return verify_receipt(receipt, self._policy, self._memory)

    def refuses(self, receipt: ErasureReceipt) -> bool:
        """Whether something is found wrong."""
        try:
            self(receipt)
        except (WrongError, UncheckedError):
            return True
        return False


def test_a_whole_receipt_is_good(good: ErasureReceipt, check: Check) -> None:
    found = check(good)
    assert found.is_named
    assert found.erased
    assert found.horizon
    assert found.erased.entry < found.horizon.entry
    assert found.statement == statement_of(good)


def test_one_without_the_name_is_good_and_names_nobody(good: ErasureReceipt, check: Check) -> None:
    unnamed = ErasureReceipt(statement=good.statement, erased=good.erased)
    found = check(unnamed)
    assert not found.is_named
    assert found.erased
    assert found.horizon is None


def test_a_receipt_of_today_proves_nothing_yet(good: ErasureReceipt, check: Check) -> None:
    assert check(ErasureReceipt(statement=good.statement)).erased is None


def changed(proof: LeafProof) -> Iterator[LeafProof]:
    """The proof with each of its bytes changed."""
    for at in range(len(proof.leaf)):
        yield _with(proof, leaf=_flipped(proof.leaf, at))
    for at in range(len(proof.checkpoint)):
        text = proof.checkpoint
        yield _with(proof, checkpoint=text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :])
    for number, one in enumerate(proof.hashes):
        for at in range(len(one)):
            other = _with(proof)
            other.hashes[number] = _flipped(one, at)
            yield other
    for number in range(63):
        yield _with(proof, leaf_index=proof.leaf_index ^ 1 << number)
    yield LeafProof(leaf=proof.leaf, leaf_index=proof.leaf_index, hashes=proof.hashes[1:], checkpoint=proof.checkpoint)
    yield LeafProof(leaf=proof.leaf, leaf_index=proof.leaf_index, hashes=[*proof.hashes, bytes(32)], checkpoint=proof.checkpoint)


@pytest.mark.parametrize("oldest", ["", "1", "-9", "9.5", "x", "٩"])
def test_a_horizon_at_which_a_version_that_is_named_still_lives_is_refused(at_work: Working, check: Check, oldest: str) -> None:
    receipt = proven(at_work, oldest)
    assert check.refuses(receipt)
    receipt.ClearField("horizon")
    assert check(receipt).erased


def test_a_horizon_of_a_statement_that_lists_newer_keys_than_it_names_is_refused(at_work: Working, check: Check) -> None:
    destroyed = erasure_statement._destroyed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure_statement, "_destroyed", lambda row: _of_epoch(destroyed(row), row.epoch + 1))
        receipt = proven(at_work)
    uid = statement_of(receipt).erasure_uid
    row = at_work.inside.row(t.erasure, uid=uid)
    assert not Gone(oldest_kek=9, since_us=row.begin_us * 2).covers(row)
    with pytest.raises(WrongError, match="later epoch"):
        check(receipt)
    receipt.ClearField("horizon")
    assert check(receipt).erased


def test_a_changed_byte_of_a_proof_is_refused(good: ErasureReceipt, check: Check) -> None:
    for name in ("erased", "horizon"):
        for proof in changed(getattr(good, name)):
            other = ErasureReceipt()
            other.CopyFrom(good)
            getattr(other, name).CopyFrom(proof)
            assert check.refuses(other), (name, proof)


def test_a_changed_byte_of_the_statement_or_the_name_is_refused(good: ErasureReceipt, check: Check) -> None:
    for field in ("statement", "commitment_key"):
        for at in range(len(getattr(good, field))):
            assert check.refuses(_changed(good, **{field: _flipped(getattr(good, field), at)})), (field, at)
    name = good.subject_id
    for at in range(len(name)):
        assert check.refuses(_changed(good, subject_id=name[:at] + chr(ord(name[at]) ^ 1) + name[at + 1 :]))
    assert check.refuses(_changed(good, subject_id=""))
    assert check.refuses(_changed(good, commitment_key=b""))
    assert check.refuses(_changed(good, statement=good.statement + b"\x08\x01"))


def test_proofs_of_another_erasure_are_refused(at_work: Working, good: ErasureReceipt, check: Check) -> None:
    other = proven(at_work)
    assert check(other)
    assert check.refuses(_changed(good, erased=other.erased))
    assert check.refuses(_changed(good, horizon=other.horizon))
    assert check.refuses(_changed(good, horizon=good.erased))
    assert check.refuses(_changed(good, erased=good.horizon))
    assert check.refuses(ErasureReceipt(statement=good.statement, horizon=good.horizon))


def test_another_tenants_log_proves_nothing(at_work: Working, good: ErasureReceipt, tmp_path: Path) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id, "globex")
    at_work.erase(subject_id, "globex")
    reach_horizon(at_work, statement_of(good).erasure_uid, tenant="globex")
    at_work.integrate()
    theirs = at_work.node.key_manager.read_anchor(at_work.inside.tenant("globex").uid)
    assert theirs is not None
    foreign = _changed(good, horizon=LeafProof(leaf=good.horizon.leaf, leaf_index=1, hashes=[], checkpoint=theirs.text))
    both = Check(policy_of([log_key(at_work), log_key(at_work, "globex")], [], 0), Memory(tmp_path))
    assert both(good)
    assert both.refuses(foreign)


def test_without_a_key_nothing_is_believed(good: ErasureReceipt, tmp_path: Path) -> None:
    with pytest.raises(UncheckedError):
        verify_receipt(good, policy_of([], [], 0), Memory(tmp_path))


def test_a_file_comes_back_as_it_was_and_in_one_spelling_only(good: ErasureReceipt) -> None:
    text = encode(good)
    assert decode(text.encode()) == good
    assert decode(text.replace("\n", "").encode()) == good
    for other in (
        text.replace('"statement"', '"statement_"'),
        text.replace('"subjectId"', '"subject_id"'),
        text.replace("{", '{"subjectId": "x",', 1),
        text.replace('="', '=="', 1),
        text[:-5],
        "[]",
        "",
        "{" * 100_000,
    ):
        assert other != text
        with pytest.raises(WrongError):
            decode(other.encode())


def test_before_the_log_has_it_there_is_no_proof(at_work: Working) -> None:
    at_work.integrate()
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    assert not at_work.receipt(uid).HasField("erased")
    at_work.integrate()
    found = at_work.receipt(uid)
    assert found.HasField("erased")
    assert not found.HasField("horizon")
    assert (found.subject_id, found.commitment_key) == ("", b"")


def _of_epoch(key: DestroyedKey, epoch: int) -> DestroyedKey:
    key.epoch = epoch
    return key


def _changed(receipt: ErasureReceipt, **fields: object) -> ErasureReceipt:
    other = ErasureReceipt()
    other.CopyFrom(receipt)
    for name in fields:
        other.ClearField(name)  # type: ignore[arg-type]
    other.MergeFrom(ErasureReceipt(**fields))  # type: ignore[arg-type]
    return other


def _with(proof: LeafProof, **fields: object) -> LeafProof:
    other = LeafProof()
    other.CopyFrom(proof)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
