"""All runs, and RESULTS.md. Started by `run`."""

import hashlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import plan
import report
import suites
from replay import Replayed, replayed


def all_of(attest: str, runs: list[plan.Run], jobs: int) -> list[Replayed]:
    # Short paths: the signer's socket lies in the folder, and the name of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="dojo-") as scratch, ThreadPoolExecutor(jobs) as pool:
        one = lambda at: replayed(attest, runs[at], Path(scratch, str(at)))  # noqa: E731
        done = []
        for this in pool.map(one, range(len(runs))):
            done.append(this)
            if this.broken or len(done) % 50 == 0:
                print(f"{len(done)} of {len(runs)} {this.run.name} {this.broken}", file=sys.stderr, flush=True)
        return done


def written(done: list[Replayed], attest: str, seconds: float, template: str) -> str:
    rules = subprocess.run([attest, "alerts", "rules"], capture_output=True, check=True).stdout
    version = subprocess.run([attest, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    good = [run for run in done if not run.broken]
    benign = [run for run in good if not run.run.attack]
    main = [run for run in good if run.run.attack == plan.MAIN]
    others = [run for run in good if run.run.attack and run.run.attack != plan.MAIN]
    apart = report.disagreeing(good)
    places = {
        "version": version,
        "rules": hashlib.sha256(rules).hexdigest()[:16],
        "runs": len(done),
        "broken": len(done) - len(good),
        "seconds": round(seconds),
        "benign": report.benign(benign),
        "noisy": report.noisy(benign),
        "main": report.attacked(main),
        "others": report.attacked(others),
        "by_rule": report.by_rule(main + others),
        "misses": report.misses(main + others),
        "unstopped": report.unstopped(main + others),
        "textless": sum(not report.injected(run) for run in main + others),
        "attacks": len(main) + len(others),
        "agree": report.share(len(good) - len(apart), len(good)),
    }
    for name, value in places.items():
        template = template.replace("{" + name + "}", str(value).rstrip("\n"))
    return template


def main() -> None:
    attest, users, other_users, jobs, out, *names = sys.argv[1:]
    began = time.monotonic()
    runs = []
    for name in names or suites.NAMES:
        runs += plan.benign(name) + plan.attacks(name, int(users), int(other_users))
    done = all_of(attest, runs, int(jobs))
    template = Path(__file__).with_name("results.template.md").read_text("utf-8")
    Path(out).write_text(written(done, attest, time.monotonic() - began, template), "utf-8")
    broken = sum(bool(run.broken) for run in done)
    print(f"{len(done)} runs, {broken} broken, {time.monotonic() - began:.0f} s: {out}")
    raise SystemExit(broken > 0)


if __name__ == "__main__":
    main()
