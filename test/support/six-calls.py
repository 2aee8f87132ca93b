"""Sends all six calls with Segment's SDK: six-calls.py HOST WRITE_KEY gzip|plain."""

import sys

from segment.analytics.client import Client

host, write_key, encoding = sys.argv[1:]
errors = []
client = Client(
    write_key,
    host=host,
    gzip=encoding == "gzip",
    on_error=lambda error, batch: errors.append(error),
)
client.identify("ada", {"email": "ada@example.com"})
client.track("ada", "Order Completed", {"order_id": "o-1", "revenue": 12.5, "currency": "USD"})
client.page("ada", name="Home")
client.screen("ada", name="Start")
client.group("ada", "engines", {"employees": 3})
client.alias("visitor-1", "ada")
client.shutdown()
sys.exit("\n".join(map(str, errors)) if errors else 0)
