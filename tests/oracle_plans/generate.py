"""Makes stories: what a template said first, and what it says then. Seeded; the same number makes the same story.

A story is about `terraform_data` alone, so that both engines can carry it out without downloading anything. Many stories
stand in one template side by side (their names begin with the story's number), which makes asking Terraform cheap. Those
with something wrong in them stand alone.
"""

from broken import Broken
from configurations import Values
from refactoring import Refactoring

KINDS = (Refactoring, Values, Refactoring, Values, Broken)


def story(number):
    """Returns the story with a number: two in five are about objects, two about values, and one is broken."""
    return KINDS[number % len(KINDS)](number)
