"""
Start a training when a model begins to drift.

WEBHOOK_SECRET=whsec_... python receive.py 127.0.0.1:8200 python train.py      runs `python train.py MODEL VERSION`
"""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

HOOK = Webhook(os.environ["WEBHOOK_SECRET"])
MOST_BYTES = 1 << 20
# Of a service of your own: a table, for what was seen must survive a restart.
seen: set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    """Takes events of the processor."""

    def do_POST(self) -> None:
        """Check who says it, start a training once, and say that the event has been taken."""
        body = self.rfile.read(min(MOST_BYTES, int(self.headers.get("content-length", 0))))
        try:
            event = HOOK.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.answer(401)
            return
        if self.headers["webhook-id"] not in seen:  # else it was told before: the answer got lost
            seen.add(self.headers["webhook-id"])
            about = event["attributes"]
            model = [about["ml.model.name"], about.get("ml.model.version", "")]
            subprocess.Popen([*sys.argv[2:], *model])
        self.answer(204)

    def answer(self, status: int) -> None:
        """Say how it went."""
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    host, port = sys.argv[1].split(":")
    ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()
