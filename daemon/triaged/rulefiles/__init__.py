"""The operator's rule files: from a folder of YAML to one compiled set, or to everything that is wrong with it."""

from triaged.rulefiles.channels import unconfigured
from triaged.rulefiles.doubts import History, unmet
from triaged.rulefiles.folder import RuleFiles, load, read, read_policy
from triaged.rulefiles.repositories import unlisted
from triaged.rulefiles.strays import strays

__all__ = ["History", "RuleFiles", "load", "read", "read_policy", "strays", "unconfigured", "unlisted", "unmet"]
