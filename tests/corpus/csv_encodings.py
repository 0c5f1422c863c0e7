"""Encodings, with and without a mark."""

# ruff: noqa: RUF001 - odd characters are what these cases are about

from __future__ import annotations

from csv_case import reads, refuses

_SAID = [["1", "Größe stimmt nicht, schade"], ["2", "Très déçu, l'écran était cassé"]]
_WEST = "id;text\n1;Größe stimmt nicht, schade\n2;Très déçu, l'écran était cassé\n"
_RUSSIAN = [["1", "Товар пришёл сломанный"], ["2", "Всё отлично, очень доволен покупкой"]]
_CYRILLIC = "id;text\n1;Товар пришёл сломанный\n2;Всё отлично, очень доволен покупкой\n"
_CZECH = [["1", "Výrobek dorazil rozbitý a prodejce neodpovídá"], ["2", "Příliš žluťoučký kůň úpěl"]]
_JAPANESE = [["1", "この製品は素晴らしいです"], ["2", "届いた時に壊れていました"]]
_CHINESE = [["1", "这个产品非常好"], ["2", "收到的时候已经坏了，客服不回复"]]
_TAIWAN = [["1", "這個產品非常好"], ["2", "收到的時候已經壞了，客服不回覆"]]
_KOREAN = [["1", "제품이 아주 좋습니다"], ["2", "도착했을 때 고장나 있었습니다"]]
_GREEK = [["1", "Το προϊόν είναι πολύ καλό"], ["2", "Έφτασε σπασμένο"]]
_TURKISH = [["1", "Ürün çok güzel, teşekkürler"], ["2", "Kırık geldi, iade ettim, şikayetçiyim"]]
_ARABIC = [["1", "المنتج ممتاز جدا"], ["2", "وصل مكسورا"]]
_LATE = "id,text\n" + "".join(f"{number},plain text of a row\n" for number in range(20_000))
_LATE_ROWS = [[str(number), "plain text of a row"] for number in range(20_000)]


def _table(rows):
    return "id;text\n" + "".join(f"{number};{text}\n" for number, text in rows)


CASES = (
    reads("utf-8 without a mark", _WEST, "id text", _SAID, guesses=0),
    reads("utf-8 with a mark", _WEST, "id text", _SAID, encoding="utf-8-sig", guesses=0),
    reads("utf-8 with two marks", "\ufeff\ufeffid,text\n1,a\n", "id text", [["1", "a"]]),
    reads("utf-8 with a mark, told utf-8", "\ufeffid,text\n1,a\n", "id text", [["1", "a"]], told={"encoding": "utf-8"}),
    reads("a mark before a quoted name", '\ufeff"id",text\n1,a\n', "id text", [["1", "a"]]),
    reads("utf-16 with a mark", _WEST, "id text", _SAID, encoding="utf-16"),
    reads("utf-16 big-endian with a mark", "\ufeff" + _WEST, "id text", _SAID, encoding="utf-16-be"),
    reads("utf-16 little-endian without a mark", _WEST, "id text", _SAID, encoding="utf-16-le", guesses=1),
    reads("utf-16 big-endian without a mark", _WEST, "id text", _SAID, encoding="utf-16-be", guesses=1),
    reads(
        "utf-16 of Cyrillic, told", _CYRILLIC, "id text", _RUSSIAN, encoding="utf-16-le", told={"encoding": "utf-16-le"}
    ),
    reads(
        "utf-16 tab-separated, as Excel saves Unicode text",
        "id\ttext\r\n1\té\r\n",
        "id text",
        [["1", "é"]],
        encoding="utf-16",
    ),
    reads("utf-16 with an emoji", "id,text\n1,🎉\n", "id text", [["1", "🎉"]], encoding="utf-16"),
    reads("utf-32 with a mark", _WEST, "id text", _SAID, encoding="utf-32"),
    reads("utf-32 little-endian without a mark", "id,text\n1,abc\n", "id text", [["1", "abc"]], encoding="utf-32-le"),
    reads("windows-1252", _WEST, "id text", _SAID, encoding="cp1252", guesses=1),
    reads(
        "windows-1252 with the euro and curly quotes",
        "id;text\n1;“für 5 €”\n2;schöne Grüße\n",
        "id text",
        [["1", "“für 5 €”"], ["2", "schöne Grüße"]],
        encoding="cp1252",
    ),
    reads(
        "latin-1 with one letter beyond ascii",
        "id,text\n1,ok\n2,café\n",
        "id text",
        [["1", "ok"], ["2", "café"]],
        encoding="latin-1",
    ),
    reads(
        "latin-1 with the letter in the header only", "id,größe\n1,ok\n", "id größe", [["1", "ok"]], encoding="latin-1"
    ),
    reads("latin-1, told", _WEST, "id text", _SAID, encoding="latin-1", told={"encoding": "latin-1"}, guesses=0),
    reads("windows-1250 of Czech", _table(_CZECH), "id text", _CZECH, encoding="cp1250"),
    reads("windows-1251 of Russian", _CYRILLIC, "id text", _RUSSIAN, encoding="cp1251"),
    reads("koi8-r of Russian, told", _CYRILLIC, "id text", _RUSSIAN, encoding="koi8-r", told={"encoding": "koi8-r"}),
    reads("windows-1253 of Greek", _table(_GREEK), "id text", _GREEK, encoding="cp1253"),
    reads("windows-1254 of Turkish", _table(_TURKISH), "id text", _TURKISH, encoding="cp1254"),
    reads("windows-1256 of Arabic", _table(_ARABIC), "id text", _ARABIC, encoding="cp1256"),
    reads("shift-jis", _table(_JAPANESE), "id text", _JAPANESE, encoding="cp932"),
    reads(
        "shift-jis with a backslash as a second byte",
        "id,text\n1,表示は十分です\n",
        "id text",
        [["1", "表示は十分です"]],
        encoding="cp932",
        told={"encoding": "shift_jis"},
    ),
    reads("euc-jp", _table(_JAPANESE), "id text", _JAPANESE, encoding="euc-jp"),
    reads("gb18030", _table(_CHINESE), "id text", _CHINESE, encoding="gb18030"),
    reads("big5", _table(_TAIWAN), "id text", _TAIWAN, encoding="big5"),
    reads("euc-kr", _table(_KOREAN), "id text", _KOREAN, encoding="euc-kr"),
    reads(
        "mac roman",
        _table([["1", "L’écran était cassé à l’arrivée, très déçu"]]),
        "id text",
        [["1", "L’écran était cassé à l’arrivée, très déçu"]],
        encoding="mac-roman",
    ),
    reads("cp850, told", _WEST, "id text", _SAID, encoding="cp850", told={"encoding": "cp850"}),
    reads(
        "utf-8 whose first letter beyond ascii comes at the end",
        _LATE + "x,é\n",
        "id text",
        [*_LATE_ROWS, ["x", "é"]],
        guesses=0,
    ),
    reads(
        "latin-1 whose first letter beyond ascii comes at the end",
        _LATE + "x,Größe für Mädchen\n",
        "id text",
        [*_LATE_ROWS, ["x", "Größe für Mädchen"]],
        encoding="latin-1",
    ),
    refuses(
        "utf-8 with one damaged byte",
        "id,text\n1,Grüße\n2,schöne Äpfel\n".encode() + b"3,\xe4h\n4,ok\n",
        r"is UTF-8 but for byte 38",
        4,
    ),
    refuses(
        "utf-8 cut off within a letter",
        "id,text\n1,Grüße\n2,schöne Äpfel und\n3,ü".encode()[:-1],
        r"is UTF-8 but for byte",
        4,
    ),
    refuses(
        "told utf-8, is latin-1",
        "id,text\n1,ok\n2,caf\xe9\n",
        r"is not utf-8 text: byte 19 \(e9\)",
        3,
        encoding="latin-1",
        told={"encoding": "utf-8"},
    ),
    refuses("told utf-16, without a mark", b"a", "is not utf-16 text", 1, told={"encoding": "utf-16"}),
    refuses("told utf-16, an odd number of bytes", b"abc", "is not utf-16 text", 1, told={"encoding": "utf-16"}),
    refuses("told ascii, is utf-8", "id,text\n1,é\n", r"is not ascii text: byte 11", 2, told={"encoding": "ascii"}),
    refuses(
        "told an encoding that does not exist",
        "id,text\n1,a\n",
        r"encoding 'utf-9' is not known",
        told={"encoding": "utf-9"},
    ),
    refuses(
        "told a codec that is no encoding",
        "id,text\n1,a\n",
        r"encoding 'rot13' is not known",
        told={"encoding": "rot13"},
    ),
    refuses(
        "hebrew that could be Greek or Russian",
        "id,text\n1,המוצר מצוין ואני מרוצה\n2,הגיע שבור\n",
        r"which encoding it is in cannot be told",
        2,
        encoding="cp1255",
    ),
    reads(
        "hebrew, told",
        "id,text\n1,הגיע שבור\n",
        "id text",
        [["1", "הגיע שבור"]],
        encoding="cp1255",
        told={"encoding": "cp1255"},
    ),
    refuses("utf-16 cut off within a letter", "id,text\n1,ab\n".encode("utf-16")[:-1], r"is not utf-16-le text", 2),
)
