"""Training on the digits: seconds on a laptop, the same weights every time."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sfnhw.digits.data import load_digits_split
from sfnhw.errors import InputError

if TYPE_CHECKING:
    import torch


def train(
    build: "Callable[[], torch.nn.Module]",
    seed: int,
    *,
    epochs: int,
    batch: int,
    rate: float,
    decay: float,
    clip: float | None = None,
) -> "torch.nn.Module":
    """Train what `build` returns on the split of the same seed and return it in eval mode.

    AdamW on a one-cycle schedule that peaks at `rate`, weight decay `decay`, gradients of a norm up to `clip`, labels
    smoothed by 0.05, images shifted by up to one pixel. Deterministic for one seed and torch version: one thread (sums
    come in one order), a generator of its own; torch's global state is put back as it was.

    Raises
    ------
    InputError : fewer than 1 epoch, or than 2 images a batch.
    """
    import torch
    from torch import nn

    if epochs < 1 or batch < 2:
        raise InputError(
            field="epochs, batch", found=(epochs, batch), expected="at least 1 epoch, and 2 images a batch"
        )
    split = load_digits_split(seed)
    images, labels = torch.from_numpy(split.train_images), torch.from_numpy(split.train_labels)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        module = build()
        optimiser = torch.optim.AdamW(module.parameters(), lr=rate / 10, weight_decay=decay)
        steps = epochs * (len(images) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
        loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
        module.train()
        for _ in range(epochs):
            order = torch.randperm(len(images))
            for i in range(len(images) // batch):
                index = order[i * batch : (i + 1) * batch]
                loss = loss_of(module(_shift(images[index])), labels[index])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(module.parameters(), clip)
                optimiser.step()
                schedule.step()
    return module.eval()


def _shift(images: "torch.Tensor") -> "torch.Tensor":
    """Move a batch by −1, 0 or 1 pixels each way; what enters is background."""
    import torch

    down, right = (int(v) for v in torch.randint(0, 3, (2,)))
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, :, down : down + images.shape[2], right : right + images.shape[3]]
