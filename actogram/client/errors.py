"""What a client raises: what the server refused, and that it cannot be reached."""


class ApiError(Exception):
    """The server refused, in the form of RFC 9457.

    status: of HTTP. code: stable, for programs. detail: for people. retry_after_s: when to try again, where told.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s


class ConnectionLost(Exception):
    """The server does not answer, after as many tries as were allowed."""
