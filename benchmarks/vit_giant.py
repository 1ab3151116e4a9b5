"""Size of a vision transformer of a billion parameters without its weights: ``python -m benchmarks.vit_giant``.

EVA's giant (Fang et al. 2023, Table 1): width 1408, 40 blocks, 16 heads, 14 × 14 patches of 224 × 224; with an MLP of
6144. Prints wall and processor seconds of building the module (with the imports), of sizing it, and of both, and the peak
memory of the process; the aim is 10 s and well below 4 GiB.
"""

from benchmarks.laps import now, show


def main() -> int:
    """Run it once."""
    begin = now()
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    import sfnhw

    class Logits(torch.nn.Module):
        def __init__(self, config: ViTConfig) -> None:
            super().__init__()
            self.model = ViTForImageClassification(config)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x).logits

    config = ViTConfig(
        hidden_size=1408, num_hidden_layers=40, num_attention_heads=16, intermediate_size=6144, patch_size=14
    )
    config.num_labels = 1000
    with torch.device("meta"):
        module = Logits(config).eval()
    built = now()
    size = sfnhw.size_of(module, (3, 224, 224))
    end = now()
    print(f"{size.weights:,} weights, {size.neurons:,} neurons, {size.dense_macs:,} dense MACs, {size.macs:,} synapses")
    show((("build", begin, built), ("size", built, end), ("both", begin, end)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
