"""The ``pdvault`` command. Modules here import little, so that it starts fast; what is heavy is imported where it is used."""
