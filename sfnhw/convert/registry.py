"""From the name of an ATen operation to the function that builds its part of the network."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from sfnhw.convert.values import Call, Value

if TYPE_CHECKING:
    from sfnhw.convert.plan import Plan

Builder = Callable[["Plan", Call], Value]

# One file for each family of operations; each registers its own when it is imported.
FAMILIES = (
    "linear",
    "convolution",
    "normalisation",
    "activation",
    "functions",
    "attention",
    "pooling",
    "arithmetic",
    "reshaping",
    "joining",
    "upsampling",
)

_BUILDERS: dict[str, Builder] = {}


def register(*operations: str) -> Callable[[Builder], Builder]:
    """Register a builder for ATen operations, named with their overload.

    Example
    -------
    ::

        @register("aten.relu.default", "aten.relu_.default")
        def relu(plan, call):
            return plan.rectify(call.value("self"), call)

    The builder gets the plan and the call, and returns what the result is (`sfnhw.convert.values`).
    """

    def add(builder: Builder) -> Builder:
        for operation in operations:
            _BUILDERS[operation] = builder
        return builder

    return add


def builder_of(operation: str) -> Builder | None:
    """Builder of an operation, or None where there is none."""
    for family in FAMILIES:
        import_module(f"sfnhw.convert.aten.{family}")
    return _BUILDERS.get(operation)


def registered() -> tuple[str, ...]:
    """Names of all operations that can be converted."""
    builder_of("")
    return tuple(sorted(_BUILDERS))


# What to do about operations that people meet first; by short name.
ADVICE = {
    "masked_fill": "masks are not modelled: attention of every query to every key is supported",
    "where": "masks and choices by value are not modelled",
    **dict.fromkeys(
        ("silu", "hardswish", "hardsigmoid", "mish", "softplus", "celu", "selu", "rrelu", "glu", "threshold"),
        "use ReLU instead, and fine-tune",
    ),
    "leaky_relu": "use ReLU instead, and fine-tune: a spike code of this kind has one slope",
    "elu": "use ReLU instead, and fine-tune",
    "prelu": "use ReLU instead, and fine-tune",
    "sigmoid": "use ReLU instead, and fine-tune; a sigmoid is converted only as the last operation",
    "tanh": "use ReLU instead, and fine-tune",
    "group_norm": "use batch norm, which folds into the weights",
    "instance_norm": "use batch norm, which folds into the weights",
    "upsample_bilinear2d": "use nearest-neighbour upsampling by a whole factor, or a transposed convolution",
    "upsample_bicubic2d": "use nearest-neighbour upsampling by a whole factor, or a transposed convolution",
    "conv3d": "networks of one or two spatial dimensions are supported",
    "lstm": "recurrent layers are not converted",
    "gru": "recurrent layers are not converted",
    "embedding_bag": "feed the embedded vectors as the network's input",
    "pad": "let the convolution or the pool pad with zeros itself (padding=)",
    "sum": "use the mean, and let the next layer's weights take the factor",
    "einsum": "write it with matmul, or scaled_dot_product_attention",
    "amax": "use torch.nn.MaxPool2d with a fixed window",
    "max": "use torch.nn.MaxPool2d with a fixed window",
    "max_pool2d_with_indices": "call it without return_indices",
    "maximum": "use ReLU: max(x, y) = y + relu(x − y)",
    "abs": "use ReLU: |x| = relu(x) + relu(−x)",
    "channel_shuffle": "order the weights of the next layer instead: channels cannot change places between populations",
    "pixel_shuffle": "use a transposed convolution",
    "embedding": "feed the embedded vectors as the network's input",
}
DEFAULT_ADVICE = "write it with supported operations, or give it a builder with sfnhw.convert.register"
