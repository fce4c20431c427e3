"""The JSON of a message is made once for all clients that are told the same."""

import json

from service.event_log import Message
from service.live.text import MessageTexts


def test_clients_that_know_the_same_number_share_one_text() -> None:
    texts, message = MessageTexts(), Message("frame", {"persons": []}, stream_id="s1")

    assert texts.of(message, 7) is texts.of(message, 7)


def test_another_number_and_another_message_have_texts_of_their_own() -> None:
    texts, message = MessageTexts(), Message("frame", {"persons": []}, stream_id="s1")

    told = [texts.of(message, 7), texts.of(message, 8), texts.of(Message("frame", stream_id="s2"), 7)]

    assert [(json.loads(text)["seq"], json.loads(text)["stream_id"]) for text in told] == [
        (7, "s1"), (8, "s1"), (7, "s2"),
    ]  # fmt: skip


def test_texts_of_many_messages_are_each_message_s_own() -> None:
    texts = MessageTexts()

    told = [json.loads(texts.of(Message("frame", {"number": number}), 0))["data"]["number"] for number in range(500)]

    assert told == list(range(500))
