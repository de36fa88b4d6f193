"""What an account has, did and was told: the verbs of ``client.account``, and the records they keep."""

from bgresearch.account.verbs import AccountVerbs

__all__ = ["AccountVerbs"]
