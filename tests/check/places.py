#!/usr/bin/env python3
"""Fails when a translation does not have the places ({0}, {1} …) of its message. usage: places.py FILE.po"""
import ast
import re
import sys

entries, current, key = [], {}, None
for line in open(sys.argv[1], encoding="utf-8"):
    line = line.strip()
    if line.startswith("msgid "):
        current = {"msgid": "", "msgstr": ""}
        entries.append(current)
        key, line = "msgid", line[6:]
    elif line.startswith("msgstr "):
        key, line = "msgstr", line[7:]
    if line.startswith('"') and key:
        current[key] += ast.literal_eval(line)
faults = 0
for entry in entries:
    places = [sorted(re.findall(r"\{[^{}]*\}", entry[k])) for k in ("msgid", "msgstr")]
    if entry["msgid"] and entry["msgstr"] and set(places[0]) != set(places[1]):
        print(f"{sys.argv[1]}: '{entry['msgid']}' has {places[0]}, its translation {places[1]}")
        faults += 1
sys.exit(bool(faults))
