"""A node whose KMS and database fail on purpose. Nothing but a development vault opens one."""

import sqlalchemy as sa

from vault.kms.key_manager import KeyManager
from vault.server.config import Config
from vault.server.faults.catalogue import Faults
from vault.server.faults.database import make_faulty
from vault.server.faults.key_manager import faulty
from vault.server.node import Node


class FaultyNode(Node):
    """A node with faults; see ``Node``."""

    def __init__(self, config: Config, faults: Faults) -> None:
        """Open the node; ``faults`` says before each use of KMS and database which of them fail, from now on."""
        self._faults = faults
        super().__init__(config)

    def _open_key_manager(self) -> KeyManager:
        return faulty(super()._open_key_manager(), self._faults)

    def _open_engine(self) -> sa.Engine:
        engine = super()._open_engine()
        make_faulty(engine, self._faults)
        return engine

    def _open_log_engine(self) -> sa.Engine:
        engine = super()._open_log_engine()
        if engine is not self.engine:
            make_faulty(engine, self._faults)
        return engine
