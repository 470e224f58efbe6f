# SPDX-License-Identifier: Apache-2.0
"""Narrow networks in the manner of the well-known ones: the same blocks in the same order, a few channels wide."""
import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(cin, cout, k=3, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(cin, cout, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]
    if act is nn.SiLU or act is nn.ReLU or act is nn.ReLU6 or act is nn.Hardswish:
        layers.append(act(inplace=True))
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.down = conv_bn(cin, cout, 1, stride, act=None) if stride != 1 or cin != cout else None

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.down is not None:
            identity = self.down(x)
        out += identity
        return self.relu(out)


class Bottleneck(nn.Module):
    def __init__(self, cin, width, cout, stride=1, groups=1):
        super().__init__()
        self.a, self.b = conv_bn(cin, width, 1), conv_bn(width, width, 3, stride, groups)
        self.c, self.down = conv_bn(width, cout, 1, act=None), conv_bn(cin, cout, 1, stride, act=None)

    def forward(self, x):
        return F.relu_(self.c(self.b(self.a(x))) + self.down(x))


class ResNet(nn.Module):
    def __init__(self, body, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.body, self.avgpool, self.fc = body, nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(width, 10)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = torch.flatten(self.avgpool(self.body(x)), 1)
        return self.fc(x)


class InvertedResidual(nn.Module):
    def __init__(self, cin, cout, stride, expand, squeeze=False, act=nn.ReLU6):
        super().__init__()
        hidden = cin * expand
        self.use_res = stride == 1 and cin == cout
        layers = [conv_bn(cin, hidden, 1, act=act), conv_bn(hidden, hidden, 3, stride, hidden, act)]
        if squeeze:
            layers.append(SqueezeExcite(hidden))
        self.conv = nn.Sequential(*layers, conv_bn(hidden, cout, 1, act=None))

    def forward(self, x):
        return x + self.conv(x) if self.use_res else self.conv(x)


class SqueezeExcite(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(c, 4, 1), nn.Conv2d(4, c, 1)

    def forward(self, x):
        scale = F.adaptive_avg_pool2d(x, 1)
        return F.hardsigmoid(self.fc2(F.relu(self.fc1(scale)))) * x


class Classifier(nn.Module):
    """Features, pooled, then a linear layer: the tail of most mobile networks."""

    def __init__(self, features, width, dropout=0.2):
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 10))

    def forward(self, x):
        return self.classifier(self.features(x).mean([2, 3]))


class Fire(nn.Module):
    def __init__(self, cin, squeeze, expand):
        super().__init__()
        self.squeeze, self.e1, self.e3 = nn.Conv2d(cin, squeeze, 1), nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.e1(x)), F.relu(self.e3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True),
                                      Fire(8, 4, 8), Fire(16, 4, 8), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(16, 4, 8))
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(16, 10, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x):
        return torch.flatten(self.classifier(self.features(x)), 1)


class DenseLayer(nn.Module):
    def __init__(self, cin, growth):
        super().__init__()
        self.n1, self.c1 = nn.BatchNorm2d(cin), nn.Conv2d(cin, 8, 1, bias=False)
        self.n2, self.c2 = nn.BatchNorm2d(8), nn.Conv2d(8, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.c2(F.relu(self.n2(self.c1(F.relu(self.n1(x))))))], 1)


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_bn(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1), DenseLayer(8, 4), DenseLayer(12, 4),
                                      nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.Conv2d(16, 8, 1, bias=False), nn.AvgPool2d(2, 2),
                                      DenseLayer(8, 4), nn.BatchNorm2d(12))
        self.classifier = nn.Linear(12, 10)

    def forward(self, x):
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception(nn.Module):
    def __init__(self, cin):
        super().__init__()
        self.b1 = conv_bn(cin, 4, 1)
        self.b2 = nn.Sequential(conv_bn(cin, 4, 1), conv_bn(4, 6, 3))
        self.b3 = nn.Sequential(conv_bn(cin, 2, 1), conv_bn(2, 4, 5))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv_bn(cin, 2, 1))

    def forward(self, x):
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class GoogLeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.pool = conv_bn(3, 8, 7, 2), nn.MaxPool2d(3, 2, ceil_mode=True)
        self.a, self.b, self.fc = Inception(8), Inception(16), nn.Linear(16, 10)

    def forward(self, x):
        # The change of statistics that torchvision makes for weights of another framework.
        r = torch.unsqueeze(x[:, 0], 1) * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
        g = torch.unsqueeze(x[:, 1], 1) * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
        b = torch.unsqueeze(x[:, 2], 1) * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
        x = self.b(self.a(self.pool(self.stem(torch.cat((r, g, b), 1)))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        layers, cin = [], 3
        for width in (4, "M", 8, "M", 8, 8, "M"):
            layers += [nn.MaxPool2d(2, 2)] if width == "M" else [nn.Conv2d(cin, width, 3, padding=1), nn.ReLU(inplace=True)]
            cin = cin if width == "M" else width
        self.features, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(nn.Linear(72, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
                                      nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(inplace=True), nn.LocalResponseNorm(5))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(32, 16), nn.ReLU(inplace=True), nn.Linear(16, 10))

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), (2, 2))
        return self.classifier(x.view(x.size(0), -1))


class ShuffleUnit(nn.Module):
    def __init__(self, c):
        super().__init__()
        half = c // 2
        self.branch = nn.Sequential(conv_bn(half, half, 1), conv_bn(half, half, 3, groups=half, act=None), conv_bn(half, half, 1))

    def forward(self, x):
        x1, x2 = x.chunk(2, dim=1)
        out = torch.cat((x1, self.branch(x2)), dim=1)
        n, c, h, w = out.size()
        out = out.view(n, 2, c // 2, h, w)
        return torch.transpose(out, 1, 2).contiguous().view(n, c, h, w)


class ConvNextBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dw, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c, eps=1e-6)
        self.fc1, self.fc2, self.scale = nn.Linear(c, 2 * c), nn.Linear(2 * c, c), nn.Parameter(torch.ones(c, 1, 1) * 0.5)

    def forward(self, x):
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        return self.scale * self.fc2(F.gelu(self.fc1(y))).permute(0, 3, 1, 2) + x


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.cls = nn.Conv2d(3, 16, 8, 8), nn.Parameter(torch.randn(1, 1, 16))
        self.pos = nn.Parameter(torch.randn(1, 17, 16) * 0.1)
        self.layers = nn.ModuleList([EncoderBlock(16, 4) for _ in range(2)])
        self.ln, self.head = nn.LayerNorm(16), nn.Linear(16, 10)

    def forward(self, x):
        n = x.shape[0]
        x = self.patch(x).reshape(n, 16, 16).permute(0, 2, 1)
        x = torch.cat([self.cls.expand(n, -1, -1), x], dim=1) + self.pos
        for layer in self.layers:
            x = layer(x)
        return self.head(self.ln(x)[:, 0])


class EncoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, c)
        x = x + self.proj(y)
        return x + self.mlp(self.n2(x))


class SwinBlock(nn.Module):
    """Attention within windows of a shifted picture, with a learned bias by relative place."""

    def __init__(self, c, heads, window, shift):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.norm, self.qkv, self.proj = nn.LayerNorm(c), nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.1)
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        place = (at[:, :, None] - at[:, None, :]) + window - 1
        self.register_buffer("place", (place[0] * (2 * window - 1) + place[1]).flatten())

    def forward(self, x):
        b, h, w, c = x.shape
        n, s = self.window, self.shift
        y = torch.roll(self.norm(x), shifts=(-s, -s), dims=(1, 2))
        y = y.view(b, h // n, n, w // n, n, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, n * n, c)
        q, k, v = self.qkv(y).reshape(y.size(0), n * n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        attention = (q * (c // self.heads) ** -0.5).matmul(k.transpose(-2, -1))
        bias = self.table[self.place].view(n * n, n * n, -1).permute(2, 0, 1).unsqueeze(0)
        y = F.softmax(attention + bias, dim=-1).matmul(v).transpose(1, 2).reshape(-1, n * n, c)
        y = self.proj(y).view(b, h // n, w // n, n, n, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return x + torch.roll(y, shifts=(s, s), dims=(1, 2))


class Swin(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.blocks = nn.Sequential(SwinBlock(8, 2, 4, 0), SwinBlock(8, 2, 4, 2))
        self.reduce, self.norm, self.head = nn.Linear(32, 16, bias=False), nn.LayerNorm(32), nn.Linear(16, 10)

    def forward(self, x):
        x = self.blocks(self.patch(x).permute(0, 2, 3, 1))
        x = torch.cat([x[..., 0::2, 0::2, :], x[..., 1::2, 0::2, :], x[..., 0::2, 1::2, :], x[..., 1::2, 1::2, :]], -1)
        return self.head(self.reduce(self.norm(x)).flatten(1, 2).mean(1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2, self.mid = conv_bn(3, 6), conv_bn(6, 8), conv_bn(8, 8)
        self.up, self.u2, self.u1, self.out = nn.ConvTranspose2d(8, 8, 2, 2), conv_bn(16, 6), conv_bn(12, 6), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        y = self.u2(torch.cat([self.up(self.mid(F.max_pool2d(b, 2))), b], 1))
        y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.out(self.u1(torch.cat([y, a], 1))))


class DeepLab(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 8, 3, 2), conv_bn(8, 8, 3, 2))
        self.rates = nn.ModuleList([nn.Conv2d(8, 4, 3, padding=r, dilation=r, bias=False) for r in (1, 2, 3)])
        self.pool, self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU()), nn.Conv2d(16, 3, 1)

    def forward(self, x):
        size = x.shape[-2:]
        y = self.body(x)
        parts = [rate(y) for rate in self.rates]
        parts.append(F.interpolate(self.pool(y), size=y.shape[-2:], mode="bilinear", align_corners=False))
        y = self.head(torch.cat(parts, dim=1))
        return F.interpolate(y, size=size, mode="bilinear", align_corners=False)


class SsdHead(nn.Module):
    """Feature maps of two sizes; boxes and scores of all their places in one list."""

    def __init__(self):
        super().__init__()
        self.a, self.b = conv_bn(3, 8, 3, 4), conv_bn(8, 8, 3, 2)
        self.box, self.cls = nn.Conv2d(8, 2 * 4, 3, padding=1), nn.Conv2d(8, 2 * 3, 3, padding=1)

    def forward(self, x):
        a = self.a(x)
        boxes, scores = [], []
        for feature in (a, self.b(a)):
            n, _, h, w = feature.shape
            boxes.append(self.box(feature).view(n, -1, 4, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, 4))
            scores.append(self.cls(feature).view(n, -1, 3, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, 3))
        return torch.cat(boxes, dim=1), torch.softmax(torch.cat(scores, dim=1), dim=-1)


class TextClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.fc = nn.Embedding(50, 8), nn.LSTM(8, 6, 1, batch_first=True, bidirectional=True), nn.Linear(12, 3)

    def forward(self, ids):
        y, _ = self.lstm(self.embed(ids))
        return F.log_softmax(self.fc(y[:, -1]), dim=-1)


class TinyGpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(40, 16), nn.Embedding(12, 16)
        self.ln, self.qkv, self.proj, self.head = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 40, bias=False)
        self.register_buffer("mask", torch.tril(torch.ones(12, 12)).view(1, 1, 12, 12))

    def forward(self, ids):
        b, t = ids.size()
        x = self.tok(ids) + self.pos(torch.arange(0, t, dtype=torch.long).unsqueeze(0))
        q, k, v = self.qkv(self.ln(x)).split(16, dim=2)
        q, k, v = (y.view(b, t, 4, 4).transpose(1, 2) for y in (q, k, v))
        attention = (q @ k.transpose(-2, -1)) * 0.5
        attention = F.softmax(attention.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")), dim=-1)
        y = (attention @ v).transpose(1, 2).contiguous().view(b, t, 16)
        return self.head(x + self.proj(y))


PICTURE = (2, 3, 32, 32)
NETWORKS = {
    "alexnet": (lambda: AlexNet(), (2, 3, 64, 64)),
    "convnext": (lambda: Classifier(nn.Sequential(nn.Conv2d(3, 8, 4, 4), ConvNextBlock(8), ConvNextBlock(8)), 8), PICTURE),
    "deeplab": (DeepLab, (1, 3, 33, 33)),
    "densenet": (DenseNet, PICTURE),
    "efficientnet": (lambda: Classifier(nn.Sequential(conv_bn(3, 8, 3, 2, act=nn.SiLU), InvertedResidual(8, 8, 1, 2, True, nn.SiLU),
                                                      InvertedResidual(8, 12, 2, 2, True, nn.SiLU)), 12), PICTURE),
    "googlenet": (GoogLeNet, PICTURE),
    "gpt": (TinyGpt, ("ids", (2, 12), 40)),
    "lstm_text": (TextClassifier, ("ids", (2, 7), 50)),
    "mobilenet_v2": (lambda: Classifier(nn.Sequential(conv_bn(3, 8, 3, 2, act=nn.ReLU6), InvertedResidual(8, 8, 1, 2),
                                                      InvertedResidual(8, 12, 2, 3)), 12), PICTURE),
    "mobilenet_v3": (lambda: Classifier(nn.Sequential(conv_bn(3, 8, 3, 2, act=nn.Hardswish), InvertedResidual(8, 8, 1, 2, True, nn.ReLU),
                                                      InvertedResidual(8, 12, 2, 2, True, nn.Hardswish)), 12), PICTURE),
    "regnet": (lambda: ResNet(nn.Sequential(Bottleneck(8, 8, 16, 2, groups=2), Bottleneck(16, 8, 16, groups=2)), 16), PICTURE),
    "resnet18": (lambda: ResNet(nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 12, 2)), 12), PICTURE),
    "resnet50": (lambda: ResNet(nn.Sequential(Bottleneck(8, 4, 16), Bottleneck(16, 4, 16, 2)), 16), PICTURE),
    "shufflenet_v2": (lambda: Classifier(nn.Sequential(conv_bn(3, 8, 3, 2), ShuffleUnit(8), ShuffleUnit(8)), 8), PICTURE),
    "squeezenet": (SqueezeNet, PICTURE),
    "ssd": (SsdHead, PICTURE),
    "swin": (Swin, PICTURE),
    "unet": (UNet, PICTURE),
    "vgg": (Vgg, PICTURE),
    "vit": (ViT, PICTURE),
}
