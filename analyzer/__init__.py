"""The Windows support of Go source: values in, values out. No I/O, no clock, no environment (ruff.toml enforces it)."""
