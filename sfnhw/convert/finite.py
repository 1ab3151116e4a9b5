"""Whether a module's weights are numbers: a NaN would come out of every later step, far from where it is."""

import torch

from sfnhw.errors import ConversionError


def check_finite(module: torch.nn.Module) -> None:
    """Raise ConversionError for the first layer whose parameters, or statistics of torch's own layers, are not finite.

    Buffers of the user's own modules are not looked at: a mask may hold −∞.
    """
    for path, layer in module.named_modules():
        held = list(layer.named_parameters(recurse=False))
        if type(layer).__module__.startswith("torch.nn."):
            held += list(layer.named_buffers(recurse=False))
        for name, values in held:
            if values.is_meta or not values.is_floating_point() or bool(torch.isfinite(values).all()):
                continue
            what = "NaN" if bool(torch.isnan(values).any()) else "infinite values"
            where = f"layer {path!r}" if path else "the module itself"
            raise ConversionError(f"{where}: {name} holds {what}", expected="finite numbers")
