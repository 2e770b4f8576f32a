#!/usr/bin/env python3
"""Plans the vectors, scores them with the corpus's own comparers, and fails when a score drops below recorded.json.
usage: score.py CORPUS_RUN [--record]. The corpus is $CLOISTER_SHARED/corpus."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
shared = pathlib.Path(os.environ.get("CLOISTER_SHARED", here.parents[2] / "shared"))
corpus = shared / "corpus"
manifest = corpus / "vectors/manifest.json"
recorded_file = here / "recorded.json"


def compared(tool, kind, out):
    report = out / f"{kind}.report.json"
    run = subprocess.run([sys.executable, str(corpus / "tools" / tool), "--batch", str(manifest), "--kinds", kind,
                          "--actual-dir", str(out / kind), "--json-out", str(report)], capture_output=True, text=True)
    if not report.exists():
        sys.exit(f"{tool} failed:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return json.loads(report.read_text())


def equal_ids(report):
    return {vector for vector, result in report["detail"].items() if result["equal"]}


def main():
    if not manifest.exists():
        print(f"SKIPPED: there is no {manifest}")
        return 77
    vectors = json.loads(manifest.read_text())["vectors"]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        subprocess.run([sys.argv[1], str(manifest), str(out)], check=True)
        x86 = {v["id"] for v in vectors if v["kind"] == "xml2xml" and v.get("guest_arch") in ("x86_64", "i686")}
        fails = [v for v in vectors if v["kind"] == "fail" and v["applies"].startswith("yes")]
        refused = {v["id"]: (out / "fail" / (v["id"] + ".err")) for v in fails}
        refused = {i: p.read_text().strip() for i, p in refused.items() if p.exists()}
        messages = sum(1 for v in fails if v["id"] in refused and v["message"].strip() in refused[v["id"]])
        scores = {
            "argv": len(equal_ids(compared("argvcmp.py", "argv", out))),
            "xml2xml": len(equal_ids(compared("xmlcmp.py", "xml2xml", out)) & x86),
            "fail": len(refused),
            "fail-message": messages,
        }
        totals = {"argv": sum(v["kind"] == "argv" for v in vectors), "xml2xml": len(x86), "fail": len(fails), "fail-message": len(fails)}
    for name, score in scores.items():
        print(f"{name}: {score} of {totals[name]} ({100 * score / totals[name]:.1f} %)")
    if "--record" in sys.argv:
        recorded_file.write_text(json.dumps(scores, indent=2) + "\n")
        return 0
    recorded = json.loads(recorded_file.read_text()) if recorded_file.exists() else {}
    dropped = [n for n, s in scores.items() if s < recorded.get(n, 0)]
    for name in dropped:
        print(f"{name} dropped from {recorded[name]} to {scores[name]}")
    return 1 if dropped else 0


sys.exit(main())
