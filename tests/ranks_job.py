"""What the processes of `tests/test_ranks.py` run: fits and steps of several ranks.

`python ranks_job.py NAME,NAME FOLDER` runs some jobs; each rank pickles what it found to FOLDER.
"""

import os
import pickle
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Checkpoint,
    Conv,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    VirtualAdversarial,
)
from skaae.networks.autoencoder import Architecture, Block
from skaae.priors import Categorical, Gaussian
from skaae.training import losses, ranks
from skaae.training.optimizers import PhaseRates
from skaae.training.penalties import head_distance, mmd
from skaae.training.schedule import Schedule, warm_up_first
from skaae.training.step import AAEStep
from skaae.training.virtual_adversarial import VirtualAdversarialLoss

N, N_LABELED, N_FEATURES = 23, 9, 5  # neither number is a multiple of 2 or 4


def table():
    """Return three groups of rows, with labels of 8 rows in each."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 67)
    X = 1.2 * rng.normal(size=(3, 6))[y] + rng.normal(size=(201, 6))
    order = rng.permutation(201)
    X, y = X[order].astype(np.float32), y[order]
    hidden = np.full(201, -1)
    for label in range(3):
        few = np.flatnonzero(y == label)[:8]
        hidden[few] = label
    return X, y, hidden


def quiet(**others):
    """Return a model whose training draws no random numbers but the order of rows."""
    return AAETransformer(
        hidden_layer_sizes=(16, 12),
        regularizer=None,
        network=MLP(batch_norm="autoencoder"),
        solver=SGD(max_gradient_norm=2.0, average_weights=True),
        input_noise=0.0,
        batch_size=19,
        max_iter=3,
        random_state=0,
        device="cpu",
        **others,
    )


def classifier(**others):
    """Return a model with noise, priors, labels, and a committee that teaches it."""
    settings = {
        "hidden_layer_sizes": (32,),
        "batch_size": 20,
        "max_iter": 12,
        "random_state": 0,
        "device": "cpu",
    }
    return SemiSupervisedAAEClassifier(**{**settings, **others})


# Steps -------------------------------------------------------------------------------------------

BLOCKS = {"label": Block(3), "style": Block(2)}
STEPS = {
    "in turn": {},
    "joint": {"joint": True},
    "few labels": {"n_labeled": 3},
    "one label": {"n_labeled": 1},
    "joint, few labels": {"joint": True, "n_labeled": 3},
    "virtual adversarial": {
        "virtual_adversarial": VirtualAdversarialLoss(0.5, torch.tensor([0.2, 0.3, 0.5]), True),
        "schedule": Schedule(warm_up_first()),
    },
    "mmd": {"penalties": {"mmd": mmd(3.0)}, "adversarial": False},
    "heads": {"penalties": {"head_distance": head_distance(3.0)}, "heads": 1.0},
    "neighbours": {"neighbours": True},
}


def make_step(
    *, adversarial=True, heads=None, neighbours=False, n_labeled=N_LABELED, joint=False, **settings
):
    """Return a step in its last stage, with batch normalization in all layers."""
    blocks = BLOCKS
    if neighbours or not adversarial:
        blocks = {"style": Block(2, adversarial=False)}
    networks = Architecture(
        N_FEATURES,
        blocks,
        (8, 7),
        (6,),
        activation="tanh",
        batch_norm="autoencoder",
        cluster_heads=heads,
    ).build()
    phases = {"reconstruction"}
    phases |= {"neighbours"} if neighbours else set()
    if blocks is BLOCKS:
        phases |= {"discriminator", "generator", "classification"}
    if "virtual_adversarial" in settings:
        phases.add("virtual_adversarial")
    step = AAEStep(
        networks,
        {"label": Categorical(), "style": Gaussian()},
        {phase: PhaseRates(0.05, 0.5) for phase in sorted(phases)},
        torch.Generator().manual_seed(1),
        solver="sgd",
        joint=joint,
        max_gradient_norm=0.7,
        **settings,
    )
    step.stage = step.schedule.stages[-1]
    return step


def batch_of(step, n_labeled):
    """Return the mini-batches of a step, by the name of its argument."""
    generator = torch.Generator().manual_seed(2)
    scale = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    x = 10.0 + scale * torch.randn(N, N_FEATURES, generator=generator)
    if "neighbours" in step.rates:
        near = x + 0.1 * torch.randn(N, N_FEATURES, generator=generator)
        return {"x": x, "pairs": torch.stack([x, near], dim=1)[:N_LABELED]}
    if "classification" not in step.rates:
        return {"x": x}
    return {"x": x, "x_labeled": x[:n_labeled] + 1.0, "y_labeled": torch.arange(n_labeled) % 3}


def run_step(settings, together):
    """Return losses and state after two steps: of parts of the rows if `together`."""
    step = make_step(**settings)
    batch = batch_of(step, settings.get("n_labeled", N_LABELED))
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(N, N_FEATURES, generator=generator)
    samples = {
        "style": torch.randn(N, 2, generator=generator),
        "label": torch.eye(3)[torch.randint(3, (N,), generator=generator)],
    }
    places = torch.arange(N)
    if together:
        batch = {
            name: rows[ranks.current().part(name, torch.arange(len(rows)))]
            for name, rows in batch.items()
        }
        places = ranks.current().part("x", places)
    # random numbers of the whole mini-batch, which no rank would draw
    step.draw_prior = lambda name, code, y=None: samples[name][places]
    original = losses.virtual_adversarial_loss
    losses.virtual_adversarial_loss = lambda label, x, logits, radius, drawn: original(
        label, x, logits, radius, direction[places]
    )
    try:
        with ranks.training_together(step) if together else torch.enable_grad():
            found = [step(**batch) for _ in range(2)]
            if together:
                found = [
                    ranks.current().total({name: float(value) for name, value in one.items()})
                    for one in found
                ]
    finally:
        losses.virtual_adversarial_loss = original
    sums = [{name: float(value) for name, value in one.items()} for one in found]
    return sums, {name: value.clone() for name, value in step.networks.state_dict().items()}


def compare_steps():
    """Return losses and weights of each step: of all rows at once, and of parts of them."""
    with ranks.joined(lambda: torch.device("cpu")):
        return {
            name: (run_step(settings, together=False), run_step(settings, together=True))
            for name, settings in STEPS.items()
        }


# Jobs --------------------------------------------------------------------------------------------


def fit_quiet():
    """Return what is compared of a model whose training draws no noise."""
    X, _, _ = table()
    return facts(quiet().fit(X), X)


def facts(model, X):
    """Return what is compared of a fitted model."""
    return {
        "codes": model.transform(X),
        "history": model.history_,
        "state": [tensor.clone() for tensor in model._step.tensors()],
        "generator": model._step.generator.get_state(),
    }


def watch_rows():
    """Return the rows and the random numbers that this rank sees, as the step is called."""
    X, _, hidden = table()
    seen = {"x": [], "x_labeled": [], "noise": []}
    call, draw = AAEStep.__call__, AAEStep.draw_prior

    def watched(self, x, **batch):
        seen["x"].append(x.numpy().copy())
        seen["x_labeled"].append(batch["x_labeled"].numpy().copy())
        return call(self, x, **batch)

    def drawn(self, name, code, y=None):
        samples = draw(self, name, code, y)
        if name == "style":
            seen["noise"].append(samples.numpy().copy())
        return samples

    AAEStep.__call__, AAEStep.draw_prior = watched, drawn
    try:
        model = classifier(max_iter=1, pseudo_labels=False).fit(X, hidden)
    finally:
        AAEStep.__call__, AAEStep.draw_prior = call, draw
    return seen | {"batch_size": model.batch_size}


def fit_classifier():
    """Return the same of a classifier, its probabilities, and its error on all rows."""
    X, y, hidden = table()
    model = classifier(early_stopping=True, validation_fraction=0.2).fit(X, hidden)
    return facts(model, X) | {
        "error": float(np.mean(model.predict(X) != y)),
        "probabilities": model.predict_proba(X),
    }


def fit_images():
    """Return the same of a model of small images, with normalized convolutions."""
    X = load_digits().data[:50]
    model = quiet().set_params(network=Conv(batch_norm="autoencoder"), hidden_layer_sizes=(4, 6))
    return facts(model.fit(X), X)


def fit_others():
    """Return the states of small models of other kinds."""
    X, y, hidden = table()
    few = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0, "device": "cpu"}
    models = {
        "clusterer": AAEClusterer(3, **few).fit(X),
        "outliers": AAEOutlierDetector(**few).fit(X),
        "supervised": SupervisedAAETransformer(**few).fit(X, y),
        "mmd": AAETransformer(regularizer="mmd", **few).fit(csr_array(X)),
        "components": classifier(components_per_class=2, max_iter=4).fit(X, hidden),
        "graph": classifier(
            pseudo_labels=True, virtual_adversarial=VirtualAdversarial(), **few
        ).fit(X, hidden),
        "parts": AAETransformer(**few).partial_fit(X).partial_fit(X),
    }
    return {name: facts(model, X)["state"] for name, model in models.items()}


def fit_map():
    """Return the same of a map that keeps neighbours."""
    X, _, _ = table()
    return facts(AAEEmbedding(max_iter=2, random_state=0, device="cpu").fit(X[:60]), X[:60])


def stop_one():
    """Return the number of epochs of a fit that one rank wants to end after the second."""
    X, _, _ = table()
    model = quiet().set_params(max_iter=30)
    keep = ranks.Ranks.begin_epoch
    epochs = []

    def begin(self, *args):
        epochs.append(len(epochs))
        if self.rank == 1 and len(epochs) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return keep(self, *args)

    ranks.Ranks.begin_epoch = begin
    try:
        return model.fit(X).n_iter_
    finally:
        ranks.Ranks.begin_epoch = keep


def refused():
    """Return the messages of fits that ranks cannot do together."""
    X, _, hidden = table()
    rank = int(os.environ["RANK"])

    def with_norm(n_in, n_out):
        return torch.nn.Sequential(torch.nn.Linear(n_in, n_out), torch.nn.BatchNorm1d(n_out))

    tries = {
        "rows": lambda: quiet().fit(X[rank::2][:100]),
        "parameters": lambda: quiet(tol=0.1 + rank).fit(X),
        "labels": lambda: classifier().fit(X, np.roll(hidden, rank)),
        "seed": lambda: quiet().set_params(random_state=None).fit(X),
        "norm": lambda: quiet().set_params(network=MLP(decoder=with_norm)).fit(X),
    }
    found = {}
    for name, attempt in tries.items():
        try:
            attempt()
        except ValueError as error:
            found[name] = str(error)
    return found


def everything():
    """Run all jobs that need no process of their own."""
    jobs = [
        compare_steps,
        fit_quiet,
        watch_rows,
        fit_images,
        fit_classifier,
        fit_map,
        stop_one,
        refused,
    ]
    return {job.__name__: job() for job in jobs}


def halt_one():
    """Train until rank 1 no longer answers."""
    lose_one(signal.SIGSTOP)


def lose_one(how=signal.SIGKILL):
    """Train with checkpoints until rank 1 gets a signal in the third epoch."""
    X, _, _ = table()
    keep = ranks.Ranks.begin_epoch
    epochs = []

    def begin(self, *args):
        epochs.append(len(epochs))
        if self.rank == 1 and len(epochs) == 3:
            (Path(sys.argv[2]) / "halted").touch()
            os.kill(os.getpid(), how)
        return keep(self, *args)

    ranks.Ranks.begin_epoch = begin
    try:
        return long(Path(sys.argv[2])).fit(X).n_iter_
    finally:
        (Path(sys.argv[2]) / "lost").touch()


def long(folder):
    """Return a model that saves each epoch to a folder."""
    return quiet(checkpoint=Checkpoint(folder=folder / "saved", epochs=1)).set_params(max_iter=6)


def resume():
    """Go on from the checkpoints of `lose_one`, and return the model's facts."""
    X, _, _ = table()
    return facts(long(Path(sys.argv[2])).fit(X), X)


def main():
    """Run the jobs that the command line names."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[2])
    for name in sys.argv[1].split(","):
        found = globals()[name]()
        (folder / f"{name}-{os.environ['RANK']}.pkl").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()
