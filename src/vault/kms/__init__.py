"""The KMS room: who holds the KEKs. A node may encrypt, decrypt and sign; another identity creates; nobody reads a KEK."""
