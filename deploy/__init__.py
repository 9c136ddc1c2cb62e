"""What stands around the vault where it runs: requirements, a local stack, the demo."""
