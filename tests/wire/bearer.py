"""Presenting tokens, good and bad: what comes back must be an answer and must not tell what was sent."""

from multidict import CIMultiDict
from structlog.testing import capture_logs

from tests.wire.client import Answer, Client


async def present(client: Client, *authorization: str, path: str = "/v1/tools/list") -> Answer:
    """Send a request with Authorization headers as they stand; none of their parts may come back or be logged."""
    with capture_logs() as lines:
        headers = CIMultiDict([("Authorization", value) for value in authorization])
        answer = await client.send("GET", path, permissions=None, headers=headers)
    parts = [part for value in authorization for part in value.replace(" ", ".").split(".") if len(part) > 8]
    told = f"{answer.headers} {answer.body.decode()} {lines}"
    assert [part for part in parts if part in told] == []
    return answer


def refused(answer: Answer) -> str:
    """Return the sentence of a 401."""
    assert (answer.status, answer.error["code"]) == (401, "unauthenticated")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="crm-mcp"')
    assert challenge.count('"') % 2 == 0
    sentence = answer.error["message"]
    assert sentence.endswith(".")
    return str(sentence)
