"""The reference page of the messages says what the code does."""

import json
from pathlib import Path

import msgspec

from polymeter.messages import INCOMING, MESSAGES, STORED, TOPICS, decode

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "messages.md").read_text()


def test_every_message_its_key_and_its_fields_are_on_the_page() -> None:
    for kind, form in MESSAGES.items():
        key = ".".join([kind, *(f"<{name}>" for name in TOPICS[kind]), "v1"])
        section = PAGE.split(f"## {form.__name__}\n", 1)[1].split("\n## ")[0]
        assert f"`{key}`" in section
        for field in msgspec.structs.fields(form):
            assert f"`{field.encode_name}`" in section, f"{form.__name__} lacks {field.name}"
    assert f"`{INCOMING}`" in PAGE
    assert f"`{STORED}`" in PAGE


def test_every_example_on_the_page_is_that_message() -> None:
    for kind, form in MESSAGES.items():
        section = PAGE.split(f"## {form.__name__}\n", 1)[1].split("\n## ")[0]
        example = section.split("```json\n")[1].split("```")[0]
        assert isinstance(decode(json.dumps(json.loads(example)), form), form), kind
