"""A believable CRM tenant made up from a plan: pure, standard library only, the same on every platform.

`generate` gives batches of rows for the tables and columns in `TABLES`, with the Python types that
asyncpg's `copy_records_to_table` takes. `life` tells one contact's story; the other modules are its
parts.
"""

from handlers.demo.generator import generate
from handlers.demo.plan import TABLES, Batch, DemoPlan

__all__ = ["TABLES", "Batch", "DemoPlan", "generate"]
