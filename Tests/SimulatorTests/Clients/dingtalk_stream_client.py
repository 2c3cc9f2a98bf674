"""The vendor's Stream client (dingtalk-stream) against the simulator.

Usage: DINGTALK_OPENAPI_ENDPOINT=URL dingtalk_stream_client.py APP_KEY APP_SECRET EVENTS.
Says READY once connected, takes so many events and one robot message, then prints one JSON object and ends.
"""
import asyncio
import json
import logging
import os
import sys

import dingtalk_stream
from dingtalk_stream import AckMessage

key, secret, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
events = []
texts = []
finished = asyncio.Event()


def check():
    if len(events) >= wanted and texts:
        finished.set()


class Events(dingtalk_stream.EventHandler):
    async def process(self, event):
        events.append({
            "id": event.headers.event_id, "type": event.headers.event_type, "corp": event.headers.event_corp_id,
            "instance": event.data["processInstanceId"], "kind": event.data["type"],
            "result": event.data.get("result"),
        })
        check()
        return AckMessage.STATUS_OK, "OK"


class Robot(dingtalk_stream.ChatbotHandler):
    async def process(self, callback):
        message = dingtalk_stream.ChatbotMessage.from_dict(callback.data)
        texts.append(message.text.content)
        self.reply_text("库存 12 台", message)
        check()
        return AckMessage.STATUS_OK, "OK"


class Client(dingtalk_stream.DingTalkStreamClient):
    async def route_message(self, message):
        if message.get("type") == "SYSTEM":
            print("SYSTEM " + message["headers"]["topic"], flush=True)
        return await super().route_message(message)


async def main():
    logger = logging.getLogger("client")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    client = Client(dingtalk_stream.Credential(key, secret), logger)
    client.register_all_event_handler(Events())
    client.register_callback_handler(dingtalk_stream.ChatbotMessage.TOPIC, Robot())
    running = asyncio.create_task(client.start())
    while client.websocket is None:
        await asyncio.sleep(0.02)
    print("READY", flush=True)
    await asyncio.wait_for(finished.wait(), 60)
    await asyncio.sleep(0.3)
    print(json.dumps({"events": events, "texts": texts}, ensure_ascii=False), flush=True)
    running.cancel()
    # The client's own loop catches the cancellation and starts again: leave without waiting for it.
    os._exit(0)


asyncio.run(main())
