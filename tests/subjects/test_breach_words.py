"""What a breach report says of calls about subjects: that people were looked up or changed, never that a value came out."""

from tests.subjects.requests import link, place_hold, register, release_hold, restrict, show, unlink, unrestrict
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_subject

from vault.auditing.uses import uses
from vault.server.methods import SERVICES
from vault.v1 import audit_pb2, subject_service_pb2
from vault.v1 import audit_service_pb2 as v1


def words(event: audit_pb2.AuditEvent) -> list[tuple[bytes, str, str]]:
    """Whom an event touched, how, and of which class."""
    return [(uid, v1.Use.Name(way.use), way.data_class) for uid, way in uses(event)]


def test_naming_restricting_and_holding_are_writing_and_looking_up_is_searching(open_vault: Inside) -> None:
    name, alias = new_subject(), new_subject()
    with open_vault.events() as events:
        uid = open_vault.ask(register(name)).subject_uid
        open_vault.ask(link(name, alias), "admin")
        open_vault.ask(unlink(alias), "admin")
        open_vault.ask(restrict(name), "admin")
        open_vault.ask(unrestrict(name), "admin")
        hold = open_vault.ask(place_hold(name), "privacy").hold
        open_vault.ask(release_hold(name, hold.hold_uid), "privacy")
        open_vault.ask(show(name), "admin")
    assert [words(event) for event in events] == [[(uid, "USE_WRITTEN", "")]] * 7 + [[(uid, "USE_SEARCHED", "")]]


def test_a_refusal_is_told_as_one(open_vault: Inside) -> None:
    name, other = new_subject(), new_subject()
    uids = {open_vault.ask(register(one)).subject_uid for one in (name, other)}
    with open_vault.events() as events:
        open_vault.refused(link(name, other), "admin")
    assert {(uid, use) for event in events for uid, use, _ in words(event)} == {(uid, "USE_REFUSED") for uid in uids}


def test_of_no_method_about_subjects_a_report_assumes_that_values_came_out() -> None:
    touched = audit_pb2.Touched(subject_uids=bytes(16))
    for method in SERVICES[subject_service_pb2.DESCRIPTOR.services_by_name["SubjectService"].full_name]:
        ((_, use, _),) = words(audit_pb2.AuditEvent(action=method.name, touched=[touched]))
        assert use != "USE_REVEALED", method.name
