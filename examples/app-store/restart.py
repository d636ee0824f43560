#!/usr/bin/env python3
"""Carries the action `restart` out: gets the call as JSON on standard input."""

import json
import sys

call = json.load(sys.stdin)
for target in call["targets"]:
    print(f"{target['id']} starts again ({target['attributes']['name']})")
