"""`python tests/servers`: the fake providers as a process of their own."""

import sys
from importlib import import_module
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # so that the folder is a package
import_module(f"{Path(__file__).resolve().parent.name}.alone").main()
