"""The pieces of plain PyTorch that recipes are made of: features, networks, losses and draws of rows.

`{NAME}` in a piece stands for a number or a word of the winner, see `equipoise.takehome.recipe`. Pieces compute what the engine
computes, up to rounding and random numbers.
"""

from __future__ import annotations

#: The whole script.
SCRIPT = '''\
"""{strategy} on {backbone}: what equipoise chose for {dataset}, as plain PyTorch.

    python recipe.py train.csv new.csv predictions.csv

trains on the rows of train.csv and writes the labels of the rows of new.csv. {expected}
"""
import math
import sys

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
{imports}
INPUTS = {inputs}
LABELS = {labels}
# In logits, one for each label{origin}.
THRESHOLDS = torch.tensor({thresholds})
LR, C, EPOCHS, BATCH = {lr}, {C}, {epochs}, {batch}

torch.manual_seed(0)
if len(sys.argv) != 4:
    sys.exit(f"usage: python {{sys.argv[0]}} train.csv new.csv predictions.csv")
train, new = ({read} for path in sys.argv[1:3])
Y = torch.tensor(train[LABELS].to_numpy(dtype=np.float32))
n, positives = len(Y), Y.sum(0)
{features}
{network}
{draws}
# The positives of each label among n rows as they are drawn.
drawn = n * (draw @ Y)
{loss}
# The output starts at the constant logits with the smallest loss, so that no step is spent on them.
bias = torch.logit(Y.mean(0).clamp(0.5 / n, 1 - 0.5 / n)).requires_grad_()
start = torch.optim.LBFGS([bias], max_iter=50, line_search_fn="strong_wolfe")
def closure():
    start.zero_grad()
    value = (draw[:, None] * loss(bias.expand_as(Y), Y)).sum()
    value.backward()
    return value
start.step(closure)
out.bias.data = bias.detach().clone()

# Adam with an L2 penalty on all but the biases; the rate rises for 5 % of the steps and falls like a cosine.
steps = EPOCHS * max(1, round(n / BATCH))
{order}
warm, penalty = max(1.0, 0.05 * steps), 1 / (C * n * len(LABELS))
groups = [[p for name, p in net.named_parameters() if ("bias" in name) == free] for free in (False, True)]
adam = torch.optim.Adam([{{"params": groups[0], "weight_decay": penalty}}, {{"params": groups[1]}}], lr=LR)
left = lambda done: min(1.0, (steps - done) / max(steps - warm + 1, 1.0))
rate = torch.optim.lr_scheduler.LambdaLR(
    adam, lambda done: min((done + 1) / warm, 0.5 - 0.5 * math.cos(math.pi * left(done)))
)
for step in range(steps):
    rows = order[step * BATCH : (step + 1) * BATCH]
    adam.zero_grad()
    loss(net(batch(X, rows)), Y[rows]).mean().backward()
    adam.step()
    rate.step()

net.eval()
with torch.no_grad():
    z = torch.cat([net(batch(X_new, rows)) for rows in torch.arange(len(new)).split(256)])
predicted = pd.DataFrame((z > THRESHOLDS).int().numpy(), columns=LABELS)
predicted.to_csv(sys.argv[3], index=False)
'''

_TEXTS = """
def texts(frame):
    cells = frame[INPUTS].astype(str).to_numpy()
    return ["\\n\\n".join(filter(None, (cell.strip() for cell in row))) for row in cells]
"""
_TFIDF = """
vectorizer = TfidfVectorizer(max_features={max_features}, min_df=2, sublinear_tf=True, dtype=np.float32{units})
X = vectorizer.fit_transform(texts(train))
X_new, width = vectorizer.transform(texts(new)), X.shape[1]
def batch(X, rows):
    return torch.from_numpy(X[rows.numpy()].toarray())
"""
_NUMBERS = """
# Columns of mean 0 and variance 1, divided by one number so that rows have a mean square length of 1.
scaler = StandardScaler().fit(train[INPUTS].to_numpy(dtype=np.float64))
X, X_new = (scaler.transform(frame[INPUTS].to_numpy(dtype=np.float64)) for frame in (train, new))
length, width = np.sqrt(np.square(X).sum(1).mean()), X.shape[1]
X, X_new = (torch.tensor(x / length, dtype=torch.float32) for x in (X, X_new))
def batch(X, rows):
    return X[rows]
"""
_TOKENS = """
# Words as numbers: 0 for padding, 1 for unknown words, then those that occur twice or more, the most frequent first.
def words(text):
    return re.findall(r"\\w+", text.lower())
counts = Counter(word for text in texts(train) for word in words(text))
frequent = sorted((w for w, c in counts.items() if c >= 2), key=lambda w: (-counts[w], w))[:{max_words}]
number = {{word: i for i, word in enumerate(frequent, start=2)}}
def ids(frame):
    rows = [[number.get(w, 1) for w in words(t)[:{max_tokens}]] or [1] for t in texts(frame)]
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
X, X_new, width = ids(train), ids(new), len(number) + 2
def batch(X, rows):
    return X[rows][:, : int((X[rows] > 0).sum(1).max())]
"""
#: Kind of features → the code, and what it imports.
FEATURES = {
    "tfidf": (_TEXTS + _TFIDF, ["from sklearn.feature_extraction.text import TfidfVectorizer"]),
    "numbers": (_NUMBERS, ["from sklearn.preprocessing import StandardScaler"]),
    "tokens": (_TEXTS + _TOKENS, ["import re", "from collections import Counter"]),
}

_RECURRENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(width, {embedding}, padding_idx=0)
        self.words.weight.data.mul_(0.1)
        self.rnn = nn.{kind}({embedding}, {hidden}, batch_first=True, bidirectional={bidirectional})
        for name, p in self.rnn.named_parameters():
            if "bias_ih" in name:  # an open gate keeps the state
                p.data[{hidden} : 2 * {hidden}] += 1
        self.out, self.drop = nn.Linear({joined}, len(LABELS)), nn.Dropout({dropout})
    def forward(self, ids):
        lengths = (ids > 0).sum(1)
        words = nn.utils.rnn.pack_padded_sequence(
            self.drop(self.words(ids)), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(words)[0], batch_first=True, padding_value=-2.0)
        return self.out(self.drop(states.amax(1)))
net = Net()
out = net.out
"""
_TEXTCNN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(width, {embedding}, padding_idx=0)
        self.words.weight.data.mul_(0.5)
        self.filters = nn.ModuleList(nn.Conv1d({embedding}, {filters}, size) for size in (3, 4, 5))
        self.out, self.drop = nn.Linear(3 * {filters}, len(LABELS)), nn.Dropout({dropout})
    def forward(self, ids):
        ids = F.pad(ids, (0, max(0, 5 - ids.shape[1])))
        words, lengths, found = self.words(ids).transpose(1, 2), (ids > 0).sum(1), []
        for filters in self.filters:
            values, size = filters(words), filters.kernel_size[0]
            outside = torch.arange(values.shape[2]) > (lengths - size).clamp(min=0)[:, None]
            found.append(values.masked_fill(outside[:, None], -torch.inf).amax(2))
        return self.out(self.drop(torch.relu(torch.cat(found, 1))))
net = Net()
out = net.out
"""
_EMBEDDING_BAG = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(width, {embedding}, padding_idx=0)
        self.words.weight.data.mul_(0.5)
        self.out, self.drop = nn.Linear({embedding}, len(LABELS)), nn.Dropout({dropout})
    def forward(self, ids):
        mean = self.words(ids).sum(1) / (ids > 0).sum(1)[:, None]  # the embedding of padding is zero
        return self.out(self.drop(mean))
net = Net()
out = net.out
"""
#: Backbone → the code of its network.
NETWORKS = {
    "linear": "\nnet = out = nn.Linear(width, len(LABELS))\n",
    "mlp": (
        "\nout = nn.Linear({hidden}, len(LABELS))\n"
        "net = nn.Sequential(nn.Linear(width, {hidden}), nn.ReLU(), nn.Dropout({dropout}), out)\n"
    ),
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "textcnn": _TEXTCNN,
    "embedding_bag": _EMBEDDING_BAG,
}

_BCE = 'F.binary_cross_entropy_with_logits(z, y, reduction="none")'
_FOCAL = f"""
def focal(z, y):
    share = {{alpha}} * y + (1 - {{alpha}}) * (1 - y)
    return share * ({{gamma}} * F.logsigmoid(z * (1 - 2 * y))).exp() * {_BCE}
"""
_NO_ALPHA = _FOCAL.replace("    share = {alpha} * y + (1 - {alpha}) * (1 - y)\n", "").replace("share * ", "")
_ASL = """
def loss(z, y):
    p = (z.sigmoid() - {margin}).clamp(min=0)  # very easy negatives have no loss
    focus = y * ({gamma_pos} * F.logsigmoid(-z)).exp() + (1 - y) * p.clamp(min=1e-8) ** {gamma_neg}
    return {detached} * -(y * F.logsigmoid(z) + (1 - y) * torch.log1p(-p.clamp(max=1 - 1e-6)))
"""
#: Strategy with a loss → the code of the loss, unreduced. It counts rows as they are drawn (`Context.trained_pos`), and so makes
#: up for the imbalance that sampling leaves.
LOSSES = {
    "none": f"\ndef loss(z, y):\n    return {_BCE}\n",
    "pos_weight": (
        "\nweight = ((n - drawn.clamp(min=1)) / drawn.clamp(min=1)) ** {power}\n"
        f"def loss(z, y):\n    return (1 + (weight - 1) * y) * {_BCE}\n"
    ),
    "inverse_frequency": (
        "\nweight = (drawn.mean() / drawn.clamp(min=1) * (drawn > 0)) ** {power}\n"
        f"def loss(z, y):\n    return weight * {_BCE}\n"
    ),
    "focal": _FOCAL.replace("focal(", "loss("),
    "focal without alpha": _NO_ALPHA.replace("focal(", "loss("),
    "class_balanced": _FOCAL
    + "# One over the effective number of rows of a label.\n"
    + "weight = {one_minus_beta} / -torch.expm1(drawn.clamp(min=1) * math.log1p(-{one_minus_beta}))\n"
    + "def loss(z, y):\n    return weight * focal(z, y)\n",
    "asl": _ASL,
    "logit_adjusted_loss": (
        "\nprior = torch.logit(drawn.clamp(0.5, n - 0.5) / n)\n"
        "def loss(z, y):\n    z = z + {tau} * prior\n"
        f"    return {_BCE}\n"
    ),
}

_SHUFFLED = "draw = torch.full((n,), 1 / n)"
_BY_LABEL = (
    "# A label is drawn in proportion to its number of positives to this power, then one of its positive rows.\n"
    "by_label = (Y * (positives.clamp(min=1) ** ({power} - 1))).sum(1) / (positives**{power} * (positives > 0)).sum()\n"
    "draw = {mix} * by_label + (1 - {mix}) / n"
)
#: Strategy with sampling weights → the probability of each row, and the order in which rows are drawn.
DRAWS = {
    "none": (_SHUFFLED, "order = torch.cat([torch.randperm(n) for _ in range(steps * BATCH // n + 1)])"),
    "balanced_sampling": (
        _BY_LABEL.replace("{power}", "0"),
        "order = torch.multinomial(draw, steps * BATCH, replacement=True)",
    ),
    "sqrt_sampling": (_BY_LABEL, "order = torch.multinomial(draw, steps * BATCH, replacement=True)"),
}
