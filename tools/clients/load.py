"""Many requests at once against a server at the address in argv[1]: is anything lost, late or leaked?

    load.py ADDRESS [REQUESTS [CONNECTIONS]]

Draws as a client of the web UI does, on every connection one picture after another, and asks for the progress
meanwhile. Ends with status 1 unless every request got its picture, jobs ran in the order in which they came, the
memory of the server stayed within 5 %, 99 of 100 answers about the progress took less than 50 ms, and the next
job was at its first step 50 ms after the one before. Needs nothing but Python.
"""

import http.client
import json
import queue
import sys
import threading
import time
import urllib.parse
from datetime import datetime

place = urllib.parse.urlparse(sys.argv[1])
requests = int(sys.argv[2]) if len(sys.argv) > 2 else 200
connections = int(sys.argv[3]) if len(sys.argv) > 3 else 16
warm = connections  # these fill caches and pools, and are not measured


def connect():
    return http.client.HTTPConnection(place.hostname, place.port, timeout=600)


def get(path):
    connection = connect()
    connection.request("GET", path)
    text = connection.getresponse().read()
    connection.close()
    return text


def resident():
    lines = get("/metrics").decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("mosc_resident_bytes "))


def draw(connection, seed):
    order = {"prompt": "a fox, on grass", "width": 64, "height": 64, "steps": 8, "seed": seed, "cfg_scale": 4}
    connection.request("POST", "/sdapi/v1/txt2img", json.dumps(order), {"content-type": "application/json"})
    reply = connection.getresponse()
    body = json.loads(reply.read())
    if reply.status != 200:
        raise RuntimeError(f"status {reply.status}: {str(body)[:200]}")
    if len(body["images"]) != 1 or json.loads(body["info"])["seed"] != seed:
        raise RuntimeError(f"another picture than that of seed {seed}")


def serve(seeds, done, failed):
    connection = connect()
    while True:
        try:
            seed = seeds.get_nowait()
        except queue.Empty:
            return
        try:
            draw(connection, seed)
            done.append(seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, a request was lost
            failed.append(f"seed {seed}: {type(error).__name__}: {error}")
            connection = connect()


def run(count, first, watch):
    seeds, done, failed = queue.Queue(), [], []
    for seed in range(first, first + count):
        seeds.put(seed)
    threads = [threading.Thread(target=serve, args=(seeds, done, failed)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        watch()
    return done, failed


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


run(warm, 0, lambda: time.sleep(0.1))
late, memory, start = [], [], time.time()


def watch():
    before = time.perf_counter()
    get("/sdapi/v1/progress?skip_current_image=true")
    late.append((time.perf_counter() - before) * 1e3)
    memory.append(resident())
    time.sleep(0.02)


done, failed = run(requests, warm, watch)
seconds = time.time() - start
jobs = json.loads(get(f"/mosc/v1/jobs?limit={min(requests, 200)}"))["jobs"][::-1]
ended = [job for job in jobs if job["status"] == "completed"]
begun = [moment(job["started"]) for job in ended]
# From the end of a job to the first step of the next, where that one waited already.
gaps = [
    (moment(job["first_step"]) - moment(last["finished"])) * 1e3
    for last, job in zip(ended, ended[1:]) if moment(job["created"]) < moment(last["finished"])
]
middle = share(memory, 0.5)
drift = max(abs(value / middle - 1) for value in memory) * 100 if memory else float("nan")
print(f"{len(done)} of {requests} drawn over {connections} connections in {seconds:.1f} s, {len(failed)} failed")
for text in failed[:5]:
    print("   ", text)
print(f"progress: median {share(late, .5):.1f} ms, p99 {share(late, .99):.1f} ms, longest {max(late):.1f} ms of {len(late)}")
print(f"memory: {min(memory) / 2**20:.1f} to {max(memory) / 2**20:.1f} MiB, at most {drift:.1f} % from the median")
print(f"next job: median {share(gaps, .5):.1f} ms, p99 {share(gaps, .99):.1f} ms, longest {max(gaps, default=float('nan')):.1f} ms of {len(gaps)}")
holds = {
    "nothing is lost": sorted(done) == list(range(warm, warm + requests)),
    "order is kept": len(ended) == len(jobs) and begun == sorted(begun),
    "memory is flat": drift <= 5,
    "progress is answered": share(late, 0.99) < 50,
    "the next job begins": bool(gaps) and share(gaps, 0.5) <= 50,
}
for name, value in holds.items():
    print("ok   " if value else "FAIL ", name)
sys.exit(0 if all(holds.values()) else 1)
