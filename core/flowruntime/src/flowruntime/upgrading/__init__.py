"""Upgrades documents: what `flow upgrade` does to a text."""

from flowruntime.upgrading.documents import Change, Upgraded, UpgradeTypes, upgrade_document
from flowruntime.upgrading.patching import patch_json, same_json

__all__ = ["Change", "UpgradeTypes", "Upgraded", "patch_json", "same_json", "upgrade_document"]
