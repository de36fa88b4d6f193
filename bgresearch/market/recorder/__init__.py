"""What is told only of now, kept: answers with their age, lists as they were seen, recordings on a schedule."""
