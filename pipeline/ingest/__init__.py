"""From the bytes of a dump to typed tables, and to a list of every line that was set aside."""
