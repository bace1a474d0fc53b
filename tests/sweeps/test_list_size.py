"""What the list of tools costs whoever reads it: a model, at each conversation's beginning.

The estimate is one token for each four bytes of compact JSON, the usual one for English and JSON with
today's tokenizers; no tokenizer is asked, because each model has its own.
"""

from typing import Any

import orjson
import pytest

from handlers import CATALOG
from rpc_server.protocol.sieve import listed_tool
from rpc_server.protocol.versions import VERSIONS, Version

BYTES_PER_TOKEN = 4
MOST_FOR_CALLING = 4_000
MOST_IN_ALL = 12_000


def tokens(content: Any) -> float:
    return len(orjson.dumps(content)) / BYTES_PER_TOKEN


@pytest.mark.parametrize("version", VERSIONS.values(), ids=lambda version: version.name)
def test_what_a_model_needs_for_calling_and_the_whole_list_stay_small(version: Version) -> None:
    listed = [listed_tool(tool, version) for tool in CATALOG.values()]
    calling = [{name: tool[name] for name in ("name", "description", "inputSchema")} for tool in listed]

    assert tokens(calling) <= MOST_FOR_CALLING
    assert tokens(listed) <= MOST_IN_ALL
