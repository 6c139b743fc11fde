"""How fast training and inference are: beside what a user would pick instead, and over the bound.

    python benchmarks/speed.py --threads 2

Writes results/speed_THREADS_threads.json. Every figure is a ratio of times taken in turns in one
process, since machines are shared and noisy: the median over rounds. Random pixels stand for data;
speed does not depend on them. Rows of the table:

* "plain port": the public tutorial's loop as it is, that is a DataLoader over a TensorDataset, six
  Adam optimisers, dropout, float32, losses on sigmoid outputs.
* "same maths": ours with the same networks, batches, phases, dropout and optimiser.
* "defaults": ours with its own dropout and optimiser; "joint": the same with SGD(updates="joint").
  None of ours has the virtual adversarial loss, since the port has none.
* "pythae": its adversarial autoencoder and trainer, where that package is installed.
* "bound": the bare matrix products of our step, in its precision, and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import subprocess
import sys
import tempfile
import time

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import save
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from torch import nn

from skaae import MLP, SGD, AAETransformer, SemiSupervisedAAEClassifier

N_CLASSES, N_STYLE, N_LABELED = 10, 10, 100
SHAPES = {"784-1000-1000": (784, 1000), "64-64": (64, 64)}


def make_rows(n_rows, n_features, seed=0):
    """Return pixels in [0, 1], mostly dark, and labels with -1 for all but N_LABELED rows."""
    rng = np.random.default_rng(seed)
    X = rng.random((n_rows, n_features), dtype=np.float32)
    X *= rng.random((n_rows, n_features)) < 0.2
    X[0], X[1] = 0.0, 1.0
    y = np.where(np.arange(n_rows) < N_LABELED, np.arange(n_rows) % N_CLASSES, -1)
    return X, y


def plain_classifier(hidden, batch, **params):
    """Return our classifier as its steps are timed, without losses and labels of our own."""
    widths = (hidden, hidden)
    return SemiSupervisedAAEClassifier(
        N_STYLE,
        hidden_layer_sizes=widths,
        network=MLP(discriminator_hidden_layer_sizes=widths),
        batch_size=batch,
        virtual_adversarial=None,
        pseudo_labels=False,
        random_state=0,
        **params,
    )


def interleaved(rounds, **functions):
    """Return {name: seconds of each round}; functions take turns, after a round unmeasured."""
    seconds = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds, slow, fast):
    """Return the median over rounds of one time over another."""
    return round(float(np.median(np.array(seconds[slow]) / np.array(seconds[fast]))), 2)


def median_ms(seconds, name, n_steps):
    return round(1e3 * float(np.median(seconds[name])) / n_steps, 2)


# What a user would pick instead -------------------------------------------------------------------


def mlp(n_in, hidden, n_out, dropout=0.0):
    layers = []
    for width in (hidden, hidden):
        layers += [nn.Linear(n_in, width), nn.Dropout(dropout), nn.ReLU()]
        n_in = width
    return nn.Sequential(*layers, nn.Linear(n_in, n_out))


class PlainPort:
    """The tutorial's semi-supervised loop: one phase after another, each with its own optimiser."""

    def __init__(self, X, y, hidden, batch_size, device="cpu", n_classes=N_CLASSES):
        n_features, self.device, self.n_classes = X.shape[1], device, n_classes
        self.encoder = mlp(n_features, hidden, n_classes + N_STYLE, dropout=0.2).to(device)
        self.decoder = mlp(n_classes + N_STYLE, hidden, n_features, dropout=0.2).to(device)
        self.d_cat = mlp(n_classes, hidden, 1, dropout=0.2).to(device)
        self.d_gauss = mlp(N_STYLE, hidden, 1, dropout=0.2).to(device)
        adam = torch.optim.Adam
        self.decoder_step = adam(self.decoder.parameters(), lr=6e-4)
        self.encoder_step = adam(self.encoder.parameters(), lr=6e-4)
        self.generator_step = adam(self.encoder.parameters(), lr=8e-4)
        self.classify_step = adam(self.encoder.parameters(), lr=1e-3)
        self.d_cat_step = adam(self.d_cat.parameters(), lr=8e-4)
        self.d_gauss_step = adam(self.d_gauss.parameters(), lr=8e-4)
        data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        labeled = torch.utils.data.Subset(data, np.flatnonzero(y >= 0).tolist())
        loader = torch.utils.data.DataLoader
        self.rows = loader(data, batch_size=batch_size, shuffle=True)
        self.labeled = loader(labeled, batch_size=min(batch_size, N_LABELED), shuffle=True)

    def encode(self, x):
        raw = self.encoder(x)
        return torch.softmax(raw[:, : self.n_classes], dim=1), raw[:, self.n_classes :]

    def epochs(self, number):
        for _ in range(number):
            self.epoch()

    def epoch(self):
        modules = (self.encoder, self.decoder, self.d_cat, self.d_gauss)
        labeled = iter(self.labeled)
        for x, _ in self.rows:
            batch = next(labeled, None)
            if batch is None:
                labeled = iter(self.labeled)
                batch = next(labeled)
            x = x.to(self.device)
            self.reconstruct(x, modules)
            self.discriminate(x, modules)
            self.generate(x, modules)
            self.classify(*(part.to(self.device) for part in batch), modules)

    def reconstruct(self, x, modules):
        zero_gradients(modules)
        code = torch.cat(self.encode(x), dim=1)
        loss = nn.functional.mse_loss(torch.sigmoid(self.decoder(code)), x)
        loss.backward()
        self.decoder_step.step()
        self.encoder_step.step()
        loss.item()

    def discriminate(self, x, modules):
        zero_gradients(modules)
        self.encoder.eval()
        real_y = torch.eye(self.n_classes)[torch.randint(self.n_classes, (len(x),))]
        real_y = real_y.to(self.device)
        real_z = torch.randn(len(x), N_STYLE).to(self.device)
        y, z = self.encode(x)
        loss = -sum(
            torch.log(torch.sigmoid(d(real)) + 1e-8).mean()
            + torch.log(1 - torch.sigmoid(d(fake)) + 1e-8).mean()
            for d, real, fake in ((self.d_cat, real_y, y), (self.d_gauss, real_z, z))
        )
        loss.backward()
        self.d_cat_step.step()
        self.d_gauss_step.step()
        loss.item()

    def generate(self, x, modules):
        zero_gradients(modules)
        self.encoder.train()
        y, z = self.encode(x)
        loss = -sum(
            torch.log(torch.sigmoid(d(fake)) + 1e-8).mean()
            for d, fake in ((self.d_cat, y), (self.d_gauss, z))
        )
        loss.backward()
        self.generator_step.step()
        loss.item()

    def classify(self, x, y, modules):
        zero_gradients(modules)
        loss = nn.functional.cross_entropy(self.encode(x)[0], y)
        loss.backward()
        self.classify_step.step()
        loss.item()


def zero_gradients(modules):
    for module in modules:
        module.zero_grad()


def pythae_model(X, hidden, batch_size):
    """Return functions that train pythae's AAE for an epoch, and that encode rows.

    Return None twice without that package.
    """
    try:
        from pythae.data.datasets import BaseDataset
        from pythae.models import Adversarial_AE, Adversarial_AE_Config
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseDiscriminator, BaseEncoder
        from pythae.trainers import AdversarialTrainer, AdversarialTrainerConfig
    except ImportError:
        return None, None
    logging.disable(logging.WARNING)
    n_features = X.shape[1]

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.net = mlp(n_features, hidden, 2 * N_STYLE)

        def forward(self, x):
            mean, log_variance = self.net(x.reshape(len(x), -1)).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.net = mlp(N_STYLE, hidden, n_features)

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.net(z)))

    class Discriminator(BaseDiscriminator):
        def __init__(self):
            super().__init__()
            self.net = mlp(N_STYLE, hidden, 1)

        def forward(self, z):
            return ModelOutput(embedding=torch.sigmoid(self.net(z)))

    config = Adversarial_AE_Config(
        input_dim=(n_features,), latent_dim=N_STYLE, deterministic_posterior=True
    )
    model = Adversarial_AE(config, Encoder(), Decoder(), Discriminator())
    training = AdversarialTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        num_epochs=1,
        per_device_train_batch_size=batch_size,
        no_cuda=True,
    )
    data = BaseDataset(data=torch.from_numpy(X), labels=torch.zeros(len(X)))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        trainer = AdversarialTrainer(model, data, training_config=training)
        trainer.prepare_training()

    def epoch():
        with contextlib.redirect_stderr(io.StringIO()):
            trainer.train_step(1)

    def encode(rows):
        model.eval()
        with torch.inference_mode():
            return model.encoder(torch.from_numpy(rows)).embedding.numpy()

    return epoch, encode


# The bound ----------------------------------------------------------------------------------------


def products_of_step(n_features, hidden, batch, n_labeled, *, labels=True):
    """Return (m, k, n) of every matrix product of one alternating step.

    A product forward, one for the gradient of the weights that a phase moves, and one for that of
    its input where something below needs it.
    """
    n_code = N_STYLE + (N_CLASSES if labels else 0)
    encoder = [(n_features, hidden), (hidden, hidden), (hidden, n_code)]
    decoder = [(n_code, hidden), (hidden, hidden), (hidden, n_features)]
    blocks = [N_STYLE, N_CLASSES] if labels else [N_STYLE]
    discriminators = [[(size, hidden), (hidden, hidden), (hidden, 1)] for size in blocks]
    found = []

    def forward(layers, m):
        found.extend((m, k, n) for k, n in layers)

    def weights(layers, m):
        found.extend((k, m, n) for k, n in layers)

    def inputs(layers, m):
        found.extend((m, n, k) for k, n in layers)

    for layers in (encoder, decoder):  # reconstruct
        forward(layers, batch)
        weights(layers, batch)
    inputs(decoder, batch)
    inputs(encoder[1:], batch)
    forward(encoder, batch)  # regularize
    for layers in discriminators:
        forward(layers, 2 * batch)
        weights(layers, 2 * batch)
        inputs(layers[1:], 2 * batch)
        forward(layers, batch)
        inputs(layers, batch)
    weights(encoder, batch)
    inputs(encoder[1:], batch)
    if labels:  # classify
        head = [*encoder[:2], (hidden, N_CLASSES)]
        forward(encoder, n_labeled)
        weights(head, n_labeled)
        inputs(head[1:], n_labeled)
    return found


def bare_products(shapes, precision):
    """Return a function that computes the products and nothing else."""
    pairs = [
        (torch.randn(m, k, dtype=precision), torch.randn(k, n, dtype=precision))
        for m, k, n in shapes
    ]
    outputs = [torch.empty(m, n, dtype=precision) for m, _, n in shapes]

    def run():
        for (a, b), out in zip(pairs, outputs, strict=True):
            torch.mm(a, b, out=out)

    return run


# What is measured ---------------------------------------------------------------------------------


def ours(estimator, X, y=None):
    """Return a function that trains the estimator for an epoch, as `partial_fit` does."""
    rows = (X,) if y is None else (X, y)
    return lambda: estimator.partial_fit(*rows)


def training(n_steps, rounds):
    """Return a row for each shape and batch size: milliseconds per step and ratios."""
    table = []
    for name, (n_features, hidden) in SHAPES.items():
        for batch in (100, 500):
            X, y = make_rows(batch * n_steps, n_features)
            widths = (hidden, hidden)
            common = {
                "n_components": N_STYLE,
                "hidden_layer_sizes": widths,
                "network": MLP(discriminator_hidden_layer_sizes=widths),
                "batch_size": batch,
                "random_state": 0,
            }
            default = SemiSupervisedAAEClassifier(**common, virtual_adversarial=None)
            same = clone(default).set_params(network__dropout=0.2, input_noise=0.0, solver="adam")
            joint = clone(default).set_params(solver=SGD(updates="joint"))
            default.partial_fit(X, y)
            precision = default._step.precision
            functions = {
                "plain port": PlainPort(X, y, hidden, batch).epoch,
                "same maths": ours(same, X, y),
                "defaults": ours(default, X, y),
                "joint": ours(joint, X, y),
                "bound": repeated(
                    bare_products(
                        products_of_step(n_features, hidden, batch, min(batch, N_LABELED)),
                        precision,
                    ),
                    n_steps,
                ),
                "AAE": ours(AAETransformer(**common), X),
                "AAE bound": repeated(
                    bare_products(
                        products_of_step(n_features, hidden, batch, 0, labels=False), precision
                    ),
                    n_steps,
                ),
            }
            peer, _ = pythae_model(X, hidden, batch)
            if peer is not None:
                functions["pythae"] = peer
            seconds = interleaved(rounds, **functions)
            row = {
                "networks": name,
                "batch": batch,
                "precision": str(precision).removeprefix("torch."),
                "ms per step": {key: median_ms(seconds, key, n_steps) for key in functions},
                "plain port / same maths": ratio(seconds, "plain port", "same maths"),
                "plain port / defaults": ratio(seconds, "plain port", "defaults"),
                "plain port / joint": ratio(seconds, "plain port", "joint"),
                "defaults / bound": ratio(seconds, "defaults", "bound"),
                "joint / bound": ratio(seconds, "joint", "bound"),
                "AAE / bound": ratio(seconds, "AAE", "AAE bound"),
            }
            if peer is not None:
                row["pythae / AAE"] = ratio(seconds, "pythae", "AAE")
            table.append(row)
            print(row, flush=True)
    return table


def repeated(function, n):
    def run():
        for _ in range(n):
            function()

    return run


def inference(rounds, n_rows=20_000):
    """Return rows per second of the methods that users call, and their time over bare products."""
    n_features, hidden = SHAPES["784-1000-1000"]
    X, y = make_rows(n_rows, n_features)
    sizes = {"hidden_layer_sizes": (hidden, hidden), "max_iter": 1, "random_state": 0}
    model = SemiSupervisedAAEClassifier(**sizes).fit(X[:1000], y[:1000])
    layers = [(n_features, hidden), (hidden, hidden), (hidden, N_CLASSES + N_STYLE)]
    encoder = repeated(
        bare_products([(1024, k, n) for k, n in layers], torch.float32), n_rows // 1024
    )
    seconds = interleaved(
        rounds,
        bound=encoder,
        transform=lambda: model.transform(X),
        predict_proba=lambda: model.predict_proba(X),
        sample=lambda: model.sample(n_rows, random_state=0),
    )
    methods = ("transform", "predict_proba", "sample")
    return {
        name: {
            "rows per second": round(n_rows / float(np.median(seconds[name]))),
            "over bound": ratio(seconds, name, "bound"),
        }
        for name in methods
    }


def small_table(rounds, n_epochs=20):
    """Return our time per epoch over that of scikit-learn's MLPClassifier for each network."""
    X, _ = make_rows(1000, 20)
    y = np.arange(1000) % 3
    ours_ = AAETransformer(max_iter=n_epochs, random_state=0, batch_size=100)
    peer = MLPClassifier((64, 64), batch_size=100, max_iter=n_epochs, random_state=0, tol=0)

    def fit_peer():
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.fit(X, y)

    seconds = interleaved(rounds, ours=lambda: ours_.fit(X), peer=fit_peer)
    n_networks = 3  # encoder, decoder, discriminator
    return {
        "ms per epoch": {name: median_ms(seconds, name, n_epochs) for name in seconds},
        "ours / (MLPClassifier x networks)": round(ratio(seconds, "ours", "peer") / n_networks, 2),
    }


MEMORY = """
import re, sys, numpy as np
from skaae import AAETransformer

def peak():  # of this process: the kernel's ru_maxrss begins with that of the parent
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))

rows = int(sys.argv[1])
X = np.random.default_rng(0).random((rows, 784), dtype=np.float32)
AAETransformer(max_iter=1, random_state=0).fit(X[:2000])
before = peak()
AAETransformer(max_iter=1, random_state=0, batch_size=1000).fit(X)
print(peak() - before)
"""


def memory(n_rows=100_000):
    """Return what a fit takes beside X, in MB, of a process of its own."""
    command = [sys.executable, "-c", MEMORY, str(n_rows)]
    kilobytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    size = n_rows * 784 * 4 / 1e6
    return {"rows": n_rows, "X in MB": round(size), "fit beside X in MB": round(kilobytes / 1e3)}


def growth(rounds):
    """Return seconds of an epoch as rows and as columns grow, with networks of 64 units."""
    settings = {"hidden_layer_sizes": (64, 64), "batch_size": 500, "random_state": 0}
    by_rows, by_columns = {}, {}
    for n_rows in (1_000, 10_000, 100_000, 1_000_000):
        X, _ = make_rows(n_rows, 20)
        seconds = interleaved(1, epoch=ours(AAETransformer(**settings), X))
        by_rows[n_rows] = round(min(seconds["epoch"]), 3)
    for n_columns in (10, 100, 1000, 10_000):
        X, _ = make_rows(2000, n_columns)
        seconds = interleaved(rounds, epoch=ours(AAETransformer(**settings), X))
        by_columns[n_columns] = round(min(seconds["epoch"]), 3)
    return {"seconds per epoch by rows": by_rows, "by columns": by_columns}


def import_time():
    """Return seconds that imports take in fresh processes, the least of five."""
    found = {}
    for what in ("torch, sklearn.base", "skaae", "skaae; skaae.AAETransformer"):
        code = (
            f"import time; s = time.perf_counter(); import {what}; print(time.perf_counter() - s)"
        )
        command = [sys.executable, "-c", code]
        times = [
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(5)
        ]
        found[f"import {what}"] = round(min(times), 3)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch that is timed")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result = {
        "experiment": "speed",
        "training": training(arguments.steps, arguments.rounds),
        "inference": inference(arguments.rounds),
        "small table": small_table(arguments.rounds),
        "memory": memory(),
        "growth": growth(arguments.rounds),
        "import": import_time(),
    }
    print(result)
    print("written", save(f"speed_{arguments.threads}_threads", result))


if __name__ == "__main__":
    main()
