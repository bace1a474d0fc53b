"""The commands of `python -m rpc_server`, one file each."""
