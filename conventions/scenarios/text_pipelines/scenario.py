"""Pipelines of transformers: texts that are classified, one, several, and one by one; words that are looked for."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film")


def run(telemetry: Telemetry) -> None:
    """Ask a model that finds every text good with probability 0.75, and a model that names no word."""
    with TemporaryDirectory() as folder:
        tokens = _tokenizer(Path(folder))
    sentiment = _pipeline("text-classification", transformers.BertForSequenceClassification, tokens)
    names = _pipeline("token-classification", transformers.BertForTokenClassification, tokens)
    with telemetry.sdk():
        sentiment("a good film", top_k=None)
        sentiment(["a film", "good"])
        list(sentiment(text for text in ("a film", "good", "a")))
        names("a good film")


def _tokenizer(folder: Path) -> Any:
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast.from_pretrained(str(folder))


def _pipeline(task: str, kind: Any, tokens: Any) -> Any:
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        id2label={0: "bad", 1: "good"},
        label2id={"bad": 0, "good": 1},
    )
    model = kind(config).eval()
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, 3.0]).log())
    return transformers.pipeline(task, model=model, tokenizer=tokens)


if __name__ == "__main__":
    show(run)
