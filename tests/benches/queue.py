"""Plays the queue M/M/3 on Weir and on SimPy and NeXosim, in turns, and prints medians of ratios.

    python3 tests/benches/queue.py [ROUNDS] [JOBS]

It builds the bench `simulation` of the runtime, and the peers in `$BENCH_WORK` (a folder of its own when there
is none) out of what stands beside the project (`../shared/bench`) and the registries. An event is an arrival
or a departure. Figures of one round are compared with each other, never across rounds.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("BENCH_SRC", os.path.join(ROOT, "..", "shared", "bench"))
WORK = os.environ.get("BENCH_WORK") or tempfile.mkdtemp(prefix="weir-bench-")
SIMPY, NEXOSIM = "simpy==4.1.2", "nexosim"
# Mean wait in seconds, by Erlang C, for 2.7 jobs a second and three workers who take a second each.
ERLANG_C = 2.7235


def peers():
    """Commands that play so many jobs on each peer, built when they are not there."""
    python = os.path.join(WORK, "simpy", "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(WORK, "simpy")], check=True)
        subprocess.run([python, "-m", "pip", "--quiet", "install", SIMPY], check=True)
    built = os.path.join(WORK, "des-target", "release", "des")
    if not os.path.exists(built):
        source = os.path.join(WORK, "des")
        shutil.copytree(os.path.join(SHARED, "rust", "des"), source, dirs_exist_ok=True)
        manifest = os.path.join(source, "Cargo.toml")
        if "[workspace]" not in open(manifest).read():
            open(manifest, "a").write("\n[workspace]\n")
        argv = ["cargo", "build", "--quiet", "--release", "--manifest-path", manifest]
        subprocess.run([*argv, "--target-dir", os.path.join(WORK, "des-target")], check=True)
    script = os.path.join(SHARED, "python", "des.py")
    return {
        "simpy": lambda jobs: [python, script, "simpy", str(jobs // 25)],
        "nexosim": lambda jobs: [built, NEXOSIM, str(jobs // 2)],
    }


def weir():
    """The bench, as cargo builds it."""
    argv = ["cargo", "bench", "--quiet", "-p", "runtime", "--bench", "simulation", "--no-run", "--message-format", "json"]
    answer = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for line in answer.splitlines():
        made = json.loads(line)
        if made.get("executable") and made.get("target", {}).get("name") == "simulation":
            return made["executable"]
    sys.exit("cargo built no bench `simulation`")


def play(argv):
    answer = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return json.loads(answer.strip().splitlines()[-1])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
    if not os.path.isdir(SHARED):
        sys.exit(f"the peers are not here: {SHARED} is missing; nothing was measured")
    mine, others = weir(), peers()
    rows, virtual = [], set()
    for _ in range(rounds):
        row = {"weir": play([mine, "queue", str(jobs)])}
        row.update({name: play(argv(jobs)) for name, argv in others.items()})
        virtual.add((row["weir"]["mean_wait"], row["weir"]["virtual_s"]))
        rows.append(row)
        print(json.dumps(row), flush=True)
    if len(virtual) != 1:
        sys.exit("D: runs of the same seed differ")
    for name in others:
        ratio = statistics.median(row["weir"]["events_per_s"] / row[name]["events_per_s"] for row in rows)
        print(f"D: weir / {name}, events a second: {ratio:.1f}")
    wait = rows[0]["weir"]["mean_wait"]
    print(f"D: mean wait {wait:.4f} s, {100 * (wait / ERLANG_C - 1):+.2f} % of Erlang C; alike in {rounds} rounds")


main()
