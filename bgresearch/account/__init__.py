"""What an account has, did and was told: the verbs of ``client.account``, and the records they keep."""

from bgresearch.client.account import AccountVerbs

__all__ = ["AccountVerbs"]
