#!/usr/bin/env python3
"""Asks a running metrics API about windows from a minute to a year and prints how long it takes.

    streamgauge simulate --fill sqlite:///tmp/year.db --fill-requests 100000000
    streamgauge metrics-api --ledger sqlite:///tmp/year.db --api-listen 127.0.0.1:8002 &
    scripts/ask-windows.py http://127.0.0.1:8002

Each question is asked once to warm up and then N times (--times, default 40), each time about another window of the
same length: its end moves back by an odd span, so that no edge is aligned. One connection, times as a client sees them.
"""

import argparse
import http.client
import json
import math
import sys
import time
import urllib.parse

MINUTE = 60
DAY = 86_400

# Name, seconds, step of a series with at most 150 points.
WINDOWS = [
    ("1 minute", MINUTE, 1),
    ("15 minutes", 15 * MINUTE, 10),
    ("1 hour", 60 * MINUTE, 60),
    ("6 hours", 360 * MINUTE, 300),
    ("24 hours", DAY, 600),
    ("7 days", 7 * DAY, 3_600 * 2),
    ("30 days", 30 * DAY, 6 * 3_600),
    ("90 days", 90 * DAY, DAY),
    ("365 days", 365 * DAY, 4 * DAY),
]

QUESTIONS = [
    ("summary", "summary?"),
    ("by model", "breakdown?by=model&"),
    ("one model", "summary?model=org/model-03&"),
    ("by replica", "breakdown?by=replica&limit=100&"),
    ("series p95", "timeseries?metric=ttft_p95&step={step}s&"),
    ("series by model", "timeseries?metric=ttft_p95&by=model&step={step}s&"),
    ("top users", "breakdown?by=user&limit=20&"),
    ("by team", "breakdown?by=tag.team&"),
]


def percentile(values, share):
    values = sorted(values)
    return values[max(0, math.ceil(share * len(values)) - 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the metrics API, such as http://127.0.0.1:8002")
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--end", help="end of the newest window as milliseconds since 1970 [default: now]")
    parser.add_argument("--limit-ms", type=float, help="exit with 1 when a p99 is above")
    arguments = parser.parse_args()
    host = urllib.parse.urlsplit(arguments.url).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    end_ms = int(arguments.end or time.time() * 1_000)

    def ask(path):
        begin = time.perf_counter()
        connection.request("GET", "/api/v1/" + path)
        answer = connection.getresponse()
        body = answer.read()
        spent = (time.perf_counter() - begin) * 1_000
        return answer.status, body, spent

    worst = 0.0
    print(f"p50 / p99 in ms of {arguments.times} questions each")
    print("| window | " + " | ".join(name for name, _ in QUESTIONS) + " |")
    print("|---|" + "---|" * len(QUESTIONS))
    for name, seconds, step in WINDOWS:
        cells = []
        for _, path in QUESTIONS:
            spent = []
            for number in range(arguments.times + 1):
                # 61,007 ms is prime: every alignment of the edges comes up.
                to = end_ms - number * 61_007
                window = f"from={iso(to - seconds * 1_000)}&to={iso(to)}"
                status, body, took = ask(path.format(step=step) + window)
                if status != 200:
                    cells.append(json.loads(body)["error"]["code"])
                    break
                spent.append(took)
            else:
                # The first one warms up.
                spent = spent[1:]
                worst = max(worst, percentile(spent, 0.99))
                cells.append(f"{percentile(spent, 0.5):.1f} / {percentile(spent, 0.99):.1f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if arguments.limit_ms and worst > arguments.limit_ms:
        print(f"the slowest p99 is {worst:.1f} ms, above {arguments.limit_ms} ms", file=sys.stderr)
        return 1
    return 0


def iso(ms):
    whole, rest = divmod(ms, 1_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{rest:03d}Z"


if __name__ == "__main__":
    sys.exit(main())
