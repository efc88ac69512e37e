"""Pure stages: tables and frozen parameters in, tables out; no file, no clock, no environment, no chance."""
