"""Plain-torch nets of the kinds that people bring: random weights, batch-norm statistics that keep values sane.

Names and strides follow the papers (He et al. 2016; Simonyan and Zisserman 2015; Sandler et al. 2018; Ronneberger et
al. 2015); `width` scales all channels, and inputs may have any size that the strides leave something of.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias, then batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def settle(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random batch-norm parameters near the neutral ones, He weights, evaluation mode."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for m in module.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.copy_(uniform(m.running_mean, -0.1, 0.1))
                m.running_var.copy_(uniform(m.running_var, 0.8, 1.2))
                m.weight.copy_(uniform(m.weight, 0.6, 1.0))
                m.bias.copy_(uniform(m.bias, -0.1, 0.3))
            elif isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                fan_in = m.weight[0].numel()
                m.weight.copy_(torch.randn(m.weight.shape, generator=generator) * (2 / fan_in) ** 0.5)
                if m.bias is not None:
                    m.bias.copy_(uniform(m.bias, -0.1, 0.1))
    return module.eval()


class Residual(nn.Module):
    """Sum of a body and a shortcut, then ReLU."""

    def __init__(self, body: list[nn.Module], shortcut: list[nn.Module]) -> None:
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), nn.Sequential(*shortcut)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        out += self.shortcut(x)
        return self.relu(out)


def basic_block(inputs: int, planes: int, stride: int) -> Residual:
    """Two 3×3 convolutions (ResNet-18 and 34)."""
    body = [*conv_bn(inputs, planes, 3, stride), nn.ReLU(inplace=True), *conv_bn(planes, planes)]
    change = stride != 1 or inputs != planes
    return Residual(body, conv_bn(inputs, planes, 1, stride) if change else [])


def bottleneck(inputs: int, planes: int, stride: int) -> Residual:
    """1×1, 3×3, 1×1 to four times the planes (ResNet-50 and deeper; the stride in the 3×3, as is usual)."""
    body = [
        *(*conv_bn(inputs, planes, 1), nn.ReLU(inplace=True)),
        *(*conv_bn(planes, planes, 3, stride), nn.ReLU(inplace=True)),
        *conv_bn(planes, 4 * planes, 1),
    ]
    change = stride != 1 or inputs != 4 * planes
    return Residual(body, conv_bn(inputs, 4 * planes, 1, stride) if change else [])


class ResNet(nn.Module):
    """7×7 stem, 3×3 max pool, four stages, global average, classifier."""

    def __init__(
        self, block: Callable[[int, int, int], Residual], counts: tuple[int, ...], expand: int, width: int, classes: int
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(3, width, 7, 2)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        channels, stages = width, []
        for i, count in enumerate(counts):
            planes = width * 2**i
            blocks = [
                block(channels if j == 0 else planes * expand, planes, 2 if i and j == 0 else 1) for j in range(count)
            ]
            stages.append(nn.Sequential(*blocks))
            channels = planes * expand
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet18(width: int = 64, classes: int = 1000) -> nn.Module:
    """ResNet-18."""
    return settle(ResNet(basic_block, (2, 2, 2, 2), 1, width, classes))


def resnet50(width: int = 64, classes: int = 1000) -> nn.Module:
    """ResNet-50."""
    return settle(ResNet(bottleneck, (3, 4, 6, 3), 4, width, classes))


class VGG(nn.Module):
    """3×3 convolutions with batch norm in five stages, adaptive 7×7 pool, three linear layers with dropout."""

    def __init__(self, counts: tuple[int, ...], width: int, hidden: int, classes: int, pooled: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for i, count in enumerate(counts):
            planes = width * min(2**i, 8)
            for _ in range(count):
                layers += [nn.Conv2d(channels, planes, 3, padding=1), nn.BatchNorm2d(planes), nn.ReLU(inplace=True)]
                channels = planes
            layers.append(nn.MaxPool2d(2, 2))
        self.features, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            *(nn.Linear(channels * pooled**2, hidden), nn.ReLU(True), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout()),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def vgg16_bn(width: int = 64, hidden: int = 4096, classes: int = 1000, pooled: int = 7) -> nn.Module:
    """VGG-16 with batch norm; `pooled` is the 7 of an input of 224."""
    return settle(VGG((2, 2, 3, 3, 3), width, hidden, classes, pooled))


class InvertedResidual(nn.Module):
    """1×1 expansion, 3×3 depthwise, linear 1×1; a residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        layers = [] if expand == 1 else [*conv_bn(inputs, hidden, 1), nn.ReLU6(inplace=True)]
        layers += [*conv_bn(hidden, hidden, 3, stride, hidden), nn.ReLU6(inplace=True), *conv_bn(hidden, outputs, 1)]
        self.conv, self.residual = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals; (expansion, channels, blocks, stride) as in Table 2 of the paper."""

    TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, width: float, classes: int, stages: int) -> None:
        super().__init__()
        channels = int(32 * width)
        layers: list[nn.Module] = [*conv_bn(3, channels, 3, 2), nn.ReLU6(inplace=True)]
        for expand, planes, count, stride in self.TABLE[:stages]:
            for i in range(count):
                layers.append(InvertedResidual(channels, int(planes * width), stride if i == 0 else 1, expand))
                channels = int(planes * width)
        last = int(1280 * width)
        self.features = nn.Sequential(*layers, *conv_bn(channels, last, 1), nn.ReLU6(inplace=True))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


def mobilenet_v2(width: float = 1.0, classes: int = 1000, stages: int = 7) -> nn.Module:
    """MobileNetV2, or its first stages."""
    return settle(MobileNetV2(width, classes, stages))


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Twice 3×3 convolution, batch norm, ReLU."""
    return nn.Sequential(*conv_bn(inputs, outputs), nn.ReLU(inplace=True), *conv_bn(outputs, outputs), nn.ReLU(True))


class UNet(nn.Module):
    """Encoder, decoder, and concatenated skips; upsampling by copies or by a transposed convolution."""

    def __init__(self, width: int, depth: int, classes: int, transposed: bool) -> None:
        super().__init__()
        sizes = [width * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList([double_conv(a, b) for a, b in zip([3, *sizes[:-1]], sizes, strict=True)])
        self.pool = nn.MaxPool2d(2)
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        for low, high in zip(sizes[::-1], sizes[-2::-1], strict=False):
            up = nn.ConvTranspose2d(low, high, 2, 2) if transposed else nn.Upsample(scale_factor=2, mode="nearest")
            self.up.append(up)
            self.merge.append(double_conv(2 * high if transposed else low + high, high))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for i, down in enumerate(self.down):
            x = down(x if i == 0 else self.pool(x))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat([skip, up(x)], dim=1))
        return self.head(x)


def unet(width: int = 64, depth: int = 4, classes: int = 2, transposed: bool = True) -> nn.Module:
    """U-Net with padded convolutions."""
    return settle(UNet(width, depth, classes, transposed))


class Segmentation(nn.Module):
    """Fully convolutional: a strided trunk, class scores at two strides, added and brought back up to the input."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, width, 3, 2), nn.ReLU(True))
        self.shallow = nn.Sequential(*conv_bn(width, 2 * width, 3, 2), nn.ReLU(True))
        self.deep = nn.Sequential(*conv_bn(2 * width, 4 * width, 3, 2), nn.ReLU(True))
        self.score_half, self.score_quarter = nn.Conv2d(2 * width, classes, 1), nn.Conv2d(4 * width, classes, 1)
        self.twice = nn.ConvTranspose2d(classes, classes, 4, 2, 1, groups=classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        half = self.shallow(self.stem(x))
        scores = self.twice(self.score_quarter(self.deep(half))) + self.score_half(half)
        return nn.functional.interpolate(scores, scale_factor=4.0, mode="nearest")


def segmentation(width: int = 32, classes: int = 21) -> nn.Module:
    """FCN-like head (Long et al. 2015); input sizes divisible by 8."""
    return settle(Segmentation(width, classes))


class Detection(nn.Module):
    """One trunk, two heads (RetinaNet-like): class logits and boxes for each position and anchor."""

    def __init__(self, width: int, classes: int, anchors: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *(*conv_bn(3, width, 3, 2), nn.ReLU(True)),
            *(*conv_bn(width, 2 * width, 3, 2), nn.ReLU(True)),
            basic_block(2 * width, 4 * width, 2),
        )
        head = [*conv_bn(4 * width, 4 * width), nn.ReLU(True)]
        self.classes = nn.Sequential(*head, nn.Conv2d(4 * width, anchors * classes, 3, padding=1))
        head = [*conv_bn(4 * width, 4 * width), nn.ReLU(True)]
        self.boxes = nn.Sequential(*head, nn.Conv2d(4 * width, anchors * 4, 3, padding=1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.trunk(x)
        return {"logits": self.classes(x), "boxes": self.boxes(x)}


def detection(width: int = 32, classes: int = 20, anchors: int = 3) -> nn.Module:
    """Two outputs in a dictionary."""
    return settle(Detection(width, classes, anchors))
