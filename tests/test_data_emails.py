"""The data sets enron-email (as its annotators published it) and design-emails (generated)."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier

from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.datasets import enron_email
from equipoise.datasets.design_emails import NOT_AK, DesignEmails
from equipoise.splits.outer import outer_split

DEFAULT_SHA = "83ea66f20ba2db0b240387e33b6386565f0e705fb5957c6e508e92c4092a5c38"


def test_enron_email(data_dir: Path) -> None:
    data = load_dataset("enron-email", data_dir=data_dir)
    assert data.Y.shape == (1702, 53)
    assert data.kind == "text"
    assert data.labels[0] == "1.1 Company Business, Strategy, etc."
    assert data.labels[21] == "3.1 regulations and regulators"
    assert data.labels[-1] == "4.19 dislike / scorn"
    assert (data.Y.sum(axis=0) > 0).all()
    assert min(len(text) for text in data.X) > 0
    assert not any("\r" in text or "Message-ID:" in text.split("\n", 1)[0] for text in data.X)


def test_enron_email_has_the_label_rows_of_mulan(data_dir: Path) -> None:
    """Group g.c is MULAN's X.Xc with X the g-th letter; the rows come in another order there."""
    ours, theirs = load_dataset("enron-email", data_dir=data_dir), load_dataset("enron", data_dir=data_dir)
    pairs = [label.split()[0].split(".") for label in ours.labels]
    letters = ["ABCD"[int(group) - 1] for group, _ in pairs]
    columns = [f"{letter}.{letter}{category}" for letter, (_, category) in zip(letters, pairs, strict=True)]
    assert sorted(columns) == sorted(theirs.labels)
    matched = theirs.Y[:, [theirs.labels.index(column) for column in columns]]
    assert Counter(map(bytes, ours.Y)) == Counter(map(bytes, np.ascontiguousarray(matched)))


def archive(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "enron-email" / "enron_with_categories.tar.gz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_changed_archive_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    """Paths that point outside the folder do no harm, because nothing is unpacked to disk."""
    evil = {"../../evil.txt": b"x", "/etc/evil.cats": b"1,1,1", "enron_with_categories/1/5.txt": b"y"}
    path = archive(tmp_path, evil)
    with pytest.raises(
        EquipoiseError, match="is damaged or another version: its files should have tree sha256"
    ):
        load_dataset("enron-email", data_dir=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


@pytest.mark.parametrize("keep", [0, 20, 200])
def test_a_broken_archive_is_one_line(tmp_path: Path, keep: int) -> None:
    path = archive(tmp_path, {f"e/{i}.txt": os.urandom(500) for i in range(20)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(EquipoiseError) as caught:
        load_dataset("enron-email", data_dir=tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enron_email, "_LIMIT", 1000)
    archive(tmp_path, {"e/1.txt": b"0" * 2000})
    with pytest.raises(EquipoiseError, match="not the Enron archive"):
        load_dataset("enron-email", data_dir=tmp_path)


def test_mails_are_decoded() -> None:
    raw = (
        b"Message-ID: <1>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n again\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nline one=\r\n goes on\r\nline=20two\r\n"
    )
    assert enron_email._text(raw) == "grüße again\n\nline one goes on\nline two"


@pytest.fixture(scope="module")
def emails() -> Dataset:
    return load_dataset("design-emails")


def test_design_emails_say_that_they_are_generated(emails: Dataset) -> None:
    assert emails.generated
    assert "generated" in emails.source
    assert "generated" in " ".join(emails.notes)
    assert "rows=2400" in " ".join(emails.notes)
    assert emails.labels == ("existence", "property", "technology", "process", "not-ak")


def test_design_emails_are_the_same_bytes_in_any_process(emails: Dataset) -> None:
    code = "from equipoise.catalog import datasets; print(datasets.load_dataset('design-emails').sha256)"
    for hash_seed in "0", "1":
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        )
        assert done.stdout.strip() == DEFAULT_SHA
    assert emails.sha256 == DEFAULT_SHA


def test_design_emails_have_the_shape_of_the_question(emails: Dataset) -> None:
    counts = dict(zip(emails.labels, emails.Y.sum(axis=0).tolist(), strict=True))
    assert emails.n_rows == 2400
    assert (
        counts["not-ak"] > counts["existence"] > counts["technology"] > counts["property"] > counts["process"]
    )
    assert counts["not-ak"] > 0.5 * 2400
    assert counts["process"] < 0.08 * 2400
    alone = emails.Y[emails.Y[:, 4] == 1].sum(axis=1) == 1
    assert 0.98 < alone.mean() < 1
    seen = Counter(map(bytes, emails.Y)).values()
    assert 12 <= len(seen) <= 31
    assert sum(count <= 10 for count in seen) >= 5
    assert min(seen) == 1
    assert emails.Y.sum(axis=1).min() == 1
    assert len(set(emails.X)) == 2400


@pytest.mark.parametrize("strength", [1, 10])
def test_a_linear_model_stays_clearly_below_perfect(emails: Dataset, strength: int) -> None:
    scores = []
    for split in range(3):
        train, test = outer_split(emails.Y, split, 0)
        tfidf = TfidfVectorizer(sublinear_tf=True).fit(emails.X[train])
        model = OneVsRestClassifier(LogisticRegression(C=strength))
        model.fit(tfidf.transform(emails.X[train]), emails.Y[train])
        predicted = model.predict(tfidf.transform(emails.X[test]))
        scores.append(f1_score(emails.Y[test], predicted, average="macro", zero_division=0))
    assert 0.5 < np.mean(scores) < 0.8


def test_fewer_rows_are_the_first_of_many(emails: Dataset) -> None:
    few = load_dataset("design-emails[rows=50]")
    assert few.X.tolist() == emails.X[:50].tolist()
    assert np.array_equal(few.Y, emails.Y[:50])
    assert load_dataset("design-emails", rows=50, seed=1).X[0] != few.X[0]


def test_knobs_do_what_they_say() -> None:
    even = DesignEmails("d", rows=1500, imbalance=1, noise=0).load().Y.sum(axis=0)
    steep = DesignEmails("d", rows=1500, imbalance=20, noise=0).load().Y.sum(axis=0)
    assert even[:4].max() / even[:4].min() < 1.2
    assert steep[0] / steep[3] > 8
    together = [
        _phi(DesignEmails("d", rows=1500, imbalance=1, dependence=rho, noise=0)) for rho in (0, 0.5, 1)
    ]
    assert together[0] < together[1] < together[2]


def _phi(source: DesignEmails) -> float:
    """The correlation of the labels existence and technology among mails that contain a decision."""
    Y = source.load().Y
    return float(np.corrcoef(Y[Y[:, 4] == 0][:, [0, 2]].T)[0, 1])


def test_noise_is_the_share_of_mistaken_annotators() -> None:
    assert all(mail.meant == mail.marked for mail in DesignEmails("d", rows=300, noise=0).mails())
    mails = DesignEmails("d", rows=1500, noise=0.3).mails()
    assert 0.2 < np.mean([mail.meant != mail.marked for mail in mails]) < 0.3
    assert all(mail.marked for mail in mails)
    assert np.mean([NOT_AK in mail.marked for mail in mails]) < np.mean(
        [NOT_AK in mail.meant for mail in mails]
    )


@pytest.mark.parametrize(
    "option", ["rows=5", "imbalance=0.5", "dependence=2", "noise=-1", "seed=-1", "noise=nan"]
)
def test_knobs_out_of_range(option: str) -> None:
    with pytest.raises(EquipoiseError, match=r"design-emails: .* is out of range"):
        load_dataset(f"design-emails[{option}]")
