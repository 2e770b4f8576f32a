#!/usr/bin/env python3
"""Scores a corpus and compares with what is recorded: a score that drops is a failure.
usage: score.py BUILD_DIR [--record]     --record writes tests/corpus/recorded.json anew
The corpus is $CLOISTER_SHARED/corpus (default: ../shared/corpus beside the clone); without it the test is skipped."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
build = pathlib.Path(sys.argv[1]).resolve()
corpus = pathlib.Path(os.environ.get("CLOISTER_SHARED", here.parent.parent.parent / "shared")) / "corpus"
if not corpus.is_dir():
    print("1..0 # SKIP this machine: there is no corpus beside the clone")
    sys.exit(0)
manifest = corpus / "vectors/manifest.json"
vectors = json.loads(manifest.read_text())["vectors"]
recorded_file = here / "recorded.json"
recorded = json.loads(recorded_file.read_text()) if recorded_file.exists() else {}

with tempfile.TemporaryDirectory(prefix="cloister-corpus-") as folder:
    out = pathlib.Path(folder)
    ran = subprocess.run([str(here / "run"), str(manifest), str(out)], capture_output=True, text=True,
                         env={**os.environ, "CLOISTER_BUILD": str(build)})
    sys.stderr.write(ran.stdout + ran.stderr)

    def batch(tool, kind):
        report = out / f"{kind}-report.json"
        subprocess.run([sys.executable, str(corpus / "tools" / tool), "--batch", str(manifest), "--kinds", kind, "--actual-dir",
                        str(out / kind), "--json-out", str(report)], capture_output=True, text=True)
        return json.loads(report.read_text())

    def equal_ids(report):
        return {name for name, r in report["detail"].items() if r.get("equal")}

    x86 = {v["id"] for v in vectors if v["kind"] == "xml2xml" and v["guest_arch"] in ("x86_64", "i686")}
    applying = [v for v in vectors if v["kind"] == "fail" and v["applies"] in ("yes", "yes-message-may-differ")]
    refused = [v for v in applying if (out / "fail" / f"{v['id']}.err").exists()]
    same = [v for v in refused if (out / "fail" / f"{v['id']}.err").read_text().split(": ", 1)[1].strip() == v["message"].strip()]
    scores = {
        "argv equal": (len(equal_ids(batch("argvcmp.py", "argv"))), sum(v["kind"] == "argv" for v in vectors)),
        "canonical XML equal": (len(equal_ids(batch("xmlcmp.py", "xml2xml")) & x86), len(x86)),
        "refused": (len(refused), len(applying)),
        "refused with the same message": (len(same), len(applying)),
    }

if "--record" in sys.argv:
    recorded_file.write_text(json.dumps({name: good for name, (good, _) in scores.items()}, indent=1) + "\n")
failed = 0
for number, (name, (good, of)) in enumerate(scores.items(), 1):
    least = recorded.get(name, 0)
    ok = good >= least
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {name}: {good} of {of} ({100 * good / of:.1f} %), recorded {least}")
ok = ran.returncode == 0
failed += not ok
print(f"{'ok' if ok else 'not ok'} {len(scores) + 1} - no vector crashes")
print(f"1..{len(scores) + 1}")
sys.exit(1 if failed else 0)
