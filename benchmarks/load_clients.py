"""Clients for `load.py`, by Locust: all of them together ask so many times a second."""

import os
import sys
import time
from pathlib import Path

from locust import FastHttpUser, constant_throughput, events, task

PICTURE = Path(os.environ["LOAD_PICTURE"]).read_bytes()
CLIENTS = int(os.environ["LOAD_CLIENTS"])
RATE = float(os.environ["LOAD_RATE"])  # requests a second, of all together
REFUSED = {429, 503}


class Client(FastHttpUser):
    """Sends a picture whenever it is time to, or as soon as the one before was answered."""

    wait_time = constant_throughput(RATE / CLIENTS)
    network_timeout = connection_timeout = 120.0

    def on_start(self):
        time.sleep(CLIENTS / RATE * (id(self) % 1009) / 1009)  # not all at the same moment

    @task
    def upscale(self):
        # A connection each, since one that is kept may be closed just when it is used again.
        with self.client.post(
            "/v1/upscale",
            data=PICTURE,
            name="accepted",
            headers={"Connection": "close"},
            catch_response=True,
        ) as answer:
            if answer.status_code in REFUSED:
                answer.request_meta["name"] = "refused"
                answer.success()
            elif answer.status_code != 200 or answer.content[:4] != b"\x89PNG":
                answer.failure(f"{answer.status_code}")
                print(answer.status_code, answer.error, answer.content, file=sys.stderr)


@events.init.add_listener
def quietly(environment, **_):
    environment.process_exit_code = 0  # `load.py` looks at the answers
