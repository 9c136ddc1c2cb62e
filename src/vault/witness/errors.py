"""What goes wrong with a witness itself, and what it refuses to cosign."""


class WitnessError(Exception):
    """The witness can't be run as it is: its key or its state is not in order. The message says what to do."""


class RefusedError(Exception):
    """A submission is not cosigned.

    ``status`` is the HTTP status that tlog-witness gives this refusal; the text is the body of the answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class OutdatedError(RefusedError):
    """The submission does not begin where the witness is; ``size`` is where."""

    def __init__(self, size: int) -> None:
        super().__init__(409, f"{size}\n")
        self.size = size
