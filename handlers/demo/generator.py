"""From a plan to batches of rows."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from handlers.demo.chance import root
from handlers.demo.clock import arrival
from handlers.demo.company import Company, found_company, opening_batch
from handlers.demo.life import add_contact
from handlers.demo.people import make_person
from handlers.demo.plan import Batch, DemoPlan

BATCH = 500


def generate(plan: DemoPlan) -> Iterator[Batch]:
    """Make the tenant's rows, batch by batch: first what all contacts share, then contacts by arrival.

    Every foreign key of a batch is met by it or by an earlier one, table after table in the order of
    `TABLES`. Each contact has a stream of its own: its id and its person stay the same, however many
    others there are.
    """
    company = found_company(plan)
    yield opening_batch(plan, company)
    for first in range(0, plan.contacts, BATCH):
        with _collector_at_rest():
            batch = _batch(plan, company, range(first, min(first + BATCH, plan.contacts)))
        yield batch


def _batch(plan: DemoPlan, company: Company, numbers: range) -> Batch:
    batch, rng = Batch(), Random()  # noqa: S311 - made-up data, no secret
    seed = root("contacts", plan.tenant_id, plan.seed)
    for n in numbers:
        rng.seed(seed + n)
        person = make_person(rng)
        place = (n + rng.random()) / plan.contacts
        person.created = arrival(plan.start, plan.end, place, rng.random)
        add_contact(company, person, rng, batch)
    return batch


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector off while a batch grows.

    Rows hold no cycles, yet a collector that goes through them again and again takes a quarter of
    the time. It is on again, where it was, whenever the caller has control.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
