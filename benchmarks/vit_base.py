"""Convert and record ViT-B/16 (random weights, one image): ``python -m benchmarks.vit_base``.

Prints wall and processor seconds of each step and the peak memory of the process; the aim is 60 s and 8 GiB on 2 cores.
"""

import torch

from benchmarks.laps import now, show


def main() -> int:
    """Run it once."""
    from transformers import ViTConfig, ViTForImageClassification

    import sfnhw

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = ViTForImageClassification(ViTConfig())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x).logits

    torch.manual_seed(0)
    module, image = Logits().eval(), torch.rand(1, 3, 224, 224)
    begin = now()
    network = sfnhw.convert(module, image, thresholds=16)
    converted = now()
    recording = sfnhw.record(network, image.numpy())
    end = now()
    spikes = sum(recording.activity.spikes(network).values())
    print(
        f"ViT-B/16: {network.parameters / 1e6:.1f} M parameters, {network.dense_macs / 1e9:.2f} dense GMAC, {spikes:,} packets"
    )
    show((("convert", begin, converted), ("record", converted, end), ("both", begin, end)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
