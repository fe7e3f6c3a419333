"""Models of transformers that are made here, small and of random weights, for nothing is downloaded in tests."""

from pathlib import Path
from typing import Any

import torch
import transformers

__all__ = ["WORDS", "classifier", "encoder", "folder_of", "generator", "tokenizer", "translator"]

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film")


def tokenizer(folder: Path) -> Any:
    """Return a tokenizer that knows `WORDS`; its vocabulary is written to *folder*."""
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast.from_pretrained(str(folder))


def classifier(labels: int = 2, **config: Any) -> Any:
    """Return a classifier of texts with *labels* classes."""
    torch.manual_seed(labels)
    return transformers.BertForSequenceClassification(_bert(num_labels=labels, **config)).eval()


def encoder() -> Any:
    """Return a model that gives each token a vector of eight components."""
    torch.manual_seed(8)
    return transformers.BertModel(_bert()).eval()


def generator() -> Any:
    """Return a model that goes on writing."""
    torch.manual_seed(1)
    sizes = {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 32}
    tokens = {"vocab_size": len(WORDS), "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **tokens)).eval()


def translator() -> Any:
    """Return a model that reads a text and writes another."""
    torch.manual_seed(5)
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    tokens = {"vocab_size": len(WORDS), "decoder_start_token_id": 0}
    return transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes, **tokens)).eval()


def folder_of(model: Any, folder: Path) -> Path:
    """Return *folder*, into which *model* was saved with a tokenizer."""
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer(folder).save_pretrained(folder)
    return folder


def _bert(**config: Any) -> Any:
    return transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        **config,
    )
