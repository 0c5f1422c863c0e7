"""From a file in the browser to two files in the inbox."""

from __future__ import annotations

import re

import pytest
import yaml

from daemon.errors import RefusedFileError
from daemon.inbox.pairing import Waiting
from daemon.web.uploads.place_in_inbox import place_files
from daemon.web.uploads.upload_folders import ABANDONED_SECONDS, MOST_AT_ONCE

CSV = b"id,text,truth\n1,good thing,good\n2,bad thing,bad\n"
FORM = {
    "name": "reviews",
    "description": "Is the customer satisfied?",
    "labels": "good: satisfied\r\nbad: not satisfied\r\n\r\n",
    "text_columns": ["id", "text", "truth"],
    "label_column": "truth",
    "id_column": "id",
    "budget_usd": "2.50",
}


def _upload(visitor, content=CSV, name="reviews.csv", *, spec=None):
    files = [("files", (name, content))]
    files += [("files", ("reviews.yaml", spec))] if spec is not None else []
    return visitor.post("/new", files=files)


def _uploads(stage):
    return sorted((stage.settings.state / "uploads").iterdir())


def test_the_form_writes_the_spec_and_both_files_reach_the_inbox(stage):
    """Columns are read from the header; a column chosen for something else is no text."""
    visitor = stage.open()
    answer = _upload(visitor)
    assert 303 == answer.status_code
    where = answer.headers["location"]
    page = visitor.get(where).text
    assert ["id", "text", "truth"] == re.findall(r'name="text_columns" value="(\w+)"', page)
    assert '<option value="id" selected>' in page
    assert "good thing" in page
    assert 303 == visitor.post(f"{where}/start", FORM).status_code
    assert ["reviews.csv", "reviews.yaml"] == sorted(path.name for path in stage.settings.inbox.iterdir())
    assert CSV == (stage.settings.inbox / "reviews.csv").read_bytes()
    assert {
        "name": "reviews",
        "description": "Is the customer satisfied?",
        "labels": {"good": "satisfied", "bad": "not satisfied"},
        "text_columns": ["text"],
        "label_column": "truth",
        "id_column": "id",
        "budget_usd": 2.5,
    } == yaml.safe_load((stage.settings.inbox / "reviews.yaml").read_text())
    assert [] == _uploads(stage)
    assert 404 == visitor.get(where).status_code


def test_a_spec_that_came_along_is_shown_and_used(stage):
    """As text, with everything in it."""
    spec = b"description: d\nlabels: [a, b]\nstudent: {mode: frozen}\n"
    visitor = stage.open()
    where = _upload(visitor, spec=spec).headers["location"]
    assert "student: {mode: frozen}" in visitor.get(where).text
    text = spec.decode() + "iterations: 2\n"
    assert 303 == visitor.post(f"{where}/start", {"spec_text": text}).status_code
    assert text == (stage.settings.inbox / "reviews.yaml").read_text()


def test_what_is_wrong_is_said_beside_what_was_typed(stage):
    """And nothing reaches the inbox."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    for change, says in (
        ({"labels": "only"}, "at least 2 labels"),
        ({"labels": "a\na"}, "stands twice"),
        ({"name": "../evil"}, "must be 1 to 64 letters"),
        ({"name": ".hidden"}, "must be 1 to 64 letters"),
        ({"description": ""}, "description"),
        ({"text_columns": []}, "no text column is ticked"),
        ({"text_columns": ["nothing"]}, "has no column &#39;nothing&#39;"),
        ({"budget_usd": "much"}, "budget_usd"),
        ({"budget_usd": "-1"}, "budget_usd"),
    ):
        answer = visitor.post(f"{where}/start", FORM | change)
        assert 422 == answer.status_code
        assert says in answer.text
        assert "line 3" not in answer.text
        assert "Is the customer satisfied?" in answer.text or "description" in change
    assert [] == list(stage.settings.inbox.iterdir())


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.yaml", "reviews.yml"])
def test_what_waits_in_the_inbox_is_never_replaced(stage, name):
    """Neither the table nor the spec, whatever their ending."""
    (stage.settings.inbox / name).write_text("mine")
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    answer = visitor.post(f"{where}/start", FORM)
    assert 422 == answer.status_code
    assert "waits in the inbox already" in answer.text
    assert [name] == [path.name for path in stage.settings.inbox.iterdir()]
    assert "mine" == (stage.settings.inbox / name).read_text()
    assert 303 == visitor.post(f"{where}/start", FORM | {"name": "other"}).status_code


def test_placing_is_all_or_nothing(tmp_path):
    """Where the second name is taken, the first goes again; nothing hidden stays behind."""
    first, second, folder = tmp_path / "1", tmp_path / "2", tmp_path / "inbox"
    folder.mkdir()
    first.write_text("1")
    second.write_text("2")
    (folder / "b.csv").symlink_to("nowhere")
    with pytest.raises(RefusedFileError, match="waits there already"):
        place_files({"a.yaml": first, "b.csv": second}, folder)
    assert ["b.csv"] == [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("shown", "stored"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\my reviews.CSV", "my-reviews.csv"),
        ("<script>alert(1)<b>.csv", "script-alert-1-b.csv"),
        (".csv", "unnamed-e3b0c4.csv"),
    ],
)
def test_a_files_name_is_shown_and_never_used(stage, shown, stored):
    """On the disk it has a plain name of ours."""
    visitor = stage.open()
    where = _upload(visitor, name=shown).headers["location"]
    [folder] = _uploads(stage)
    assert stored in {path.name for path in folder.iterdir()}
    text = visitor.get(where).text
    assert "<script>alert" not in text
    assert [folder] == _uploads(stage)


def test_hostile_cells_and_columns_are_escaped(stage):
    """Texts of the file stand in the page as texts."""
    content = b'<img src=x onerror=alert(1)>,"a""b>"\n<script>alert(1)</script>,x\n'
    visitor = stage.open()
    text = visitor.get(_upload(visitor, content).headers["location"]).text
    for piece in ("<img", "<script>alert", 'a"b>'):
        assert piece not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_table_that_cannot_be_read_is_said(stage):
    """With the line; the page itself stands."""
    visitor = stage.open()
    text = visitor.get(_upload(visitor, b'a,b\n"never closed,1\n').headers["location"]).text
    assert "The table cannot be read" in text


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([("a.exe", b"x")], "Tables ("),
        ([("a.csv", CSV), ("a.exe", b"x")], "Tables ("),
        ([("a.json", b"[]")], "Tables ("),
        ([("a.csv", b"")], "The table is empty"),
        ([("a.csv", CSV)] * 30, "At most 20"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_nothing(stage, files, says):
    """Tables, specs, examples; nothing else."""
    visitor = stage.open()
    answer = visitor.post("/new", files=[("files", file) for file in files])
    assert 400 == answer.status_code
    assert says in answer.text
    assert [] == _uploads(stage)


def test_an_upload_that_is_too_large_is_cut_off(stage):
    """By what is announced, and by what comes."""
    visitor = stage.open(max_upload_mb=1)
    content = b"a\n" + b"x\n" * 600_000
    answer = _upload(visitor, content)
    assert 413 == answer.status_code
    assert "at most 1 MB" in answer.text

    async def unannounced():
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
        for _ in range(30):
            yield b"x" * 50_000
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Form-Token": visitor.form_token()}
    assert 413 == visitor.send("POST", "/new", content=unannounced(), headers=headers).status_code
    assert [] == _uploads(stage)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Dispo"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\na',
        ),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data", b""),
        ("text/plain", b"x"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + b"y" * 99_999),
    ],
)
def test_a_damaged_form_is_refused_and_leaves_nothing(stage, kind, body):
    """Cut off, nonsense, no boundary, a field without end."""
    visitor = stage.open()
    headers = {"Content-Type": kind, "X-Form-Token": visitor.form_token()}
    assert 400 == visitor.send("POST", "/new", content=body, headers=headers).status_code
    assert [] == _uploads(stage)


def test_an_upload_without_the_form_token_is_thrown_away(stage):
    """Nothing of it stays."""
    visitor = stage.open()
    answer = visitor.post("/new", files=[("files", ("a.csv", CSV))], form_token="wrong")
    assert 403 == answer.status_code
    assert [] == _uploads(stage)


def test_abandoned_uploads_are_removed(stage):
    """After an hour without a visit, and all of them when the service starts."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    stage.steady += ABANDONED_SECONDS / 2
    assert 200 == visitor.get(where).status_code
    stage.steady += ABANDONED_SECONDS * 0.9
    stage.live.uploads.sweep()
    assert 1 == len(_uploads(stage))
    stage.steady += ABANDONED_SECONDS
    stage.live.uploads.sweep()
    assert [] == _uploads(stage)
    _upload(visitor)
    stage.live.uploads.clear()
    assert [] == _uploads(stage)


def test_an_upload_can_be_discarded(stage):
    """By its own button."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    assert 303 == visitor.post(f"{where}/discard").status_code
    assert [] == _uploads(stage)


def test_there_is_an_end_to_unfinished_uploads(stage):
    """The state folder cannot be filled with them."""
    visitor = stage.open()
    for _ in range(MOST_AT_ONCE):
        assert 303 == _upload(visitor).status_code
    assert 429 == _upload(visitor).status_code
    assert MOST_AT_ONCE == len(_uploads(stage))


def test_without_room_on_the_disk_nothing_is_taken(stage):
    """An upload must not fill what jobs need."""
    jobs = stage.settings.jobs.model_copy(update={"min_free_disk_mb": 10**9})
    stage.settings = stage.settings.model_copy(update={"jobs": jobs})
    assert 507 == _upload(stage.open()).status_code


def test_several_files_go_straight_into_the_inbox(stage):
    """As a folder would take them: all of them under plain names, or none."""
    visitor = stage.open()
    files = [("a.csv", CSV), ("my b.csv", CSV), ("a.yaml", b"x: 1")]
    assert "/" == visitor.post("/new", files=[("files", file) for file in files]).headers["location"]
    assert ["a.csv", "a.yaml", "my-b.csv"] == sorted(path.name for path in stage.settings.inbox.iterdir())
    again = visitor.post("/new", files=[("files", file) for file in (("c.csv", CSV), ("a.csv", CSV))])
    assert 409 == again.status_code
    assert "c.csv" not in {path.name for path in stage.settings.inbox.iterdir()}
    assert [] == _uploads(stage)


def test_a_spec_alone_goes_into_the_inbox(stage):
    """Its table may be there, or come later."""
    assert 303 == stage.open().post("/new", files=[("files", ("a.yaml", b"x: 1"))]).status_code
    assert b"x: 1" == (stage.settings.inbox / "a.yaml").read_bytes()


def test_examples_go_along_with_the_spec_that_names_them(stage):
    """A file of examples lies beside the spec, in the browser as in the folder."""
    spec = b"description: d\nlabels: [good, bad]\nexamples: few.json\n"
    examples = b'[["a good one", "good"]]'
    files = [("reviews.csv", CSV), ("reviews.yaml", spec), ("few.json", examples)]
    visitor = stage.open()
    where = visitor.post("/new", files=[("files", file) for file in files]).headers["location"]
    assert 303 == visitor.post(f"{where}/start", {"spec_text": spec.decode()}).status_code
    assert examples == (stage.settings.inbox / "few.json").read_bytes()
    assert {"few.json", "reviews.csv", "reviews.yaml"} == {path.name for path in stage.settings.inbox.iterdir()}


def test_the_page_says_how_the_file_was_read(stage):
    """Encoding, delimiter and rows, and the values of the column of true labels as labels to start from."""
    content = "id;text;kategorie\n" + "".join(
        f"{n};der Käse Nummer {n} war es;{'gut' if n % 3 else 'schlecht'}\n" for n in range(156)
    )
    visitor = stage.open()
    page = visitor.get(_upload(visitor, content.encode("cp1252")).headers["location"]).text
    assert "Read as cp1252, semicolons, 156 rows." in page
    assert 'required placeholder="positive: the customer is satisfied' in page
    assert ">gut\nschlecht</textarea>" in page
    assert 'data-values="gut\nschlecht"' in page


def test_a_line_further_down_that_cannot_be_read_is_said_beside_the_rows_that_can(stage):
    """Before anything is asked."""
    content = b"a,b\n" + b"x,1\n" * 100 + b"x,1,2,3\n"
    visitor = stage.open()
    page = visitor.get(_upload(visitor, content).headers["location"]).text
    assert "The table cannot be read" in page
    assert "line 102" in page
    assert "<td>x</td>" in page


def test_language_model_rounds_student_and_cap_reach_the_spec(stage):
    """What is left empty is left out; numbers are numbers."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    more = {"iterations": "2", "llm_provider": "local", "student_mode": "frozen", "llm_model": "", "budget_usd": ""}
    assert 303 == visitor.post(f"{where}/start", FORM | more).status_code
    spec = yaml.safe_load((stage.settings.inbox / "reviews.yaml").read_text())
    assert (2, {"provider": "local"}, {"mode": "frozen"}) == (spec["iterations"], spec["llm"], spec["student"])
    assert "budget_usd" not in spec


def test_what_was_sent_once_is_there_after_a_reload(stage):
    """Also where it was wrong."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    assert 422 == visitor.post(f"{where}/start", FORM | {"labels": "only", "iterations": "7"}).status_code
    page = visitor.get(where).text
    assert "Is the customer satisfied?" in page
    assert ">only</textarea>" in page
    assert 'name="iterations" inputmode="numeric" value="7"' in page


def test_a_waiting_table_is_described_where_it_waits(stage):
    """It stays where it is; its spec comes beside it, under the name it waits for."""
    table = stage.settings.inbox / "My Mails.csv"
    table.write_bytes(CSV)
    stage.waiting = (Waiting("My Mails.csv", "no spec", lacks_spec=True), Waiting("other.csv", "is empty so far"))
    visitor = stage.open()
    assert 1 == visitor.get("/").text.count('formaction="/waiting"')
    where = visitor.post("/waiting", {"name": "My Mails.csv"}).headers["location"]
    page = visitor.get(where).text
    assert "good thing" in page
    assert 'value="My-Mails"' in page
    assert 303 == visitor.post(f"{where}/start", FORM | {"name": "mails"}).status_code
    assert ["My Mails.csv", "My Mails.yaml"] == sorted(path.name for path in stage.settings.inbox.iterdir())
    assert CSV == table.read_bytes()
    assert "mails" == yaml.safe_load((stage.settings.inbox / "My Mails.yaml").read_text())["name"]


@pytest.mark.parametrize("name", ["other.csv", "../secret.csv", ""])
def test_only_a_file_that_waits_for_its_spec_is_described(stage, name):
    """A name from outside never becomes a path."""
    stage.waiting = (Waiting("other.csv", "is empty so far"),)
    assert 409 == stage.open().post("/waiting", {"name": name}).status_code
    assert [] == _uploads(stage)


TAGS = b"text,tags\n" + b"".join(
    b"message number %d came here,%s\n" % (number, tags)
    for number, tags in enumerate([b"refund|angry", b"refund", b"broken|angry", b"(none)", b"broken", b"angry"] * 4)
)


def _spec_of(stage, where, form):
    assert 303 == stage.visitors[-1].post(f"{where}/start", form).status_code
    return yaml.safe_load((stage.settings.inbox / f"{form['name']}.yaml").read_text())


def test_cells_that_hold_several_labels_are_proposed_as_several(stage):
    """With the sign between them, and each label by itself; what nobody changed becomes a spec that can be read."""
    visitor = stage.open()
    where = _upload(visitor, TAGS).headers["location"]
    page = visitor.get(where).text
    assert re.search(r'<option value="multi"[^>]* selected>', page)
    assert ">angry\nbroken\nrefund</textarea>" in page
    assert 'data-values="angry\nbroken\nrefund" data-kind="multi" data-separator="|"' in page
    assert 'name="label_separator" value="|"' in page
    assert "Cells of tags hold several labels with <code>|</code> between them." in page
    assert ["text"] == re.findall(r'name="text_columns" value="(\w+)" checked', page)
    sent = {"labels": "angry\r\nbroken\r\nrefund", "kind": "multi", "label_separator": "|", "label_column": "tags"}
    spec = _spec_of(stage, where, FORM | sent | {"text_columns": ["text"], "id_column": ""})
    assert ("multi", ["angry", "broken", "refund"], "tags", "|") == tuple(
        spec[key] for key in ("kind", "labels", "label_column", "label_separator")
    )


def test_a_sign_that_is_not_needed_stays_out_of_the_spec(stage):
    """Without several labels, and without a column of true ones, there is nothing between them."""
    visitor = stage.open()
    for kind, column in (("single", "truth"), ("multi", "")):
        where = _upload(visitor).headers["location"]
        sent = {"kind": kind, "label_column": column, "label_separator": "|", "name": f"for-{kind}"}
        spec = _spec_of(stage, where, FORM | sent)
        assert "label_separator" not in spec
        assert ("kind" in spec) == (kind == "multi")


@pytest.mark.parametrize(
    "typed",
    [
        "billing: about money\r\n  refund: wants it back\r\n  late\r\n\r\nother: the rest",
        "- billing: about money\r\n\t- refund: wants it back\r\n\t- late\r\n- other: the rest",
    ],
)
def test_a_tree_is_written_with_what_is_below_indented(stage, typed):
    """By blanks or tabs, with or without a dash; branches may have meanings."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    spec = _spec_of(stage, where, FORM | {"kind": "tree", "labels": typed})
    billing = {"meaning": "about money", "labels": [{"refund": "wants it back"}, "late"]}
    assert ("tree", [{"billing": billing}, {"other": "the rest"}]) == (spec["kind"], spec["labels"])


def test_a_tree_is_written_as_paths(stage):
    """As the column of true labels holds them, which is proposed as a tree."""
    visitor = stage.open()
    paths = [b"billing / refund", b"billing / late", b"technical / login"]
    content = b"text,label\n" + b"".join(b"message %d came,%s\n" % (number, paths[number % 3]) for number in range(9))
    where = _upload(visitor, content).headers["location"]
    page = visitor.get(where).text
    assert re.search(r'<option value="tree"[^>]* selected>', page)
    assert ">billing / late\nbilling / refund\ntechnical / login</textarea>" in page
    sent = {"kind": "tree", "labels": "billing / refund: back\r\nbilling / late\r\ntechnical / login"}
    spec = _spec_of(stage, where, FORM | sent | {"text_columns": ["text"], "label_column": "label", "id_column": ""})
    assert {"billing / refund": "back", "billing / late": "", "technical / login": ""} == spec["labels"]


def test_numbers_are_sorted_and_proposed_as_an_order_but_not_taken_for_one(stage):
    """They may be codes; who chose the order is not asked again."""
    visitor = stage.open()
    content = b"text,label\n" + b"".join(b"meal %d was so,%d\n" % (number, 5 - number % 5) for number in range(20))
    where = _upload(visitor, content).headers["location"]
    page = visitor.get(where).text
    assert ">1\n2\n3\n4\n5</textarea>" in page
    assert re.search(r'<option value="single"[^>]* selected>', page)
    assert "These labels are numbers." in page
    sent = {"kind": "ordinal", "labels": "1: bad\r\n2\r\n3", "label_column": "label", "id_column": ""}
    answer = visitor.post(f"{where}/start", FORM | sent | {"text_columns": ["text"], "description": ""})
    assert 422 == answer.status_code
    assert re.search(r'<option value="ordinal"[^>]* selected>', answer.text)
    assert "These labels are numbers." not in visitor.get(where).text
    spec = _spec_of(stage, where, FORM | sent | {"text_columns": ["text"]})
    assert ("ordinal", {"1": "bad", "2": "", "3": ""}) == (spec["kind"], spec["labels"])


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"kind": "tree"}, "no label lies within another"),
        ({"kind": "tree", "labels": "a\n  b\n  b"}, "stands twice"),
        ({"kind": "multi", "pilot": "200"}, "pilot"),
        ({"kind": "multi", "student_mode": "finetune"}, "finetune is made for texts of one label"),
        ({"kind": "multi", "label_separator": "x"}, "must be one character"),
        ({"kind": "many"}, "kind"),
    ],
)
def test_what_does_not_go_with_a_kind_is_said(stage, sent, says):
    """By the reader of specs, beside what was typed."""
    visitor = stage.open()
    where = _upload(visitor).headers["location"]
    answer = visitor.post(f"{where}/start", FORM | sent)
    assert 422 == answer.status_code
    assert says in answer.text
    assert [] == list(stage.settings.inbox.iterdir())


@pytest.mark.slow
def test_the_first_prompt_and_the_cost_are_shown(stage):
    """Counted by a process of its own, with the real loop."""
    llm = stage.settings.llm.model_copy(update={"provider": "local"})
    stage.settings = stage.settings.model_copy(update={"llm": llm})
    visitor = stage.open()
    content = b"text\n" + b"".join(b"a good thing number %d\n" % number for number in range(30))
    where = _upload(visitor, content).headers["location"]
    answer = visitor.post(f"{where}/look", FORM | {"text_columns": ["text"], "label_column": "", "id_column": ""})
    assert 200 == answer.status_code
    assert "The first prompt" in answer.text
    assert "a good thing number" in answer.text.partition("<pre")[2]
    assert [] == list(stage.settings.inbox.iterdir())
