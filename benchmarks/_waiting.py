"""Imported before torch: its threads sleep while they wait, so that programs can share cores."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
