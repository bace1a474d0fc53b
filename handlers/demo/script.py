"""What is said in a conversation, in which order: a sequence of beats, without words and times.

A beat is who speaks and what is meant. Whoever plays the script may stop anywhere: because time
is over, or because a pause was so long that the conversation expired.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from handlers.demo.chance import Draw, shuffled

CUSTOMER, HUMAN, BOT, AI, SYSTEM, CAMPAIGN = "customer", "human", "bot", "ai", "system", "campaign"

Beat = tuple[str, str]

TOPICS = ("price", "stock", "delivery", "payment", "details")
FIRST_TOPICS = ("price", "price", "price", "stock", "stock", "delivery", "payment", "details")


@dataclass(slots=True)
class Scene:
    """How a conversation is to go.

    `kind`: first, return (the customer comes back), campaign, chasing (the agent writes first), care
    (after the sale) or renewal. `outcome`: won, lost or open. `greeter`: bot, ai or nobody.
    """

    kind: str
    outcome: str
    greeter: str
    closed: bool
    ignores: float
    transfer: bool
    alone: bool


def script(scene: Scene, draw: Draw) -> Iterator[Beat]:
    """Play a scene out, beat for beat."""
    if scene.alone:
        return _with_the_machine(scene, draw)
    if scene.kind == "care":
        return _care(scene, draw)
    if scene.kind == "renewal":
        return _renewal(scene, draw)
    return _sale(scene, draw)


def _sale(scene: Scene, draw: Draw) -> Iterator[Beat]:
    topic = FIRST_TOPICS[int(draw() * 8)]
    greeted = scene.kind in ("return", "chasing")
    if scene.kind == "campaign":
        yield CAMPAIGN, "broadcast" if draw() < 0.6 else "sequence"
        if scene.outcome == "open" and draw() < 0.45:
            return
        if scene.outcome == "open" and draw() < 0.1:
            yield CUSTOMER, "stop"
            return
        yield CUSTOMER, "to_campaign"
    elif scene.kind == "chasing":
        yield HUMAN, "follow_up"
        if scene.outcome == "open" and draw() < 0.4:
            return
        yield CUSTOMER, "answer_offer" if draw() < 0.5 else f"ask_{topic}"
    elif scene.kind == "return":
        yield CUSTOMER, "reopen"
    elif draw() < 0.3:
        yield CUSTOMER, "hello"
        yield from _greeting(scene, topic, draw)
        yield HUMAN, "greet"
        yield CUSTOMER, f"ask_{topic}"
        greeted = True
    else:
        yield CUSTOMER, f"open_{topic}"
        yield from _greeting(scene, topic, draw)
    if scene.transfer and draw() < 0.5:
        yield SYSTEM, "transfer"
    if draw() < scene.ignores * 1.5:
        if draw() < 0.4:
            yield CUSTOMER, "chase"
        return
    if scene.kind == "return":
        yield HUMAN, "reopened"
    else:
        if not greeted and draw() < 0.8:
            yield HUMAN, "greet"
        yield HUMAN, topic
    yield from _exchanges(scene, topic, draw)
    yield from _ending(scene, draw)


def _greeting(scene: Scene, topic: str, draw: Draw) -> Iterator[Beat]:
    if scene.greeter == BOT:
        if scene.closed:
            yield BOT, "bot_closed"
            return
        yield BOT, "bot_greet"
        if draw() < 0.55:
            yield CUSTOMER, "menu"
        yield BOT, "bot_hand_over"
    elif scene.greeter == AI:
        yield AI, "ai_greet"
        while draw() < 0.5:
            yield CUSTOMER, f"ask_{TOPICS[int(draw() * 5)]}"
            yield AI, "ai_answer"
        yield AI, "ai_hand_over"


def _exchanges(scene: Scene, topic: str, draw: Draw) -> Iterator[Beat]:
    """Questions and answers; one in some dozens finds no answer, and the conversation dies of it."""
    more = int(draw() * 2.35) + (scene.outcome == "won")
    for asked in shuffled((t for t in TOPICS if t != topic), draw)[:more]:
        chance = draw()
        if chance < 0.3:
            yield HUMAN, "need"
            yield CUSTOMER, "answer_need"
        elif chance < 0.5:
            yield CUSTOMER, "answer_offer"
        yield CUSTOMER, f"ask_{asked}"
        if draw() < scene.ignores:
            if draw() < 0.5:
                yield CUSTOMER, "chase"
                if draw() < 0.5:
                    yield HUMAN, "apology"
            return
        if draw() < 0.1:
            yield HUMAN, "wait"
        yield HUMAN, asked
        if scene.transfer and draw() < 0.6:
            yield SYSTEM, "transfer"
            yield HUMAN, "greet"
        if scene.outcome == "open" and draw() < 0.14:
            return


def _ending(scene: Scene, draw: Draw) -> Iterator[Beat]:
    if scene.outcome == "won":
        yield from _deal(draw)
    elif scene.outcome == "lost":
        if draw() < 0.5:
            yield CUSTOMER, "haggle"
            yield HUMAN, "no_discount"
        yield CUSTOMER, "decline"
        if draw() < 0.65:
            yield HUMAN, "lost_bye"
    else:
        if draw() < 0.25:
            yield CUSTOMER, "haggle"
            yield HUMAN, "discount" if draw() < 0.5 else "no_discount"
        chance = draw()
        if chance < 0.45:
            yield CUSTOMER, "postpone"
            if draw() < scene.ignores:
                return
            yield HUMAN, "ok_later"
        elif chance < 0.7:
            yield CUSTOMER, "ack"
        if draw() < 0.3:
            yield HUMAN, "follow_up"
            if draw() < 0.35:
                yield CUSTOMER, "postpone"


def _deal(draw: Draw) -> Iterator[Beat]:
    if draw() < 0.5:
        yield CUSTOMER, "haggle"
        yield HUMAN, "discount"
    yield CUSTOMER, "accept"
    yield HUMAN, "close"
    if draw() < 0.4:
        yield CUSTOMER, "data"
    yield CUSTOMER, "pay"
    yield HUMAN, "confirm"
    if draw() < 0.6:
        yield CUSTOMER, "thanks"
        if draw() < 0.6:
            yield HUMAN, "bye"


def _care(scene: Scene, draw: Draw) -> Iterator[Beat]:
    yield CUSTOMER, "ask_support"
    yield from _greeting(scene, "support", draw)
    if draw() < scene.ignores * 1.5:
        yield CUSTOMER, "chase"
        return
    if draw() < 0.5:
        yield HUMAN, "greet"
    yield HUMAN, "support"
    if draw() < 0.3:
        yield CUSTOMER, "data"
        yield HUMAN, "wait"
        yield HUMAN, "support"
    yield CUSTOMER, "ack" if draw() < 0.6 else "thanks"
    if draw() < 0.5:
        yield HUMAN, "bye"


def _renewal(scene: Scene, draw: Draw) -> Iterator[Beat]:
    yield HUMAN, "renewal_offer"
    if scene.outcome == "open":
        if draw() < 0.5:
            yield CUSTOMER, "postpone"
            yield HUMAN, "ok_later"
        return
    if draw() < 0.4:
        yield CUSTOMER, "haggle"
        yield HUMAN, "discount"
    if scene.outcome == "won":
        yield CUSTOMER, "renewal_yes"
        yield HUMAN, "renewal_done"
    else:
        yield CUSTOMER, "renewal_no"
        yield HUMAN, "lost_bye"


def _with_the_machine(scene: Scene, draw: Draw) -> Iterator[Beat]:
    """Let the AI agent have the conversation to itself."""
    yield CUSTOMER, f"open_{FIRST_TOPICS[int(draw() * 8)]}"
    yield AI, "ai_greet"
    for _ in range(1 + int(draw() * 3)):
        yield CUSTOMER, f"ask_{TOPICS[int(draw() * 5)]}"
        yield AI, "ai_answer"
    if scene.outcome == "won":
        yield CUSTOMER, "accept"
        yield AI, "close"
        yield CUSTOMER, "pay"
        yield AI, "confirm"
    elif scene.outcome == "lost":
        yield CUSTOMER, "decline"
    elif draw() < 0.4:
        yield CUSTOMER, "ack"
