"""MCP 2025-03-26 to 2025-11-25 over HTTP: sessions, whose requests go on when a connection is lost."""

import asyncio
from functools import partial

import orjson
from aiohttp import web

from rpc_server.backends.session_memory import SessionMemory
from rpc_server.calls.recall import Kept
from rpc_server.contract.caller import Caller
from rpc_server.protocol import mcp_legacy
from rpc_server.protocol.errors import Refusal, no_such_method
from rpc_server.protocol.jsonrpc import INVALID_REQUEST, NO_ID, Fault, Id, Parsed, Request
from rpc_server.protocol.mcp_legacy import CANCELLED, SESSION, SET_LEVEL
from rpc_server.protocol.mcp_message import fields_of, meta_of, progress_token
from rpc_server.protocol.server_info import ServerInfo
from rpc_server.protocol.session import Session, SessionSeal
from rpc_server.transport.mcp_answer import Answer, Answering, Asked
from rpc_server.transport.mcp_delivery import event_of, is_silent, json_answer, stream
from rpc_server.transport.mcp_work import Work
from rpc_server.transport.middleware import CALLER, REQUEST_ID
from rpc_server.transport.repeats import LOOKED, kept_answer
from rpc_server.transport.whole import WholeResponse


class Sessions:
    """Takes the messages of the versions that begin with a handshake."""

    def __init__(
        self,
        answering: Answering,
        info: ServerInfo,
        work: Work,
        *,
        seal: SessionSeal,
        memory: SessionMemory,
        batch_concurrency: int,
    ) -> None:
        self._answering = answering
        self._info = info
        self._work = work
        self._seal = seal
        self._memory = memory
        self._batch_concurrency = batch_concurrency
        # By session and request id. A process can call off only what runs in it.
        self._running: dict[tuple[str, Id], asyncio.Task[Answer]] = {}
        own = ["initialize", "ping", *([SET_LEVEL] if info.logs else [])]
        self._methods = sorted([*own, *answering.methods])

    async def post(self, request: web.Request, parsed: Parsed) -> web.StreamResponse:
        """Take a message, or a batch where the session's version has them."""
        if mcp_legacy.is_handshake(parsed):
            return self._begin(request, parsed)
        session = await self._session(request)
        mcp_legacy.check_batch(parsed, session.version)
        self._take_notifications(session, parsed)
        wanted = [member for member in parsed.members if mcp_legacy.wants_answer(member)]
        if not wanted:
            return web.Response(status=202)
        if parsed.is_batch:
            return await self._answer_batch(request, session, wanted)
        asked = await self._asked(request, session, wanted[0])
        if isinstance(asked, Answer):
            return json_answer(asked)
        if asked.method == "tools/call":
            look = self._answering.look
            asked.looked = request.get(LOOKED) or await look(asked.params, asked.caller, asked.request_id)
            if isinstance(asked.looked, Kept):
                encode = partial(self._answering.kept, session.version)
                still = partial(self._is_open, session, asked.caller)
                return kept_answer(request, asked.looked, encode, id=asked.id, still=still)
        return await self._answer(request, session, asked)

    async def resume(self, request: web.Request, last_seen: str) -> web.StreamResponse:
        """Go on with a stream that broke off after the event *last_seen*."""
        session = await self._session(request)
        event = event_of(last_seen)
        log = await self._memory.find(session, event[0]) if event else None
        if event is None or log is None:
            raise Refusal(INVALID_REQUEST, "Last-Event-ID names no stream of this session that can be resumed.")
        name, number = event
        return await stream(request, log, name=name, after=number)

    async def end(self, request: web.Request) -> web.Response:
        """End a session, and what still runs in it."""
        session = await self._session(request)
        await self._memory.end(session)
        for (id, _), work in list(self._running.items()):
            if id == session.id:
                work.cancel()
        return web.Response(status=204)

    def _begin(self, request: web.Request, parsed: Parsed) -> WholeResponse:
        message = parsed.members[0]
        assert isinstance(message, Request)
        assert message.id is not NO_ID
        try:
            version, result = mcp_legacy.initialized(message, self._info)
        except Refusal as refusal:
            return json_answer(Answer.refused(message.id, refusal))
        response = json_answer(Answer.result(message.id, result))
        response.headers[SESSION] = self._seal.begin(version, request[CALLER]).id
        return response

    async def _session(self, request: web.Request) -> Session:
        """Return the session that a request belongs to; raises Refusal."""
        ids = request.headers.getall(SESSION, [])
        if len(ids) != 1:
            raise mcp_legacy.no_session()
        session = self._seal.read(ids[0], request[CALLER])
        if session is None or await self._memory.has_ended(session):
            raise mcp_legacy.ended_session()
        return session

    async def _is_open(self, session: Session, caller: Caller) -> bool:
        """Tell whether a session still goes on."""
        return self._seal.read(session.id, caller) is not None and not await self._memory.has_ended(session)

    def _take_notifications(self, session: Session, parsed: Parsed) -> None:
        """Call off what is called off; other notifications, and answers to nothing, ask for nothing."""
        for member in parsed.members:
            if isinstance(member, Request) and member.is_notification and member.method == CANCELLED:
                work = self._running.get((session.id, mcp_legacy.cancelled_id(member)))
                if work is not None:
                    work.cancel()

    async def _asked(
        self, request: web.Request, session: Session, member: Request | Fault, *, place: int | None = None
    ) -> Asked | Answer:
        """Return what is asked for (in a batch at *place*), or the answer where that is no proper question."""
        if isinstance(member, Fault):
            return Answer.error(member.id, member.code, member.message, member.data, status=400)
        assert member.id is not NO_ID
        try:
            params = fields_of(member)
            token = progress_token(meta_of(params))
        except Refusal as refusal:
            return Answer.refused(member.id, refusal)
        return Asked(
            method=member.method,
            id=member.id,
            params=params,
            version=session.version,
            caller=request[CALLER],
            request_id=request[REQUEST_ID] if place is None else f"{request[REQUEST_ID]}.{place}",
            progress_token=token if place is None else None,
            log_level=await self._memory.log_level(session) if self._info.logs and place is None else None,
            is_in_batch=place is not None,
        )

    async def _answer(self, request: web.Request, session: Session, asked: Asked) -> web.StreamResponse:
        work = self._start(session, asked)
        if await is_silent(asked.log):
            return json_answer(await asyncio.shield(work))
        name = await self._memory.keep(session, asked.log)
        return await stream(request, asked.log, name=name, primes=session.version.primes_streams)

    async def _answer_batch(
        self, request: web.Request, session: Session, members: list[Request | Fault]
    ) -> web.Response:
        """Answer with an array, in the order of the requests; what is said before the answers is not sent."""
        turns = asyncio.Semaphore(self._batch_concurrency)

        async def one(place: int, member: Request | Fault) -> orjson.Fragment:
            async with turns:
                asked = await self._asked(request, session, member, place=place)
                answer = asked if isinstance(asked, Answer) else await asyncio.shield(self._start(session, asked))
                return orjson.Fragment(answer.body)

        answers = await asyncio.gather(*(one(place, member) for place, member in enumerate(members)))
        return web.Response(body=orjson.dumps(answers), content_type="application/json")

    def _start(self, session: Session, asked: Asked) -> asyncio.Task[Answer]:
        """Carry out a request so that it can be called off, and so that it outlives its connection."""
        work = self._work.start(asked, lambda asked: self._answered(session, asked))
        key = session.id, asked.id
        self._running[key] = work
        work.add_done_callback(lambda work: self._running.pop(key) if self._running.get(key) is work else None)
        return work

    async def _answered(self, session: Session, asked: Asked) -> Answer:
        """Answer the methods that only sessions have, and have the others answered."""
        if asked.method == "ping":
            return Answer.result(asked.id, {})
        try:
            if asked.method not in self._methods:
                raise no_such_method(asked.method, self._methods)
            if asked.method == SET_LEVEL:
                await self._memory.set_log_level(session, mcp_legacy.log_level(asked.params))
                return Answer.result(asked.id, {})
        except Refusal as refusal:
            return Answer.refused(asked.id, refusal)
        return await self._answering(asked)
