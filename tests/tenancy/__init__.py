"""No path lets one tenant see, count or change what is another's."""
