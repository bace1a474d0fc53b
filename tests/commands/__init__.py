"""The commands of `python -m rpc_server`, as an operator meets them."""
