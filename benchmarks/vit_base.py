"""Convert and record ViT-B/16 (random weights, one image): ``python -m benchmarks.vit_base``.

Prints wall and processor seconds of each step and the peak memory of the process; the aim is 60 s and 8 GiB on 2 cores.
"""

import resource
import sys
import time

import torch


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
    begin = time.perf_counter(), time.process_time()
    network = sfnhw.convert(module, image, thresholds=16)
    converted = time.perf_counter(), time.process_time()
    recording = sfnhw.record(network, image.numpy())
    end = time.perf_counter(), time.process_time()
    spikes = sum(recording.activity.spikes(network).values())
    print(
        f"ViT-B/16: {network.parameters / 1e6:.1f} M parameters, {network.dense_macs / 1e9:.2f} GMAC, {spikes:,} packets"
    )
    for what, a, b in (("convert", begin, converted), ("record", converted, end), ("both", begin, end)):
        print(f"{what:8} {b[0] - a[0]:6.1f} s wall {b[1] - a[1]:6.1f} s processor")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak / 2**30:.2f} GiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
