"""House sales in Ames as data for training: Kaggle's two files or our own table, and folds."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from numbers import Integral
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from d2lib.datasets import DataModule, TensorLoader
from d2lib.models.linear_regression import LinearRegression

if TYPE_CHECKING:
    import pandas as pd

    from d2lib.module import Module
    from d2lib.trainer import Trainer

_NUMBERS = """LotFrontage LotArea OverallQual OverallCond YearBuilt YearRemodAdd MasVnrArea
    BsmtFinSF1 BsmtFinSF2 BsmtUnfSF TotalBsmtSF 1stFlrSF 2ndFlrSF LowQualFinSF GrLivArea
    BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr KitchenAbvGr TotRmsAbvGrd Fireplaces
    GarageYrBlt GarageCars GarageArea WoodDeckSF OpenPorchSF EnclosedPorch 3SsnPorch ScreenPorch
    PoolArea MiscVal MoSold YrSold"""
_WORDS = """MSSubClass MSZoning Street Alley LandContour Utilities LotConfig Neighborhood Condition1
    Condition2 BldgType HouseStyle RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType Foundation
    Heating CentralAir Electrical GarageType Fence MiscFeature SaleType SaleCondition"""
NUMBERS, WORDS = _NUMBERS.split(), _WORDS.split()
_QUALITY = "Po Fa TA Gd Ex"
SCALES = {  # words with an order, worst first; "none" is what an empty cell of the column means
    **dict.fromkeys(("ExterQual", "ExterCond", "HeatingQC", "KitchenQual"), _QUALITY),
    **dict.fromkeys(("BsmtQual", "BsmtCond", "FireplaceQu", "PoolQC"), f"none {_QUALITY}"),
    **dict.fromkeys(("GarageQual", "GarageCond"), f"none {_QUALITY}"),
    **dict.fromkeys(("BsmtFinType1", "BsmtFinType2"), "none Unf LwQ Rec BLQ ALQ GLQ"),
    "BsmtExposure": "none No Mn Av Gd",
    "Functional": "Sal Sev Maj2 Maj1 Mod Min2 Min1 Typ",
    "GarageFinish": "none Unf RFn Fin",
    "LandSlope": "Sev Mod Gtl",
    "LotShape": "IR3 IR2 IR1 Reg",
    "PavedDrive": "N P Y",
}
SIZES = ["LotFrontage", *(name for name in NUMBERS if re.search("SF|Area|Porch", name))]
FEATURES = [*NUMBERS, *SCALES, *WORDS]
LABEL = "SalePrice"


class KaggleHouse(DataModule):
    """House sales in Ames, Iowa: tables, and the tensors that `preprocess` makes of them.

    `raw_train` and `raw_val` are tables with Kaggle's names; `train` and `val` are pairs: features
    `(n, d)` and natural logarithms of prices `(n, 1)`, float32, with None for prices not known.

    Without tables, `root` names a folder with Kaggle's train.csv and test.csv; without a folder,
    `seed` halves the 2,930 sales that come with d2lib, and `raw_val` is the half without prices.
    Raises FileNotFoundError for a folder without the files, and ValueError, naming the columns,
    for a table that lacks any, or whose cells are not what their columns hold.
    Taught in `multilayer_perceptrons/house_prices`.
    """

    def __init__(
        self,
        batch_size: int,
        train: pd.DataFrame | None = None,
        val: pd.DataFrame | None = None,
        *,
        root: str | Path | None = None,
        seed: int = 0,
    ):
        super().__init__(root)
        self.save_hyperparameters(ignore=["train", "val", "root"])
        _check_given(train, val)
        if train is None:
            train, val = ames_halves(seed) if root is None else kaggle_files(root)
        self.raw_train = to_kaggle_names(train)
        self.raw_val = None if val is None else to_kaggle_names(val)
        self.preprocess()

    def preprocess(self) -> None:
        """Fit the encoder to the training rows alone, and encode both tables by it."""
        _check_table(self.raw_train, "training", labeled=True)
        features = clean(self.raw_train)
        _check_known(features)
        self.encoder = house_encoder().fit(features)
        self.train = self.encode(features), log_prices(self.raw_train)
        self.val = None
        if self.raw_val is not None:
            _check_table(self.raw_val, "validation", labeled=LABEL in self.raw_val)
            self.val = self.encode(clean(self.raw_val)), log_prices(self.raw_val)

    def encode(self, features: pd.DataFrame) -> torch.Tensor:
        """Any rows that `clean` gave, `(n, 79)`, as the model takes them: `(n, d)` float32."""
        return torch.tensor(self.encoder.transform(features)).float()

    def get_dataloader(self, train: bool) -> TensorLoader | None:
        """Batches of features and log prices; None for rows without prices."""
        rows = self.train if train else self.val
        if rows is None or rows[1] is None:
            return None
        return self.get_tensorloader(rows, train)


def ames_halves(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two random halves of our own table, 1,465 sales each, the second without prices."""
    import pandas as pd

    ames = to_kaggle_names(pd.read_csv(files("d2lib") / "data/ames.csv"))
    order = torch.randperm(len(ames), generator=torch.Generator().manual_seed(seed)).numpy()
    half = len(ames) // 2
    return ames.iloc[order[:half]], ames.iloc[order[half:]].drop(columns=LABEL)


def kaggle_files(root: str | Path) -> list[pd.DataFrame]:
    """The tables train.csv and test.csv of a folder; raises FileNotFoundError without them."""
    import pandas as pd

    paths = [Path(root).expanduser() / name for name in ("train.csv", "test.csv")]
    for path in paths:
        if not path.is_file():
            contest = "Kaggle's house-prices-advanced-regression-techniques"
            raise FileNotFoundError(f"{path} is not there: get train.csv and test.csv of {contest}")
    return [pd.read_csv(path) for path in paths]


def to_kaggle_names(df: pd.DataFrame) -> pd.DataFrame:
    """The same table with the column names of Kaggle's contest: `area` becomes `GrLivArea`.

    Names lose dots, spaces and slashes, and an `X` before a digit; Kaggle's stay as they are.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    plain = {name: re.sub(r"\W|^X(?=\d)", "", str(name)) for name in df.columns}
    other = {"area": "GrLivArea", "price": LABEL, "Order": "Id"}
    return df.rename(columns={name: other.get(short, short) for name, short in plain.items()})


def clean(table: pd.DataFrame) -> pd.DataFrame:
    """The 79 features `(n, 79)`, each row by itself: floats, of which some are missing, and words.

    A size becomes ln(1 + size), and an empty word "none". Raises ValueError for what is no number
    where one belongs, and for a word that the scale of its column lacks.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    words = table[[*SCALES, *WORDS]].astype("string").fillna("none")
    words = words.apply(lambda column: column.str.strip()).astype(object)
    words = words.replace(["", "NA", "None"], "none")
    _check_scales(words)
    numbers = as_numbers(table[NUMBERS])
    slip = numbers["GarageYrBlt"] > 2010  # when the last home was sold; one cell says 2207
    numbers["GarageYrBlt"] = numbers["GarageYrBlt"].mask(slip)
    numbers[SIZES] = np.log1p(numbers[SIZES])
    return numbers.join(words)


def house_encoder() -> Any:
    """What makes numbers of clean tables, once it is fitted: scikit-learn's ColumnTransformer.

    Numbers, and places on a scale, are standardized, missing ones 0 and marked in a column of their
    own; any other word gets a column, or none if no fitted row has it.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    from sklearn import preprocessing
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    scales = [scale.split() for scale in SCALES.values()]
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": np.nan}
    order = preprocessing.OrdinalEncoder(categories=scales, **unknown)
    number = [preprocessing.StandardScaler(), SimpleImputer(add_indicator=True)]
    return make_column_transformer(
        (make_pipeline(*number), NUMBERS),
        (make_pipeline(order, *number), list(SCALES)),
        (preprocessing.OneHotEncoder(handle_unknown="ignore"), WORDS),
        sparse_threshold=0,
    )


def k_fold_data(data: KaggleHouse, k: int) -> list[KaggleHouse]:
    """`k` splits of the training rows: each row is in `raw_val` once, else in `raw_train`.

    Each split encodes by its own training rows. The rows are shuffled by `data.seed`; sizes differ
    by one row at most. Raises ValueError for another `k` than 2 to the number of rows.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    _check_k(k, len(data.raw_train))
    n, generator = len(data.raw_train), torch.Generator().manual_seed(data.seed)
    parts = torch.randperm(n, generator=generator).tensor_split(k)
    folds = []
    for j, held in enumerate(parts):
        rest = torch.cat([*parts[:j], *parts[j + 1 :]])
        tables = [data.raw_train.iloc[rows.numpy()] for rows in (rest, held)]
        folds.append(type(data)(data.batch_size, *tables, seed=data.seed))
    return folds


def k_fold(
    trainer: Trainer,
    data: KaggleHouse,
    k: int,
    lr: float,
    *,
    model_fn: Callable[[KaggleHouse, float], Module] | None = None,
    folds: list[KaggleHouse] | None = None,
) -> list[Module]:
    """Train a new model on each of `k` splits; prints mean and standard deviation of log-RMSE.

    `model_fn(fold, lr)` makes a model, by default a linear regression; each of those returned has
    its `history`, and its `log_rmse` on rows not seen. `folds` may come from `k_fold_data`.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    models = []
    for fold in folds or k_fold_data(data, k):
        model = LinearRegression(lr) if model_fn is None else model_fn(fold, lr)
        model.board.display = False
        model.history = trainer.fit(model, fold)
        X, y = fold.val
        model.log_rmse = log_rmse(model(X.to(trainer.device)).cpu(), y)
        models.append(model)
    scores = [model.log_rmse for model in models]
    print(f"log-RMSE {mean(scores):.4f} ± {stdev(scores):.4f}")
    return models


def log_rmse(y_hat: torch.Tensor | np.ndarray, y: torch.Tensor | np.ndarray) -> float:
    """The root of the mean squared difference of log prices, predicted and true, of one shape.

    Raises ValueError where the shapes differ, since (n, 1) minus (n,) would be (n, n).
    Taught in `multilayer_perceptrons/house_prices`.
    """
    y_hat, y = torch.as_tensor(y_hat), torch.as_tensor(y)
    _check_same_shape(y_hat, y)
    return ((y_hat - y) ** 2).mean().sqrt().item()


def log_prices(table: pd.DataFrame) -> torch.Tensor | None:
    """The natural logarithm of each price, `(n, 1)` float32; None for a table without prices."""
    if LABEL not in table:
        return None
    return torch.tensor(np.log(as_numbers(table[[LABEL]])).to_numpy()).float()


def as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of floats, "NA" and "" missing; raises ValueError for what is no number."""
    import pandas as pd

    numbers = table.apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = numbers.isna() & table.notna() & ~table.isin(["NA", ""]) | np.isinf(numbers)
    wrong |= (numbers < 0) & numbers.columns.isin(SIZES)
    for name in wrong.columns[wrong.any()][:1]:
        value = table.loc[wrong[name], name].iloc[0]
        raise ValueError(f"{name} holds '{value}': give a number, 0 or more for a size, or nothing")
    return numbers


def _check_given(train: pd.DataFrame | None, val: pd.DataFrame | None) -> None:
    if train is None and val is not None:
        raise ValueError("KaggleHouse got val without train: give both tables, or none")


def _check_table(table: pd.DataFrame, name: str, labeled: bool) -> None:
    """A table has rows, each feature once, and prices above 0 if it is labeled."""
    if not len(table):
        raise ValueError(f"the {name} table has no rows")
    lacking = [column for column in FEATURES + [LABEL] * labeled if column not in table]
    if lacking:
        raise ValueError(f"the {name} table lacks these columns of Kaggle's: {', '.join(lacking)}")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"the {name} table has the column {twice} twice, as Kaggle names it")
    if labeled and not (as_numbers(table[[LABEL]]) > 0).all(axis=None):
        raise ValueError(f"the {name} table has prices that are missing, or not above 0: drop them")


def _check_scales(words: pd.DataFrame) -> None:
    for name, scale in SCALES.items():
        wrong = words.loc[~words[name].isin([*scale.split(), "none"]), name]
        if len(wrong):
            raise ValueError(f"{name} holds {wrong.iloc[0]!r}: its words are {scale}")


def _check_known(features: pd.DataFrame) -> None:
    for name in features.columns[features.isin([np.nan, "none"]).all()]:
        if name in NUMBERS or "none" not in SCALES.get(name, "none"):
            raise ValueError(f"no training row has a value of {name}: give rows that have one")


def _check_k(k: int, rows: int) -> None:
    if not isinstance(k, Integral) or not 2 <= k <= rows:
        raise ValueError(f"k is {k!r}: give a whole number of folds, from 2 to the {rows} rows")


def _check_same_shape(y_hat: torch.Tensor, y: torch.Tensor) -> None:
    if y_hat.shape != y.shape:
        shapes = f"{tuple(y_hat.shape)} but log prices {tuple(y.shape)}"
        raise ValueError(f"predictions have shape {shapes}: give both the same, (n, 1)")
