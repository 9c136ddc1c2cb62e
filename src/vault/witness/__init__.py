"""A small witness of logs (C2SP tlog-witness): it cosigns a checkpoint only if that extends all it has cosigned before.

It shares nothing with the vault but the formats: no database, no KMS, no secrets of the vault. An auditor can run one anywhere.
"""
