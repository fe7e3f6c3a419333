"""Texts that are embedded: how many, the dimension and the mean norm of the vectors, and neither texts nor vectors."""

from pathlib import Path
from tempfile import TemporaryDirectory

import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film")


def run(telemetry: Telemetry) -> None:
    """Embed two texts with a model of eight components that makes every vector as long as 1."""
    with TemporaryDirectory() as folder:
        model = _model(Path(folder) / "films")
    with telemetry.sdk():
        model.encode(["a good film", "good"])


def _model(folder: Path) -> SentenceTransformer:
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast.from_pretrained(str(folder)).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    transformers.BertModel(config).save_pretrained(folder)
    parts = [modules.Transformer(str(folder)), modules.Pooling(8), modules.Normalize()]
    return SentenceTransformer(modules=parts)


if __name__ == "__main__":
    show(run)
