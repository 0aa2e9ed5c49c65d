"""House sales: our table and Kaggle's two files, features by the training rows alone, folds."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import d2lib as d2l
from d2lib import houses
from d2lib.houses import FEATURES, NUMBERS, SCALES, WORDS, KaggleHouse, clean


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("d2lib.board.LIVE", False)
    with warnings.catch_warnings(action="error", category=RuntimeWarning):
        yield


@pytest.fixture(scope="module")
def data():
    return KaggleHouse(64)


@pytest.fixture(scope="module")
def small(data):
    """60 rows with prices, 20 without: tables of Kaggle's shape."""
    drop = ["PID"]
    return data.raw_train.iloc[:60].drop(columns=drop), data.raw_val.iloc[:20].drop(columns=drop)


@pytest.fixture
def kaggle(small, tmp_path):
    """A folder with train.csv and test.csv, as Kaggle writes them: NA in empty cells."""
    for table, name in zip(small, ("train.csv", "test.csv"), strict=True):
        table.to_csv(tmp_path / name, index=False, na_rep="NA")
    return tmp_path


def names_of(encoder) -> list[str]:
    return [name.split("__")[1] for name in encoder.get_feature_names_out()]


def same(one: KaggleHouse, other: KaggleHouse) -> bool:
    pairs = [(one.train[0], other.train[0]), (one.train[1], other.train[1])]
    pairs.append((one.val[0], other.val[0]))
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_halves_share_no_home_and_have_kaggles_names(data):
    assert (data.raw_train.shape, data.raw_val.shape) == ((1465, 82), (1465, 81))
    assert len(set(data.raw_train.Id) | set(data.raw_val.Id)) == 2930
    assert set(data.raw_train) == {*FEATURES, "Id", "PID", "SalePrice"}
    assert set(data.raw_val) == set(data.raw_train) - {"SalePrice"}
    assert len(set(FEATURES)) == len(FEATURES) == 79
    assert len(NUMBERS) + len(SCALES) + len(WORDS) == 79


def test_a_seed_draws_the_halves(data):
    assert KaggleHouse(64, seed=0).raw_train.equals(data.raw_train)
    assert not KaggleHouse(64, seed=1).raw_train.index.equals(data.raw_train.index)


def test_features_are_floats_without_holes(data):
    for X in (data.train[0], data.val[0]):
        assert X.dtype == torch.float32
        assert X.isfinite().all()
        assert X.shape == (1465, len(data.encoder.get_feature_names_out()))


def test_numbers_are_standardized_and_holes_marked(data):
    X, names, features = data.train[0], names_of(data.encoder), clean(data.raw_train)
    for name in (*NUMBERS, *SCALES):
        column = X[:, names.index(name)]
        known = torch.tensor(~features[name].isin([np.nan, "none"]).to_numpy())
        assert abs(column.mean()) < 1e-5
        if name in NUMBERS and not known.all():
            assert column[~known].abs().max() < 1e-6
            assert torch.equal(X[:, names.index(f"missingindicator_{name}")] == 0, known)
            assert abs(column[known].std(correction=0) - 1) < 1e-4
        elif column.std() > 0:
            assert abs(column.std(correction=0) - 1) < 1e-4


def test_words_are_columns_of_which_one_is_1(data):
    names = names_of(data.encoder)
    for word in WORDS:
        places = [k for k, name in enumerate(names) if name.startswith(f"{word}_")]
        assert (data.train[0][:, places].sum(1) == 1).all()
        assert set(data.train[0][:, places].unique().tolist()) == {0, 1}


def test_labels_are_logarithms_of_prices(data):
    y = data.train[1]
    assert (y.shape, y.dtype) == ((1465, 1), torch.float32)
    prices = data.raw_train["SalePrice"].to_numpy()
    assert np.allclose(y[:, 0].exp(), prices, rtol=1e-5)
    assert data.val[1] is None


def test_loaders_give_batches_or_none(data):
    X, y = next(iter(data.get_dataloader(train=True)))
    assert (X.shape, y.shape) == ((64, data.train[0].shape[1]), (64, 1))
    assert data.val_dataloader() is None
    assert KaggleHouse(64, data.raw_train.iloc[:50]).val_dataloader() is None
    labeled = KaggleHouse(8, data.raw_train.iloc[:60], data.raw_train.iloc[60:80])
    assert len(labeled.val_dataloader()) == 3


def test_validation_rows_change_nothing_in_training(data, small):
    train, val = small
    before = KaggleHouse(8, train, val)
    wild = val.assign(LotArea=10**9, Neighborhood="Atlantis", SalePrice=1.0, LotFrontage=np.nan)
    after = KaggleHouse(8, train, wild)
    assert torch.equal(before.train[0], after.train[0])
    one = KaggleHouse(8, train, val.iloc[:1])
    assert torch.equal(one.val[0], before.val[0][:1])


def test_an_unseen_word_is_all_zeros(data, small):
    val, names = small[1], names_of(data.encoder)
    with warnings.catch_warnings(action="error"):
        X = data.encode(clean(val.assign(Neighborhood="Atlantis")))
    places = [k for k, name in enumerate(names) if name.startswith("Neighborhood_")]
    assert (X[:, places] == 0).all()
    others = [k for k in range(len(names)) if k not in places]
    assert torch.equal(X[:, others], data.encode(clean(val))[:, others])


def test_words_with_an_order_keep_it(small):
    train = small[0]
    X = {}
    for word in ("Po", "Fa", "TA", "Gd", "Ex"):
        fold = KaggleHouse(8, train, train.assign(KitchenQual=word))
        X[word] = fold.val[0][0, names_of(fold.encoder).index("KitchenQual")].item()
    steps = np.diff(list(X.values()))
    assert (steps > 0).all()
    assert np.allclose(steps, steps[0], rtol=1e-4)


def test_cleaning_looks_at_one_row_at_a_time(data):
    table = data.raw_val
    assert clean(table).iloc[5:9].equals(clean(table.iloc[5:9]))
    late = table.assign(GarageYrBlt=2207.0, PoolQC=np.nan, SaleType="WD ", LotArea=np.e - 1)
    cleaned = clean(late)
    assert cleaned["GarageYrBlt"].isna().all()
    assert (cleaned["PoolQC"] == "none").all()
    assert (cleaned["SaleType"] == "WD").all()
    assert np.allclose(cleaned["LotArea"], 1)


def test_kaggles_files_give_the_same_features_as_the_tables(small, kaggle):
    assert same(KaggleHouse(8, root=kaggle), KaggleHouse(8, *small))
    assert same(KaggleHouse(8, root=str(kaggle)), KaggleHouse(8, *small))


def test_cells_may_be_read_in_other_ways(small, kaggle):
    tables = [
        pd.read_csv(kaggle / name, keep_default_na=False) for name in ("train.csv", "test.csv")
    ]
    assert (tables[0]["PoolQC"] == "NA").any()
    assert same(KaggleHouse(8, *tables), KaggleHouse(8, *small))
    none = [table.assign(MasVnrType=table["MasVnrType"].fillna("None")) for table in small]
    assert same(KaggleHouse(8, *none), KaggleHouse(8, *small))


def test_de_cocks_and_rs_names_become_kaggles():
    old = ["Order", "MS SubClass", "Year Remod/Add", "1st Flr SF", "Gr Liv Area", "SalePrice"]
    r = ["Order", "MS.SubClass", "Year.Remod.Add", "X1st.Flr.SF", "area", "price"]
    new = ["Id", "MSSubClass", "YearRemodAdd", "1stFlrSF", "GrLivArea", "SalePrice"]
    for names in (old, r, new):
        table = pd.DataFrame([range(6)], columns=names)
        assert list(d2l.to_kaggle_names(table)) == new
        assert list(table) == names


def test_a_folder_without_the_files_is_told(kaggle, tmp_path):
    (kaggle / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.csv is not there: .*train\.csv.*Kaggle"):
        KaggleHouse(8, root=kaggle)


def test_missing_columns_are_named(small, kaggle):
    train, val = small
    with pytest.raises(ValueError, match=r"training table lacks .*: GarageCars, PoolQC$"):
        KaggleHouse(8, train.drop(columns=["PoolQC", "GarageCars"]), val)
    with pytest.raises(ValueError, match=r"training table lacks .*: SalePrice$"):
        KaggleHouse(8, train.drop(columns="SalePrice"), val)
    val.drop(columns="Fence").to_csv(kaggle / "test.csv", index=False)
    with pytest.raises(ValueError, match=r"validation table lacks .*: Fence$"):
        KaggleHouse(8, root=kaggle)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("LotArea", "big", "LotArea holds 'big': give a number"),
        ("LotArea", -5, "LotArea holds '-5': give a number, 0 or more for a size"),
        ("YearBuilt", np.inf, "YearBuilt holds 'inf'"),
        ("KitchenQual", "Excellent", "KitchenQual holds 'Excellent': its words are Po Fa TA Gd Ex"),
        ("SalePrice", 0, "training table has prices that are missing, or not above 0"),
        ("SalePrice", np.nan, "training table has prices that are missing, or not above 0"),
        ("SalePrice", "dear", "SalePrice holds 'dear'"),
        ("LotFrontage", np.nan, "no training row has a value of LotFrontage"),
        ("Functional", np.nan, "no training row has a value of Functional"),
    ],
)
def test_cells_that_make_no_sense_are_named(small, column, value, told):
    train, val = small
    with pytest.raises(ValueError, match=told):
        KaggleHouse(8, train.assign(**{column: value}), val)


def test_tables_that_are_none_are_told(small):
    train, val = small
    with pytest.raises(ValueError, match="got val without train"):
        KaggleHouse(8, val=val)
    with pytest.raises(ValueError, match="training table has no rows"):
        KaggleHouse(8, train.iloc[:0])
    with pytest.raises(ValueError, match="has the column GrLivArea twice"):
        KaggleHouse(8, train.assign(area=1))


def test_a_column_that_holds_nothing_but_none_is_harmless(small):
    train, val = small
    fold = KaggleHouse(8, train.assign(PoolQC=np.nan, PoolArea=0), val.assign(PoolQC="Ex"))
    assert fold.val[0].isfinite().all()


@pytest.mark.parametrize("k", [2, 7])
def test_folds_cover_each_row_once(data, k):
    whole = KaggleHouse(64, data.raw_train.iloc[:305])
    folds = d2l.k_fold_data(whole, k)
    held = [set(fold.raw_val.Id) for fold in folds]
    assert sum(map(len, held)) == len(set.union(*held)) == 305
    sizes = [len(part) for part in held]
    assert max(sizes) - min(sizes) == 1
    for fold, part in zip(folds, held, strict=True):
        assert set(fold.raw_train.Id) == set(whole.raw_train.Id) - part
        assert fold.batch_size == 64
    own = KaggleHouse(64, folds[0].raw_train).train[0]
    assert torch.equal(folds[0].train[0], own)  # by its own rows alone


def test_folds_are_shuffled_by_the_seed(small):
    whole = KaggleHouse(8, small[0])
    first, second = (d2l.k_fold_data(whole, 2)[0].raw_val.Id for _ in range(2))
    assert first.equals(second)
    assert list(first) != list(whole.raw_train.Id[:30])
    again = KaggleHouse(8, small[0], seed=3)
    assert not d2l.k_fold_data(again, 2)[0].raw_val.Id.equals(first)


def test_folds_of_a_subclass_are_of_it(small):
    class Ours(KaggleHouse):
        pass

    assert {type(fold) for fold in d2l.k_fold_data(Ours(8, small[0]), 2)} == {Ours}


@pytest.mark.parametrize("k", [1, 0, 61, 2.0, "5", None])
def test_another_k_is_told(small, k):
    with pytest.raises(ValueError, match=f"k is {k!r}: give a whole number .* 2 to the 60 rows"):
        d2l.k_fold_data(KaggleHouse(8, small[0]), k)


def test_k_fold_returns_models_with_histories_and_scores(small, capsys):
    data = KaggleHouse(16, small[0])
    folds = d2l.k_fold_data(data, 3)
    torch.manual_seed(0)
    models = d2l.k_fold(d2l.Trainer(2), data, 3, lr=0.001, folds=folds)
    scores = [model.log_rmse for model in models]
    for model, fold in zip(models, folds, strict=True):
        assert type(model) is d2l.LinearRegression
        assert model.log_rmse == pytest.approx(model.history["val_loss"][-1] ** 0.5, rel=1e-5)
        by_hand = [(p - t) ** 2 for p, t in zip(model(fold.val[0]), fold.val[1], strict=True)]
        assert model.log_rmse == pytest.approx((sum(by_hand) / len(by_hand)).item() ** 0.5)
    told = f"log-RMSE {np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}"
    assert capsys.readouterr().out.splitlines()[-1] == told
    torch.manual_seed(0)
    again = d2l.k_fold(d2l.Trainer(2), data, 3, lr=0.001)  # makes the same folds
    assert [model.log_rmse for model in again] == scores


def test_models_of_ones_own_get_fold_and_learning_rate(small):
    made = []

    def model_fn(fold, lr):
        made.append((len(fold.raw_train), lr))
        return d2l.LinearRegression(lr)

    d2l.k_fold(d2l.Trainer(1), KaggleHouse(16, small[0]), 4, 0.002, model_fn=model_fn)
    assert made == [(45, 0.002)] * 4


def test_log_rmse_by_hand_for_tensors_and_arrays():
    y_hat, y = [[1.0], [2.0], [4.0]], [[1.0], [1.0], [2.0]]
    assert d2l.log_rmse(torch.tensor(y_hat), torch.tensor(y)) == pytest.approx((5 / 3) ** 0.5)
    assert d2l.log_rmse(np.array(y_hat), torch.tensor(y)) == pytest.approx((5 / 3) ** 0.5)
    prices = torch.tensor([100_000.0, 200_000.0])
    off = d2l.log_rmse((1.1 * prices).log(), prices.log())
    assert off == pytest.approx(np.log(1.1), rel=1e-5)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"have shape \(3, 1\) but log prices \(3,\): give both"):
        d2l.log_rmse(torch.zeros(3, 1), torch.zeros(3))


def test_no_table_library_is_imported_before_a_table_is_needed():
    code = "import d2lib.houses, sys; print({'pandas', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_constructor_keeps_its_arguments(data):
    assert data.hparams == {"root": None, "num_workers": 4, "batch_size": 64, "seed": 0}
    assert houses.kaggle_files.__doc__
