#!/usr/bin/env python3
"""What the server promises, at length: 10^5 requests, sleeping workers, SIGTERM under load. Minutes; `./dev soak`.

Each line says what was counted; the exit status is 1 if a promise was broken. The load comes from `athanor load`
on the same machine, so an idle machine is needed for the times: say --real-time where others work on it.
"""
import argparse
import time

from serve_test import DIGITS, Server, finished, real_time

LATE_MS = 5  # what a default answer may take beyond its deadline


def many_requests(count, prefix):
    server = Server(DIGITS)
    begin = time.monotonic()
    result = finished(server.load("--requests", count, "--concurrency", "16", prefix=prefix))
    seconds = time.monotonic() - begin
    server.stop()
    times = result["latency_ms"]
    print(f"{count} requests at concurrency 16: {result['answered']} answered, {result['errors']} errors, {result['lost']} lost, "
          f"{count / seconds:.0f}/s, p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms, max {times['max']:.2f} ms")
    return result["answered"] == count and result["errors"] == result["lost"] == 0


def sleeping_workers(deadline_ms, count, prefix):
    server = Server(DIGITS, "--deadline-ms", str(deadline_ms), "--default", '{"logits": 0.25}', "--workers", "2",
                    ATHANOR_INJECT_DELAY_MS="1500")
    result = finished(server.load("--requests", count, "--concurrency", "16", prefix=prefix))
    server.stop()
    times = result["fallback_ms"]
    print(f"workers that sleep, deadline {deadline_ms} ms: {result['fallbacks']} of {count} defaults, {result['errors']} errors, "
          f"p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms, max {times['max']:.2f} ms")
    return result["fallbacks"] == count and result["errors"] == 0 and times["max"] <= deadline_ms + LATE_MS


def stopped_under_load(rounds):
    answered = broken = 0
    for _ in range(rounds):
        server = Server(DIGITS)
        load = server.load("--requests", "1000000", "--concurrency", "16")
        time.sleep(1)
        code, _ = server.stop()
        result = finished(load)
        answered += result["answered"]
        broken += result["lost"] + result["errors"] + (code != 0)
    print(f"SIGTERM under load, {rounds} times: {answered} answered, {broken} lost")
    return broken == 0 and answered > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--real-time", action="store_true", help="the load's threads before those of other programs (needs root)")
    options = parser.parse_args()
    prefix = real_time() if options.real_time else []
    kept = [many_requests(options.requests, prefix)]
    kept += [sleeping_workers(deadline, 2000, prefix) for deadline in [20, 60, 200]]
    kept.append(stopped_under_load(20))
    print("next: ./dev fuzz all" if all(kept) else "next: read the lines above; a promise was broken")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
