"""The audit log: what a leaf holds and how one process's leaves are chained and signed."""
