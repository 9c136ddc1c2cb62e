"""The client of SubjectService: the people that data is about, and their erasure."""

from pdvault_client._contract import SUBJECT
from pdvault_client._erasures import ErasureCalls
from pdvault_client._subject_calls import SubjectCalls


class SubjectClient(SubjectCalls, ErasureCalls):
    """A connection about people. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline.
    """

    _service = SUBJECT
