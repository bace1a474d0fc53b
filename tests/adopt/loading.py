"""Demo data for adopted databases: the command loads it into our own tables only."""

import asyncpg

from handlers.demo import TABLES, DemoPlan, generate
from tests.database import lacks


async def load(connection: "asyncpg.Connection[asyncpg.Record]", plan: DemoPlan) -> None:
    """Load a tenant, without what the CRM has no table for."""
    for batch in generate(plan):
        for table, records in batch.rows.items():
            schema, _, name = table.partition(".")
            if not await lacks(connection, table):
                await connection.copy_records_to_table(name, schema_name=schema, columns=TABLES[table], records=records)
