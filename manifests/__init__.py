"""A file of prompts in, items out: or every problem at once, with line, column and a hint."""

from __future__ import annotations

from manifests.item import Item
from manifests.manifest import Manifest, load
from manifests.problem import ManifestError, Problem
from manifests.selecting.adjustments import Adjustments
from manifests.vocabulary.rules import KNOWN, ModelRule, rule_for

__all__ = ["KNOWN", "Adjustments", "Item", "Manifest", "ManifestError", "ModelRule", "Problem", "load", "rule_for"]
