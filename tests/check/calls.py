#!/usr/bin/env python3
"""Fails when conf/call is not what generate_calls.py makes of the protocol facts. usage: calls.py SOURCE_ROOT"""
import os
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root / "tests/check"))
import generate_calls  # noqa: E402

facts = pathlib.Path(os.environ.get("CLOISTER_FACTS", root / "../shared/facts"))
if not (facts / "wire.json").exists():
    print(f"calls: SKIPPED, no protocol facts in {facts} (set CLOISTER_FACTS)")
    sys.exit(77)
stale = [name for name, text in generate_calls.generated(facts).items()
         if not (root / "conf/call" / name).exists() or (root / "conf/call" / name).read_text() != text]
print("\n".join(f"conf/call/{name} is not up to date: run tests/check/generate_calls.py" for name in stale) or "calls: ok")
sys.exit(bool(stale))
