"""Real rows with a model's scores or predictions, in the order in which they would have come.

`FOLDER` holds public data sets as Parquet (hotel bookings with the scores of their own model, census income,
New South Wales electricity, Washington bicycles, flights, taxis). Where there is no model, a small one is
trained here: logistic or ridge regression on the first third of the rows. The second third is the reference,
the last one production. Nothing is random: census rows, which have no order, are put in that of the age, so
that the mix of production moves and its labels do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ModelRows:
    """`rows` has the features, `score` (or `prediction`) and `label`; production begins at `n_reference`.

    It is told in chunks of `chunk` rows; a score is a yes from `threshold` on.
    """

    name: str
    rows: pa.Table
    n_reference: int
    chunk: int
    threshold: float = 0.5


def hotel(folder: Path) -> ModelRows:
    """Bookings cancelled or not, May 2016 to February 2017, with the scores of their own model."""
    parts = [
        pq.read_table(folder / f"hotel_{part}.parquet") for part in ("reference", "production", "labels")
    ]
    reference, production, labels = parts
    joined = production.join(labels, "customer_id", join_type="inner").sort_by("timestamp")
    whole = pa.concat_tables([reference, joined.select(reference.column_names)], promote_options="permissive")
    whole = whole.drop_columns(["customer_id", "timestamp", "y_pred"])
    names = {"y_pred_proba": "score", "is_canceled": "label"}
    whole = whole.rename_columns([names.get(name, name) for name in whole.column_names])
    yes = reference.filter(pc.equal(reference["y_pred"], 1))
    return ModelRows("hotel", whole, len(reference), 1_000, pc.min(yes["y_pred_proba"]).as_py())


def census(folder: Path) -> ModelRows:
    """Whether an income is above 50,000 dollars; production in the order of the age."""
    table = pq.read_table(folder / "adults.parquet")
    shuffled = np.random.default_rng(1).permutation(len(table))
    third = len(table) // 3
    old = shuffled[2 * third :]
    ages = table["age"].to_numpy()[old]
    order = np.concatenate([shuffled[: 2 * third], old[np.argsort(ages, kind="stable")]])
    table = table.take(order)
    label = pc.equal(table["class"], ">50K")
    return scored("census", table.drop_columns(["class", "fnlwgt"]), label, 1_000)


def electricity(folder: Path) -> ModelRows:
    """Whether the price rises, by the half-hour."""
    table = pq.read_table(folder / "electricity.parquet")
    return scored("electricity", table.drop_columns("class"), pc.equal(table["class"], 1), 1_000)


def bike(folder: Path) -> ModelRows:
    """Whether an hour is busier than that of the first third in the middle."""
    table = pq.read_table(folder / "bike_hourly.parquet")
    middle = float(np.median(table["cnt"].to_numpy()[: len(table) // 3]))
    return scored("bike", bike_features(table), pc.greater(table["cnt"], middle), 500)


def flights(folder: Path) -> ModelRows:
    """Whether a flight is more than 15 minutes late."""
    table = pq.read_table(folder / "flights.parquet")
    found = scored("flights", table.drop_columns("delay"), pc.greater(table["delay"], 15), 2_000)
    return with_usual_share(found)


def taxis(folder: Path) -> ModelRows:
    """Whether a trip is longer than 2 miles, by when and where it begins."""
    table = pq.read_table(folder / "taxis.parquet")
    return scored("taxis", table.select(["time", "px", "py"]), pc.greater(miles(table), 2.0), 2_000)


SCORED: tuple[Callable[[Path], ModelRows], ...] = (hotel, census, electricity, bike, flights, taxis)


def bike_counts(folder: Path) -> ModelRows:
    """How many bicycles an hour are rented."""
    table = pq.read_table(folder / "bike_hourly.parquet")
    return predicted("bike", bike_features(table), table["cnt"], 500)


def taxi_miles(folder: Path) -> ModelRows:
    """How many miles long a trip is, by when and where it begins."""
    table = pq.read_table(folder / "taxis.parquet")
    return predicted("taxis", table.select(["time", "px", "py"]), miles(table), 2_000)


PREDICTED: tuple[Callable[[Path], ModelRows], ...] = (bike_counts, taxi_miles)


def scored(name: str, features: pa.Table, label: pa.ChunkedArray, chunk: int) -> ModelRows:
    """Train on the first third, score the rest."""
    third = len(features) // 3
    truth = label.to_numpy(zero_copy_only=False).astype(np.int64)
    model = make_pipeline(encoder(features), LogisticRegression(max_iter=1_000))
    model.fit(features.slice(0, third).to_pandas(), truth[:third])
    rest = features.slice(third)
    score = model.predict_proba(rest.to_pandas())[:, 1]
    rows = rest.append_column("score", pa.array(score)).append_column("label", pa.array(truth[third:]))
    return ModelRows(name, rows, third, chunk)


def predicted(name: str, features: pa.Table, label: pa.ChunkedArray, chunk: int) -> ModelRows:
    """Train on the first third, predict the rest."""
    third = len(features) // 3
    truth = label.to_numpy(zero_copy_only=False).astype(np.float64)
    model = make_pipeline(encoder(features), Ridge()).fit(features.slice(0, third).to_pandas(), truth[:third])
    rest = features.slice(third)
    prediction = pa.array(model.predict(rest.to_pandas()))
    rows = rest.append_column("prediction", prediction).append_column("label", pa.array(truth[third:]))
    return ModelRows(name, rows, third, chunk)


def encoder(features: pa.Table) -> object:
    """Return what makes numbers of features: standardised, or a column a category."""
    texts = [f.name for f in features.schema if not is_number(f.type)]
    numbers = [f.name for f in features.schema if is_number(f.type)]
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    return make_column_transformer((StandardScaler(), numbers), (one_hot, texts))


def is_number(kind: pa.DataType) -> bool:
    """Tell integers and floats from texts."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def bike_features(table: pa.Table) -> pa.Table:
    """Return what is known before the hour: nothing that is a part of the count, or grows with time."""
    return table.drop_columns(["instant", "dteday", "yr", "casual", "registered", "cnt"])


def miles(table: pa.Table) -> pa.Array:
    """Return how far apart a trip's ends are; coordinates are feet."""
    px, py, dx, dy = (table[name].to_numpy().astype(np.float64) for name in ("px", "py", "dx", "dy"))
    return pa.array(np.hypot(dx - px, dy - py) / 5280)


def with_usual_share(found: ModelRows) -> ModelRows:
    """Put the threshold where the reference has as many a yes as it has labels: 0.5 is beyond all scores."""
    reference = found.rows.slice(0, found.n_reference)
    share = float(reference["label"].to_numpy().mean())
    threshold = float(np.quantile(reference["score"].to_numpy(), 1 - share, method="higher"))
    return ModelRows(found.name, found.rows, found.n_reference, found.chunk, threshold)
