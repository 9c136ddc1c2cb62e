"""KEKs in the Transit engine of HashiCorp Vault or OpenBao, which never leave it."""
