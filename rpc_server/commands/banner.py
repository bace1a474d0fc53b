"""The page that `serve --dev` shows when it is up: what to paste, how to go on, how to stop."""

import shlex
from pathlib import Path

_LEADS = '{"tool_name":"get_leads_count","arguments":{"period":"month"}}'
_BEST = '{"tool_name":"get_top_performing_agent","arguments":{"metric":"conversion_rate","period":"quarter"}}'
_RPC = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_agent_conversion_stats","arguments":{}}}'


def banner(address: str, token: str, token_file: Path, other_tenant: str, data: str) -> str:
    """Return the page; its commands read the token from *token_file*, and work from any folder."""
    bearer = f'-H "Authorization: Bearer $(cat {shlex.quote(str(token_file))})"'
    execute = f"curl -s {address}/v1/tools/execute {bearer} -H 'Content-Type: application/json' -d"
    return f"""
crm-mcp serves on {address}

How many leads this month, and is that more than before?

  {execute} '{_LEADS}'

Who converts best, and is that certain?

  {execute} '{_BEST}'

The same over JSON-RPC, with the answer in words too:

  curl -s {address}/rpc {bearer} -H 'Content-Type: application/json' -d '{_RPC}'

An agent connects by MCP: {address}/mcp, with the token as its bearer token.

Development token (24 h, all permissions), also in {token_file}:

  {token}

Another tenant sees none of it; a token of its own:  make token TENANT={other_tenant}
The data is {data}.
Stop with Ctrl-C.
"""
