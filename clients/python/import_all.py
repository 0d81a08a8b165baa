"""Imports every module of the generated client: a module that does not import is a client that does not work."""

import importlib
import pkgutil

import appointd_client

modules = list(pkgutil.walk_packages(appointd_client.__path__, "appointd_client."))
for module in modules:
    importlib.import_module(module.name)
print(f"{len(modules)} modules import")
