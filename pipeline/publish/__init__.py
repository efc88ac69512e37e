"""From decided tables to the files and texts that people and programs read."""
