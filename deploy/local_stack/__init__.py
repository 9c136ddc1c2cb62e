"""The real servers the vault leans on, started from wheels on this machine, for tests and the demo."""
