"""Six runs of one suite: does the pipeline still do its work? Started by `run --smoke`."""

import sys

import plan
import report
from whole import all_of


def main() -> None:
    attest, _, _, jobs, *_ = sys.argv[1:]
    runs = plan.benign("banking")[:3] + plan.attacks("banking", 1, 0)[:3]
    done = all_of(attest, runs, int(jobs))
    wrong = [f"{run.run.name}: {run.broken}" for run in done if run.broken]
    good = [run for run in done if not run.broken]
    wrong += [f"{run.run.name}: AgentDojo's check finds it not solved" for run in good if not run.run.attack and not run.reached]
    wrong += [f"{run.run.name}: a severe alert, in a benign task" for run in good if not run.run.attack and report.severe(run)]
    wrong += [f"{run.run.name}: no severe alert, in an attack" for run in good if run.run.attack and not report.severe(run)]
    wrong += [f"{name}: the guard's log has other alerts than the caller's" for name in report.disagreeing(good)]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(done)} runs, {len(wrong)} wrong")
    raise SystemExit(len(wrong) > 0)


if __name__ == "__main__":
    main()
