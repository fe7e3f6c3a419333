"""Sound that is made of a text: new content is generated, which is no answer that anybody could be sure of."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import transformers

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

LETTERS = ("<pad>", "<unk>", "a", "b", "c")


def run(telemetry: Telemetry) -> None:
    """Let a small model say two letters."""
    with TemporaryDirectory() as folder:
        speech = _pipeline(Path(folder))
    with telemetry.sdk():
        speech("ab")


def _pipeline(folder: Path) -> Any:
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    tokens = transformers.VitsTokenizer(str(vocabulary), phonemize=False, is_uroman=False)
    config = transformers.VitsConfig(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        upsample_initial_channel=16,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        prior_encoder_num_flows=1,
        duration_predictor_num_flows=1,
        depth_separable_num_layers=1,
        wavenet_dilation_rate=1,
        posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_wavenet_layers=1,
        duration_predictor_filter_channels=16,
    )
    model = transformers.VitsModel(config).eval()
    return transformers.pipeline("text-to-audio", model=model, tokenizer=tokens)


if __name__ == "__main__":
    show(run)
