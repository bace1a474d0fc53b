"""From a plan to batches of rows."""

from collections.abc import Iterator
from random import Random

from handlers.demo.chance import root
from handlers.demo.clock import arrival
from handlers.demo.company import found_company, opening_batch
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
    seed = root("contacts", plan.tenant_id, plan.seed)
    rng = Random()  # noqa: S311 - made-up data, no secret
    for first in range(0, plan.contacts, BATCH):
        batch = Batch()
        for n in range(first, min(first + BATCH, plan.contacts)):
            rng.seed(seed + n)
            person = make_person(rng)
            place = (n + rng.random()) / plan.contacts
            person.created = arrival(plan.start, plan.end, place, rng.random)
            add_contact(company, person, rng, batch)
        yield batch
