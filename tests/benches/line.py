"""Frames a second of the designer while 100 000 events a second are tapped on each of two wires.

    cargo build --release -p weir && .ci/web
    python3 tests/benches/line.py BUILD_FOLDER

BUILD_FOLDER holds `release/weir` and `web`. Needs Chromium and its driver; for the attached native window also
`xvfb-run`, and Mesa's software rendering, which draws its count of frames into the picture that is left in
the working folder. Prints the frames, the time to the first frame, and what the server and the page hold in
memory.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

FLOW = {
    "version": 1,
    "nodes": {
        "many": {"kind": "generator", "config": {"rate": 100000}},
        "keep": {"kind": "filter", "config": {"when": "true"}},
        "seen": {"kind": "view"},
    },
    "edges": {
        "a": {"from": "many.out", "to": "keep.in"},
        "b": {"from": "keep.out", "to": "seen.in"},
    },
}
FLAGS = [
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run",
]
PORT = 9599
SECONDS = 8


def serve(build, folder):
    path = os.path.join(folder, "load.flow.json")
    with open(path, "w") as file:
        json.dump(FLOW, file)
    server = subprocess.Popen(
        [os.path.join(build, "release/weir"), "serve", path, "--run", "--listen", "127.0.0.1:0",
         "--json", "--web", os.path.join(build, "web")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    return server, json.loads(server.stdout.readline())["operator"]


def call(path, body=None, method=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method or ("GET" if body is None else "POST"),
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["value"]


def browser(link, size):
    driver = subprocess.Popen(["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    flags = FLAGS + [f"--window-size={size}"]
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}}
    session = "/session/" + call("/session", wanted)["sessionId"]

    def script(text):
        return call(f"{session}/execute/sync", {"script": text, "args": []})

    call(f"{session}/url", {"url": link})
    while not script("return document.documentElement.dataset.weir === 'ready'"):
        time.sleep(0.1)
    first = script("return performance.getEntriesByName('weir:first-frame')[0].startTime")
    time.sleep(2)
    script("window.n = 0; window.t = performance.now();"
           "(function f() { window.n++; requestAnimationFrame(f) })()")
    time.sleep(SECONDS)
    frames = script("return window.n * 1000 / (performance.now() - window.t)")
    heap = script("return performance.memory.usedJSHeapSize") / (1 << 20)
    picture = call(f"{session}/screenshot")
    with open(f"line-browser-{size.replace(',', 'x')}.png", "wb") as file:
        file.write(base64.b64decode(picture))
    call(session, method="DELETE")
    driver.kill()
    return frames, first, heap


def window(build, link):
    """Leaves a picture of the attached window, with Mesa's count of frames in it."""
    program = os.path.join(build, "release/weir")
    script = (f"GALLIUM_HUD=fps LIBGL_ALWAYS_SOFTWARE=1 timeout {SECONDS + 4} {program} attach '{link}' & "
              f"sleep {SECONDS}; import -window root line-native.png; wait")
    subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "sh", "-c", script], check=False)


def resident(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("VmRSS"))


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        server, link = serve(build, folder)
        try:
            for size in ["1280,800", "900,600"]:
                frames, first, heap = browser(link, size)
                print(f"browser {size}: {frames:.1f} frames/s, first frame after {first:.0f} ms, "
                      f"page {heap:.0f} MiB, server {resident(server)}")
            window(build, link)
            print(f"native: see line-native.png; server {resident(server)}")
        finally:
            server.terminate()
            server.wait()


main()
