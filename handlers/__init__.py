"""The CRM's tools, one module a family: no HTTP, no drivers, only the contract."""

from handlers import contacts, directory, leads, operations, performance
from rpc_server.contract.tool import catalog

CATALOG = catalog(leads.TOOLS, performance.TOOLS, operations.TOOLS, contacts.TOOLS, directory.TOOLS)
