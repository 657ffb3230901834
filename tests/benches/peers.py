"""Runs the same work on Weir, on Node-RED and on plain Rust, in turns, and prints medians of ratios.

    python3 tests/benches/peers.py [flow|function|http|keyed|start|all] [ROUNDS]

It needs the release binary (`cargo build --release -p weir`), the folder with the floors and peers
beside the project (`../shared/bench`, whose `setup.sh node nodered rust` installs them into
`$BENCH_WORK`), and `wrk`. Figures of one round are compared with each other, never across rounds.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("BENCH_SRC", os.path.join(ROOT, "..", "shared", "bench"))
if not os.path.isdir(SHARED):
    sys.exit(f"the peers are not here: {SHARED} is missing; nothing was measured")
sys.path.insert(0, SHARED)
from lib import BIN, NODE, WORK, Server, cpu_s, get, med, rss_mb, wrk  # noqa: E402

WEIR = os.environ.get("WEIR", os.path.join(ROOT, "target", "release", "weir"))
FLOWS = os.path.join(ROOT, "tests", "benches", "flows")
EVENTS = int(os.environ.get("EVENTS", "1000000"))


def project(name, **changes):
    """A fresh project folder with one flow in it; `changes` are config fields by `node__field`."""
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    flow = json.load(open(os.path.join(FLOWS, name + ".flow.json")))
    for path, value in changes.items():
        node, field = path.split("__")
        flow["nodes"][node]["config"][field] = value
    path = os.path.join(folder, name + ".flow.json")
    json.dump(flow, open(path, "w"))
    return folder, path


def timed(argv):
    """Wall and CPU seconds and peak memory (MiB) of a whole process."""
    began = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{argv} ended with {status}")
    return {"wall": time.monotonic() - began, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}


def floor(kind, *args):
    return timed([os.path.join(BIN, "floor"), kind, *map(str, args)])


def node_red():
    home = os.path.join(WORK, "nr-user")
    os.makedirs(home, exist_ok=True)
    flow, sink = os.path.join(home, "flow0.json"), os.path.join(home, "sink.ndjson")
    for file in (sink, sink + ".http"):
        if os.path.exists(file):
            os.unlink(file)
    maker = os.path.join(SHARED, "nodered", "mkflow.mjs")
    subprocess.run([NODE, maker, flow, sink, "0"], check=True)
    folder = os.path.join(WORK, "nodered")
    argv = [NODE, os.path.join(folder, "node_modules/node-red/red.js"), "-s", os.path.join(SHARED, "nodered", "settings.js"), "-u", home]
    env = {"PORT": "18800", "NODE_ENV": "production", "NR_DIR": folder, "NO_UPDATE_NOTIFIER": "1", "FLOWS": flow, "EDITOR": "0"}
    return Server(argv, lambda: get("http://127.0.0.1:18800/go?n=1"), env=env, log=os.path.join(WORK, "nr.log"))


def bench_flow(rounds):
    rows = []
    for _ in range(rounds):
        row = {}
        folder, path = project("internal", inject__count=EVENTS)
        row["weir"] = timed([WEIR, "run", path, "--until-idle"])
        lines = sum(1 for _ in open(os.path.join(folder, "totals.jsonl")))
        shutil.rmtree(folder)
        folder, path = project("internal", inject__count=EVENTS // 4, inject__rate=100000)
        row["paced"] = timed([WEIR, "run", path, "--until-idle"])
        shutil.rmtree(folder)
        row["floor"] = floor("flow", EVENTS, os.path.join(WORK, "floor.out"))
        row["flowbatch"] = floor("flowbatch", EVENTS, os.path.join(WORK, "floor.out"))
        with node_red() as server:
            get("http://127.0.0.1:18800/go?n=20000", 60)
            cpu, share = cpu_s(server.pid), 200000
            get(f"http://127.0.0.1:18800/go?n={share}", 280)
            row["node_red_per_cpu_s"] = share / (cpu_s(server.pid) - cpu)
        row["weir_per_cpu_s"] = EVENTS / row["weir"]["cpu"]
        rows.append(row)
        print(json.dumps({"work": "flow", "lines": lines, **row}), flush=True)
    print("A: weir / node-red, events per CPU second: %.1f" % med([r["weir_per_cpu_s"] / r["node_red_per_cpu_s"] for r in rows]))
    print("A: weir / direct-call floor, CPU: %.2f" % med([r["floor"]["cpu"] / r["weir"]["cpu"] for r in rows]))
    print("A: weir / task-and-batch floor, CPU: %.2f" % med([r["flowbatch"]["cpu"] / r["weir"]["cpu"] for r in rows]))
    print("A: peak memory unpaced - paced, MiB: %.1f" % med([r["weir"]["peak_mib"] - r["paced"]["peak_mib"] for r in rows]))


def bench_function(rounds):
    """The flow with a component of WebAssembly for its map, beside Node-RED's function node."""
    component = os.path.join(ROOT, "tests", "benches", "functions", "compute", "compute.wasm")
    rows = []
    for _ in range(rounds):
        row = {"load": os.getloadavg()[0]}
        answers = {}
        for name, flow in (("function", "function"), ("map", "internal")):
            folder, path = project(flow, inject__count=EVENTS)
            shutil.copy(component, folder)
            row[name] = timed([WEIR, "run", path, "--until-idle"])
            answers[name] = open(os.path.join(folder, "totals.jsonl")).read()
            shutil.rmtree(folder)
        if answers["function"] != answers["map"] or not answers["map"]:
            sys.exit("A with a function: the answers differ")
        with node_red() as server:
            get("http://127.0.0.1:18800/go?n=20000", 60)
            cpu, share = cpu_s(server.pid), 200000
            get(f"http://127.0.0.1:18800/go?n={share}", 280)
            row["node_red_per_cpu_s"] = share / (cpu_s(server.pid) - cpu)
        rows.append(row)
        print(json.dumps({"work": "function", **row}), flush=True)
    micros = lambda name: med([row[name]["cpu"] for row in rows]) / EVENTS * 1e6
    print("A with a function: weir / node-red, events per CPU second: %.1f" % med([EVENTS / r["function"]["cpu"] / r["node_red_per_cpu_s"] for r in rows]))
    print("A with a function: CPU an event, \u00b5s: %.2f, with a map %.2f, node-red %.2f" % (micros("function"), micros("map"), 1e6 / med([r["node_red_per_cpu_s"] for r in rows])))


def bench_http(rounds):
    ratios = []
    for _ in range(rounds):
        folder, path = project("http")
        body = json.dumps({"id": 1, "value": 60, "key": "k"}).encode()
        def ready(port):
            return lambda: get(f"http://127.0.0.1:{port}/in", data=body, headers={"content-type": "application/json"})
        with Server([WEIR, "run", path], ready(18802)) as server:
            wrk("http://127.0.0.1:18802/in", 1)
            mine = wrk("http://127.0.0.1:18802/in", 6)
            mine["rss"] = rss_mb(server.pid)
        sink = os.path.join(WORK, "axum.out")
        if os.path.exists(sink):
            os.unlink(sink)
        with Server([os.path.join(BIN, "httpecho"), "18801", "1", sink], ready(18801), poll=0.001):
            wrk("http://127.0.0.1:18801/in", 1)
            bare = wrk("http://127.0.0.1:18801/in", 6)
        shutil.rmtree(folder)
        ratios.append(mine["rps"] / bare["rps"])
        print(json.dumps({"work": "http", "weir": mine, "axum": bare}), flush=True)
    print("B: weir / bare axum, requests a second: %.2f" % med(ratios))


def bench_keyed(rounds):
    data = os.path.join(WORK, "data", f"ev{EVENTS}.ndjson")
    os.makedirs(os.path.dirname(data), exist_ok=True)
    if not os.path.exists(data):
        floor("gen", EVENTS, data)
    ratios = []
    for _ in range(rounds):
        folder, path = project("keyed")
        shutil.copy(data, os.path.join(folder, "events.jsonl"))
        mine = timed([WEIR, "run", path, "--until-idle"])
        answer = os.path.join(WORK, "keyed.out")
        bare = floor("aggdyn", data, answer)
        same = totals(os.path.join(folder, "totals.jsonl")) == totals(answer)
        shutil.rmtree(folder)
        ratios.append(bare["wall"] / mine["wall"])
        print(json.dumps({"work": "keyed", "weir": mine, "aggdyn": bare, "same_answer": same}), flush=True)
        if not same:
            sys.exit("C: the answers differ")
    print("C: weir / schema-less floor, events a second: %.2f" % med(ratios))


def totals(path):
    rows = {}
    for line in open(path):
        row = json.loads(line)
        rows[row["key"]] = (row["count"], round(row["sum"], 6), round(row["max"], 9))
    return rows


def bench_start(rounds):
    ratios = []
    for _ in range(rounds):
        folder, path = project("http")
        body = json.dumps({"id": 1, "value": 60, "key": "k"}).encode()
        ready = lambda: get("http://127.0.0.1:18802/in", data=body, headers={"content-type": "application/json"})
        with Server([WEIR, "run", path], ready, poll=0.001) as server:
            mine = server.startup
        with node_red() as server:
            theirs = server.startup
        shutil.rmtree(folder)
        ratios.append(mine / theirs)
        print(json.dumps({"work": "start", "weir_s": mine, "node_red_s": theirs}), flush=True)
    print("start until serving, weir / node-red: %.3f" % med(ratios))


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not os.path.exists(WEIR):
        sys.exit(f"{WEIR} is missing; build it with `cargo build --release -p weir`")
    for name, bench in (("flow", bench_flow), ("function", bench_function), ("http", bench_http), ("keyed", bench_keyed), ("start", bench_start)):
        if what in (name, "all"):
            bench(rounds)


main()
