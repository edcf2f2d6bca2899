import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression, Ridge

from skloss.compare import compare
from skloss.compare.layout import columns
from skloss.compare.report import write_report

VOID = {"meta", "br", "wbr", "path", "use", "input"}


class Page(HTMLParser):
    """Checks nesting and collects what the tests ask about."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.words = [], [], [], ""
        self.text = text
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if "id" in dict(attributes):
            self.ids.append(dict(attributes)["id"])

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def comparisons():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    options = {"n_repeats": 2, "verbose": 0}
    order = ["low", "mid <b>", "high"]
    ranks = np.array(order)[np.digitize(X[:, 0], [-0.5, 0.5])]
    bags = np.repeat(np.arange(30), 3)
    means = np.repeat(X[:, 0].reshape(30, 3).mean(axis=1), 3)
    logistic, dummy = LogisticRegression(), "DummyClassifier"
    return [
        compare(
            X,
            X[:, 0] > 0,
            estimators=logistic,
            baselines=["GaussianNB", dummy],
            name="classes & <more>",
            **options,
        ),
        compare(
            X,
            ranks,
            order=order,
            estimators=logistic,
            baselines=["LogisticRegression", dummy],
            name="ranks",
            **options,
        ),
        compare(
            X,
            X[:, 0],
            estimators=[Ridge(2.0)],
            baselines=["Ridge"],
            name="numbers",
            **options,
        ),
        compare(
            X,
            X[:, 0],
            task="sparse",
            estimators=[],
            name="columns",
            baselines=["LassoCV", "RidgeCV"],
            **options,
        ),
        compare(X, means, bags=bags, estimators=[], name="bags", **options),
        compare(
            X,
            estimators=(MiniBatchKMeans(), {"n_clusters": [2, 3]}),
            name="groups",
            **options,
        ),
    ]


@pytest.fixture(scope="module")
def page(comparisons, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return Page(write_report(path, comparisons).read_text(encoding="utf-8"))


def test_the_page_is_small_and_needs_nothing_else(page):
    assert len(page.text.encode()) < 1_000_000
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)
    assert "@import" not in page.text
    assert "url(" not in re.sub(r"url\(#", "", page.text)


def test_identifiers_are_unique_and_links_lead_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    targets = re.findall(r'(?:href="#|url\(#)([^")]+)', page.text)
    assert targets and set(targets) <= set(page.ids)


def test_everything_has_words(page, comparisons):
    figures = page.text.split("<figure>")[1:]
    assert len(figures) >= 3 * 4
    for figure in figures:
        caption = re.search(r"<figcaption>(.*?)</figcaption>", figure, re.DOTALL)[1]
        assert len(caption) > 40 and re.search(r"\d", caption)
    assert all(svg["aria-hidden"] == "true" for svg in page.all("svg"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all("scope" in th for th in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("meta")[1]["name"] == "viewport"


def test_what_scrolls_can_be_reached_by_keyboard(page):
    scrolling = [d for d in page.all("div") if d.get("class") == "scroll"]
    assert len(scrolling) == len(page.all("table"))
    for element in scrolling + page.all("pre"):
        assert element["tabindex"] == "0" and element["aria-label"]


def test_dark_light_and_print_are_styled(page):
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text
    # Drawn elements take their colours from the page.
    for svg in re.findall(r"<svg.*?</svg>", page.text, re.DOTALL):
        assert not set(re.findall(r"(?:fill|stroke): (#\w+)", svg)) - {"#ffffff"}


def test_answers_come_first_and_names_are_escaped(page, comparisons):
    first = comparisons[0]
    assert page.text.index("classes &amp; &lt;more&gt;") < page.text.index("<table>")
    assert "<more>" not in page.text and "mid <b>" not in page.text
    for comparison in comparisons:
        assert (
            page.text.count(
                comparison.answer.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
            )
            == 2
        )
    sections = page.text.split("<section")[1:]
    order = [
        'class="answer"',
        "<table>",
        "What is really different",
        "What a score costs",
        "What was done",
        "Can the probabilities be trusted?",
        "Run it again",
        f"Use {first.winner}",
    ]
    places = [sections[0].index(words) for words in order]
    assert places == sorted(places)


def test_names_are_neither_markup_nor_mathematics(tmp_path, numbers):
    name = "<script>alert($x_1$ & $\\nosuch{$)</script>"
    result = compare(
        *numbers,
        estimators={name: LogisticRegression()},
        baselines="GaussianNB",
        name="$\\bad{$ <b>",
        n_repeats=2,
        verbose=0,
    )
    text = write_report(tmp_path / "r.html", [result]).read_text()
    assert "<script" not in text and "<b>" not in text
    # Wherever the name stands in text it is complete, in figures too.
    plain = Page(text).words.replace("\n", "")
    assert plain.count(name) > 5
    assert result.plot().get_suptitle() == "$\\bad{$ <b>"
    result.plot().savefig(tmp_path / "r.png")


def test_the_interval_stands_beside_every_verdict(page, comparisons):
    result = comparisons[0]
    pair = result.pairs().iloc[0]
    half = (pair["high"] - pair["low"]) / 2
    (gain,) = [c for c in columns(result) if c.title == "gain"]
    (cell,) = [cell for cell in gain.cells if cell]
    value, _, uncertainty = cell.partition(" ± ")
    assert float(value) == pytest.approx(pair["gain"], abs=0.1 * half)
    assert float(uncertainty) == pytest.approx(half, rel=0.1)
    assert cell in page.words.replace("\u00a0", " ")


def test_each_task_has_its_own_figure(page):
    sections = page.text.split("<section")[1:]
    titles = [
        "Can the probabilities be trusted?",
        "Can the probabilities be trusted?",
        "Predictions against truth",
        "Predictions against truth",
        "Predictions against truth",
        "How well the clusters hold together",
    ]
    for section, title in zip(sections, titles):
        assert title in section


def test_the_report_says_what_was_done(page):
    for words in ("Nadeau and Bengio", "Holm", "seed 0", "scikit-learn 1."):
        assert words in page.text
    assert "C: 0.001, 0.01" in page.text


def test_a_run_without_any_score_still_has_a_report(tmp_path, numbers):
    broken = LogisticRegression(C=-1)
    result = compare(*numbers, estimators=broken, baselines=[], verbose=0)
    text = result.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    Page(text)
    assert "No model finished" in text and "failed: InvalidParameterError" in text
    assert result._repr_html_()
