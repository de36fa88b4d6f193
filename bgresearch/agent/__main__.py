"""``python -m bgresearch.agent``: what start.py runs."""

from bgresearch.agent.process import main

main()
