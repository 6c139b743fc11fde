"""Why no test notices some mutants of `make mutation`: by module, function and change.

benchmarks/mutation.py prints changes in this form. Survivors that change only the text of an error
or a warning need no entry.
"""

KINDS = {
    "message": "other words in an error or a warning",
    "same": "the same result in another way",
    "limit": "a limit that moves by a rounding error",
    "device": "differs only on a GPU",
}

EXPLAINED = {
    "skaae/columns/scaling.py": {
        # the default
        "working_dtype": {'exact = dtype == np.float32 or np.: "safe" ->': "same"},
        "_have_one_length": {
            "rows = rows[rows.any(axis=1)].astype(: float -> None": "same",
            "return any(np.ptp(found) <= SAME_LENGTH: <= -> <": "limit",
        },
        "looks_like_pixels": {"if X.shape[1] < FEWEST_PIXELS or not 0.: <= -> <": "limit"},
        # only whether the least value is NaN counts
        "has_gaps": {'return values.dtype.kind == "f" and: 0.0 -> 1.0': "same"},
        # the default
        "known_range": {"return np.fmin.reduce(X, axis=0), np.: axis=0 ->": "same"},
        # 0 becomes 0, and 1 becomes 1
        "fit_scaling": {
            "low = 0.0 if 0.0 <= low < 0.5 * high: <= -> <": "same",
            "high = 1.0 if low == 0.0 and 0.5 < high: <= -> <": "same",
        },
        "_deviation": {"deviation, tiny = np.sqrt(variance), np.: < -> <=": "limit"},
        # a division by 1, and a search for NaN where there is none
        "_variance": {
            "total, gaps = np.zeros_like(mean), np.: > -> >=": "same",
            "if unit != 1.0:: 1.0 -> 2.0": "same",
            "np.nan_to_num(difference, copy=False): False -> None": "same",
            'total += np.einsum("ij,ij->j",: ij,ij->j -> IJ,IJ->J': "same",
        },
        # the limit is far from both
        "_within_limits": {
            "lowest = np.fmin.reduce(X, axis=None,: 0.0 -> 1.0": "same",
            "highest = np.fmax.reduce(X, axis=None,: 0.0 -> 1.0": "same",
        },
        "_moments": {
            'squared += np.einsum("ij,ij->j",: ij,ij->j -> IJ,IJ->J': "same",
            # a copy in place of the memory of `difference`
            "absolute += np.abs(difference, out=: difference -> None": "same",
            "absolute += np.abs(difference, out=: out=difference ->": "same",
        },
    },
    "skaae/estimators/labels.py": {
        # int64 is what NumPy takes for the marker -1 anyway
        "lookup_labels": {
            "targets = np.full(len(y), UNLABELED,: np.int64 -> None": "same",
            "targets = np.full(len(y), UNLABELED,: dtype=np.int64 ->": "same",
        },
    },
    "skaae/priors/_drawn.py": {
        "Drawn.sample": {
            "seed = torch.randint(2**62, (),: device_of(generator) -> None": "device",
            "seed = torch.randint(2**62, (),: device=device_of(generator) ->": "device",
            "seed = torch.randint(2**62, (),: generator -> None": "device",
            "return checked.to(device_of(generator)): device_of(generator) -> None": "device",
            "return checked.to(device_of(generator)): generator -> None": "device",
        },
        # NumPy infers the length from any negative number
        "draw_scipy": {"return np.reshape(dist.rvs(size=n,: 1 -> 2": "same"},
    },
    "skaae/priors/_prior.py": {
        "device_of": {
            'return torch.device("cpu") if generator: generator is None -> (generator is None) or '
            "True": "device",
        },
        "normal": {
            "return torch.randn(n, d, generator=: device_of(generator) -> None": "device",
            "return torch.randn(n, d, generator=: device=device_of(generator), ->": "device",
            "return torch.randn(n, d, generator=: generator -> None": "device",
        },
        "as_tensor": {
            "return _constant(array.tobytes(), array.: device_of(generator) -> None": "device",
            "return _constant(array.tobytes(), array.: generator -> None": "device",
        },
        "uniform": {
            "return torch.rand(shape, generator=: device_of(generator) -> None": "device",
            "return torch.rand(shape, generator=: device=device_of(generator), ->": "device",
            "return torch.rand(shape, generator=: generator -> None": "device",
        },
    },
    "skaae/priors/_shapes.py": {
        "_per_component": {"tensor = as_tensor(value, generator): generator -> None": "device"},
        # the next operation makes floats of integers
        "Gaussian.log_prob": {
            "scale = z.new_tensor(np.broadcast_to(np.: float -> None": "same",
            "scale = z.new_tensor(np.broadcast_to(np.: float ->": "same",
        },
        "Gaussian.sample": {
            'scale = _per_component(self, "scale",: generator -> None': "device",
        },
        "Uniform.__post_init__": {
            "low, high = np.asarray(self.low, float),: float -> None": "same",
            "low, high = np.asarray(self.low, float),: float ->": "same",
        },
        "Uniform.sample": {
            'low = _per_component(self, "low", self.: generator -> None': "device",
            'high = _per_component(self, "high",: generator -> None': "device",
        },
        "GaussianMixture.__post_init__": {
            "means = np.asarray(self.means, float): float -> None": "same",
            "means = np.asarray(self.means, float): float ->": "same",
        },
        "GaussianMixture.sample": {
            "means = as_tensor(self.means, generator): generator -> None": "device",
            "factors = as_tensor(self._factors,: generator -> None": "device",
            # normal noise is symmetric
            'return means[chosen] + torch.einsum(": + -> -': "same",
            'return means[chosen] + torch.einsum(": nij,nj->ni -> NIJ,NJ->NI': "same",
        },
        # indices are drawn in proportion to the weights, whatever their sum is
        "Petals.sample": {
            "drawn = _choose(np.full(self.n_petals,: / -> *": "same",
            "drawn = _choose(np.full(self.n_petals,: 1.0 -> 2.0": "same",
            "scales = as_tensor([self.length, self.: generator -> None": "device",
        },
        "SwissRoll.sample": {
            "drawn = _choose(np.full(self.: / -> *": "same",
            "drawn = _choose(np.full(self.: 1.0 -> 2.0": "same",
            "return spiral + self.noise * normal(: + -> -": "same",
        },
        "Categorical.sample": {
            "weights = np.full(n_components, 1.0 /: / -> *": "same",
            "weights = np.full(n_components, 1.0 /: 1.0 -> 2.0": "same",
            "weights = np.asarray(self.probabilities,: float -> None": "same",
            "weights = np.asarray(self.probabilities,: float ->": "same",
        },
        "check_probabilities": {
            "array = np.asarray(values, float): float -> None": "same",
            "array = np.asarray(values, float): float ->": "same",
            "if not np.isfinite(array).all() or (: > -> >=": "limit",
        },
        "_require_positive": {
            "array = np.asarray(value, float): float -> None": "same",
            "array = np.asarray(value, float): float ->": "same",
        },
        "_choose": {"weights = as_tensor(weights, generator): generator -> None": "device"},
        "_labels": {
            "given = torch.as_tensor(y, device=like.: like.device -> None": "device",
            "given = torch.as_tensor(y, device=like.: device=like.device ->": "device",
        },
        "_cholesky_factors": {
            "array = np.asarray(covariances, float): float -> None": "same",
            "array = np.asarray(covariances, float): float ->": "same",
        },
    },
    "skaae/training/losses.py": {
        # all rows are the same, and their radii are divided by the mean
        "local_radii": {"typical = torch.where(typical > 0.0,: 1.0 -> 2.0": "same"},
        "neighbour_loss": {
            "partner = torch.arange(len(a), device=a.: a.device -> None": "device",
            "partner = torch.arange(len(a), device=a.: device=a.device ->": "device",
        },
        "maximum_mean_discrepancy": {
            # one over each of the factors is a factor, too
            "c = base * factor: * -> /": "same",
            # a single row has the sum 0, and two rows have the divisor 2 anyway
            "pairs_codes = ((c / (c + within_codes)).: 1 -> 2": "same",
            "pairs_prior = ((c / (c + within_prior)).: 1 -> 2": "same",
        },
    },
    "skaae/training/step.py": {
        # a label that is given with the row has no discriminator
        "AAEStep.regularize": {"code = self._code(in_float32(outputs),: y -> None": "same"},
        "AAEStep.draw_prior": {
            "return samples.to(code.device, torch.: code.device -> None": "device",
            "return samples.to(code.device, torch.: code.device, ->": "device",
        },
        # memory is kept for longer
        "AAEStep._gradients": {"def (self, phase: str, loss: Tensor, *,: False -> True": "same"},
        "AAEStep.__post_init__": {
            # the default
            "self.n_steps = torch.zeros((), dtype=: torch.float32 -> None": "same",
            "self.n_steps = torch.zeros((), dtype=: dtype=torch.float32, ->": "same",
            "self.n_steps = torch.zeros((), dtype=: self.generator.device -> None": "device",
            "self.n_steps = torch.zeros((), dtype=: device=self.generator.device ->": "device",
        },
        # 0 is divided, as there are no weights
        "AAEStep.weight_size": {
            "return float(nn.utils.get_total_norm(: 1 -> 2": "same",
        },
    },
    "skaae/unlabeled.py": {
        # the longer text has the same letters
        "_require_classes": {
            'if labels.dtype.kind in "cVS":: cVS -> XXcVSXX': "same",
            # only the first entry is named
            "strange = labels[:1].tolist(): 1 -> 2": "same",
            "strange = [value for value in values if: 1 -> 2": "same",
        },
        "as_label_array": {'if array.dtype.kind in "iu":: iu -> XXiuXX': "same"},
        "find_missing": {
            'if y.dtype.kind in "mM":: mM -> XXmMXX': "same",
            # the length that NumPy would find out itself
            "return np.fromiter((is_missing(value): len(y) ->": "same",
        },
        "_equal": {"(not is_missing(value) and bool(value ==: len(y) ->": "same"},
        "_minus_one": {
            'if y.dtype.kind in "if":: if -> XXifXX': "same",
            "return np.fromiter((is_number(value): len(y) ->": "same",
        },
        # arrays of other types, which hold no text, are searched too
        "_refuse_stringified": {
            'found = texts & set(y.tolist()) if: texts and y.dtype.kind in "UO" -> (texts and '
            'y.dtype.kind in "UO") or True': "same",
            "found = texts & set(y.tolist()) if: and -> or": "same",
            "found = texts & set(y.tolist()) if: UO -> XXUOXX": "same",
        },
        "plain": {
            "return np.array(values, dtype=bool): bool -> None": "same",
            "return np.array(values, dtype=bool): dtype=bool ->": "same",
        },
        # without values any limits will do
        "_integers": {"low, high = (min(values), max(values)): 0 -> 1": "same"},
    },
}
