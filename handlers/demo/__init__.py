"""A believable CRM tenant made up from a plan: pure, standard library only, the same on every platform.

`generate` gives batches of rows for the tables and columns in `TABLES`, with the Python types that
asyncpg's `copy_records_to_table` takes, `copy_data` their bytes for COPY. `life` tells one contact's
story; the other modules are its parts.
"""

from handlers.demo.copy_format import copy_data
from handlers.demo.generator import generate
from handlers.demo.plan import TABLES, Batch, DemoPlan

__all__ = ["TABLES", "Batch", "DemoPlan", "copy_data", "generate"]
