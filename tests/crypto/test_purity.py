import os
import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import vault.crypto
names = [module.name for module in pkgutil.iter_modules(vault.crypto.__path__)]
for name in names:
    importlib.import_module(f"vault.crypto.{name}")
assert len(names) >= 8, names
banned = {"grpc", "google", "sqlalchemy", "psycopg", "requests", "urllib3", "hvac", "http", "socket", "sqlite3"}
print(sorted(name for name in sys.modules if name.split(".")[0] in banned or name == "vault.errors"))
"""


def test_the_crypto_room_loads_no_grpc_sql_http_or_sockets():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
