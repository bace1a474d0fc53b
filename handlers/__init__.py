"""The CRM's tools, one module a family: no HTTP, no drivers, only the contract."""

from handlers import comparison, contacts, directory, leads, operations, performance
from handlers.messages import tools as messages
from rpc_server.contract.tool import catalog

CATALOG = catalog(
    leads.TOOLS,
    performance.TOOLS,
    messages.TOOLS,
    comparison.TOOLS,
    operations.TOOLS,
    contacts.TOOLS,
    directory.TOOLS,
)
