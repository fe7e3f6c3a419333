"""A pipeline of transformers is made of a folder, and asked: one span of loading, whatever is read for it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import transformers

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film")


def run(telemetry: Telemetry) -> None:
    """Load a classifier of texts with its tokenizer from the folder `films/3`, and ask it; its weights are random."""
    with TemporaryDirectory() as parent:
        folder = Path(parent) / "films" / "3"
        _save(folder)
        with telemetry.sdk(capture_outputs="none"):
            pipeline = transformers.pipeline("text-classification", str(folder), device="cpu")
            pipeline("a good film")


def _save(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast.from_pretrained(str(folder)).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)


if __name__ == "__main__":
    show(run)
