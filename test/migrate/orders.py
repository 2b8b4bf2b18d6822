"""A service in Python: `consume` prints each order and acknowledges it, `produce` publishes each line that it reads, confirmed."""
import json
import sys

import pika

what, url, queue = sys.argv[1:4]
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
channel.queue_declare(queue=queue, durable=True)


def consume():
    channel.basic_qos(prefetch_count=20)
    print("ready", flush=True)
    for method, _, body in channel.consume(queue):
        print(json.loads(body)["order_id"], flush=True)
        channel.basic_ack(method.delivery_tag)


def produce():
    channel.confirm_delivery()
    print("ready", flush=True)
    for line in sys.stdin:
        body = json.dumps({"order_id": line.strip()})
        properties = pika.BasicProperties(content_type="application/json", content_encoding="utf-8", delivery_mode=2)
        channel.basic_publish("", queue, body, properties, mandatory=True)
        print(line.strip(), flush=True)


{"consume": consume, "produce": produce}[what]()
