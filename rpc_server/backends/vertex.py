"""Gemini on Vertex AI, through google-genai: bounded, retrying, and out of the way while it is down.

The library is an extra and slow to import, so it is imported in a thread, once, when the server
starts. It knows nothing of Retry-After, so retries are ours. What it says of a failure may hold
anything that a server sent: of that, a status and the name of an exception are logged, and callers
get a ModelFailed.
"""

import asyncio
import importlib.util
import random
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson
import structlog

from rpc_server.backends.bounded_http import AnswerTooLarge, bounded_session
from rpc_server.backends.breaker import Breaker
from rpc_server.contract.model import Generated, ModelFailed, ModelFailure

logger = structlog.get_logger("vertex")

ATTEMPTS = 3
_BACKOFF_SECONDS = 0.5
_CLOSING_SECONDS = 2.0
_LONGEST_RETRY_AFTER = 300.0
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
# No request costs more; a larger figure is a lie or a fault.
_MOST_TOKENS = 10_000_000
_AGAIN = {408, 429, 500, 502, 503, 504}
_BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"}


class _Failed(ModelFailed):
    """One request failed; *healthy* tells what that says of the service, None: nothing."""

    def __init__(
        self,
        reason: ModelFailure,
        *,
        tokens: int = 0,
        healthy: bool | None,
        again: bool = False,
        retry_after: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(reason, tokens=tokens)
        self.healthy = healthy
        self.status = status
        self.again = again
        self.retry_after = retry_after


class Vertex:
    """A model of Vertex AI, used as a context; all of the process's requests to it go through one of these."""

    def __init__(
        self,
        project: str,
        *,
        location: str,
        model: str,
        url: str | None = None,
        concurrency: int = 8,
        timeout_seconds: float = 20.0,
        thinking: str = "default",
        breaker: Breaker | None = None,
    ) -> None:
        """At most *concurrency* requests at a time, each of at most *timeout_seconds*.

        Credentials are the environment's (GOOGLE_APPLICATION_CREDENTIALS and what else Google's libraries know).
        Raises ValueError where the extra `vertex` is not installed.
        """
        if not _installed():
            raise ValueError(
                "VERTEX_AI_PROJECT is set, but what talks to Vertex AI is not installed: "
                "install the extra 'vertex' (google-cloud-aiplatform), or unset it"
            )
        self._project = project
        self._location = location
        self._model = model
        self._url = url
        self._timeout = timeout_seconds
        self._thinking = thinking
        self._slots = asyncio.Semaphore(concurrency)
        self._breaker = breaker or Breaker()
        self._refusal: ModelFailure = "unavailable"
        self._client: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._model

    @property
    def is_down(self) -> bool:
        """Tell whether requests are refused at the moment, because too many have failed."""
        return self._breaker.refuses

    async def __aenter__(self) -> "Vertex":
        """Begin to get ready, beside whatever else starts."""
        # Whoever waits for its turn waits for a slot, and not within a request's time.
        self._session = bounded_session(connections=0)
        self._connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close the connections; requests must have ended."""
        if self._client is not None:
            with suppress(Exception):
                client = await self._client
                await asyncio.wait_for(client.aio.aclose(), _CLOSING_SECONDS)
                client.close()
        await self._session.close()

    async def generate(
        self, *, instructions: str, content: str, schema: dict[str, Any], most_tokens: int, until: float
    ) -> Generated:
        """Answer *content* by *instructions* as JSON of *schema*; raises ModelFailed, at the latest at *until*."""
        now = asyncio.get_running_loop().time
        attempt = 1
        while True:
            try:
                async with asyncio.timeout_at(until), self._slots:
                    return await self._attempt(instructions, content, schema, most_tokens)
            except TimeoutError:
                raise ModelFailed("timed_out") from None
            except _Failed as failure:
                pause = failure.retry_after + random.uniform(0, _BACKOFF_SECONDS * 2**attempt)  # noqa: S311 - no secret
                if not failure.again or attempt == ATTEMPTS or now() + pause >= until:
                    raise ModelFailed(failure.reason, tokens=failure.tokens) from None
            attempt += 1
            await asyncio.sleep(pause)

    async def _attempt(self, instructions: str, content: str, schema: dict[str, Any], most_tokens: int) -> Generated:
        """Make one request, unless the breaker refuses, and let it learn how that went."""
        if not self._breaker.admit():
            raise _Failed(self._refusal, healthy=None)
        healthy: bool | None = None
        pause = 0.0
        try:
            answer = await self._request(instructions, content, schema, most_tokens)
            healthy = True
            return answer
        except _Failed as failure:
            healthy, pause = failure.healthy, failure.retry_after
            if healthy is False:
                self._refusal = failure.reason
            raise
        finally:
            self._breaker.report(healthy, pause=pause)

    async def _request(self, instructions: str, content: str, schema: dict[str, Any], most_tokens: int) -> Generated:
        client = await self._connected()
        try:
            # The library's own limit is one of the HTTP request; fetching a token comes before that.
            async with asyncio.timeout(self._timeout):
                response = await client.aio.models.generate_content(
                    model=self._model,
                    contents=content,
                    config={
                        "system_instruction": instructions,
                        "response_mime_type": "application/json",
                        "response_json_schema": schema,
                        "max_output_tokens": most_tokens,
                        "automatic_continuation": False,
                        "automatic_function_calling": {"disable": True},
                        "http_options": {"timeout": max(1, int(self._timeout * 1000))},
                        **self._thinking_config,
                    },
                )
            return _answer(response)
        except _Failed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library raises, callers get a ModelFailed
            failure = _failure(error)
            logger.warning("request failed", reason=failure.reason, error=type(error).__name__, status=failure.status)
            raise failure from None

    @property
    def _thinking_config(self) -> dict[str, Any]:
        return {} if self._thinking == "default" else {"thinking_config": {"thinking_level": self._thinking.upper()}}

    def _connect(self) -> asyncio.Task[Any]:
        self._client = asyncio.create_task(asyncio.to_thread(self._make_client), name="vertex client")
        self._client.add_done_callback(_log_failure)
        return self._client

    async def _connected(self) -> Any:
        """Return the library's client; where making it has failed, try again."""
        making = self._client
        if making is None or (making.done() and (making.cancelled() or making.exception() is not None)):
            making = self._connect()
        try:
            return await asyncio.shield(making)
        except Exception:  # noqa: BLE001 - logged where it was made
            raise _Failed("unavailable", healthy=False) from None

    def _make_client(self) -> Any:
        """Import the library and find the credentials; slow, and in a thread."""
        import google.auth
        from google import genai

        credentials, _ = google.auth.default(scopes=_SCOPES)
        return genai.Client(
            enterprise=True,
            project=self._project,
            location=self._location,
            credentials=credentials,
            http_options=genai.types.HttpOptions(
                base_url=self._url,
                api_version="v1",
                # One attempt, and no hidden one either, which the library makes where nothing is said.
                retry_options=genai.types.HttpRetryOptions(attempts=1),
                aiohttp_client=self._session,
            ),
        )


def _installed() -> bool:
    try:
        return importlib.util.find_spec("google.genai") is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _log_failure(making: asyncio.Task[Any]) -> None:
    if not making.cancelled() and (error := making.exception()) is not None:
        logger.error("no client", error=type(error).__name__)


def _answer(response: Any) -> Generated:
    """Return what the model answered; raises _Failed where it refused, or where it is no JSON."""
    usage = response.usage_metadata
    tokens = min(max(0, usage.total_token_count or 0), _MOST_TOKENS) if usage else 0
    candidate = response.candidates[0] if response.candidates else None
    finished = candidate.finish_reason if candidate else None
    if (response.prompt_feedback and response.prompt_feedback.block_reason) or (finished and finished.name in _BLOCKED):
        raise _Failed("blocked", tokens=tokens, healthy=True)
    try:
        return Generated(orjson.loads(response.text or ""), tokens)
    except orjson.JSONDecodeError:
        raise _Failed("unreadable", tokens=tokens, healthy=True) from None


def _failure(error: Exception) -> _Failed:
    """Say what an exception of the library means."""
    if isinstance(error, TimeoutError):
        return _Failed("timed_out", healthy=False)
    if isinstance(error, AnswerTooLarge | ValueError | RecursionError):
        return _Failed("unreadable", healthy=True)
    if isinstance(error, aiohttp.ClientError):
        return _Failed("unavailable", healthy=False, again=True)
    # The library's own errors; its classes are not there to be named where it could not be imported.
    status = getattr(error, "code", None)
    if isinstance(status, int):
        return _refusal(status, getattr(error, "response", None))
    return _Failed("unavailable", healthy=False)


def _refusal(status: int, response: Any) -> _Failed:
    return _Failed(
        "rate_limited" if status == 429 else "unavailable",
        # A request that the service finds wrong says nothing of how it is otherwise, or one tenant's could
        # close it to all.
        healthy=None if status == 400 else False,
        again=status in _AGAIN,
        retry_after=_retry_after(getattr(response, "headers", {}).get("Retry-After", "")),
        status=status,
    )


def _retry_after(value: str) -> float:
    """Read the header of that name, in seconds or as a date; what cannot be read asks for nothing."""
    seconds = 0.0
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        with suppress(ValueError, TypeError):  # no date, or one of no zone
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)
