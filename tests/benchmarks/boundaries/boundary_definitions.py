"""Answers to boundary questions, written by hand from what the data sets' makers say of their labels (Li and Roth 2002
for TREC, AG's topics, Pang and Lee 2005), before any of them was tried. By data set and pair: label -> what it is, and
what it is not because that belongs to the other label."""

from __future__ import annotations

from collections.abc import Mapping

Answer = tuple[str, str]

_TREC: Mapping[tuple[str, str], tuple[Answer, Answer]] = {
    ("abbreviation", "entity"): (
        ("a question for the words behind an acronym, or for the acronym of something", "the name of a thing"),
        ("a question for which thing, animal, product or term it is", "what letters stand for"),
    ),
    ("abbreviation", "description"): (
        ("a question what an acronym or initials stand for", "what an ordinary word means"),
        ("a question what a word means or what something is", "what initials stand for"),
    ),
    ("abbreviation", "human"): (
        ("a question what letters stand for, even those of an organisation", ""),
        ("a question who somebody is or which organisation", "what the letters of its name stand for"),
    ),
    ("abbreviation", "location"): (
        ("a question what the letters of a place stand for", ""),
        ("a question where or which place", "what letters stand for"),
    ),
    ("abbreviation", "number"): (
        ("a question what letters stand for, units among them", ""),
        ("a question how much, how many or when", "what the letters of a unit stand for"),
    ),
    ("entity", "description"): (
        (
            "a question answered by the name of a thing: what animal, which film, what do you call",
            "what is X, why, how",
        ),
        ("a question answered by a sentence: what is X, what does X mean, why, how does one", "what a thing is called"),
    ),
    ("entity", "human"): (
        ("a question for a thing, book, film, product, animal, language or event", "a company, team, band or person"),
        ("a question for a person, a title, a company, a team or another group", "a thing that people made"),
    ),
    ("entity", "location"): (
        ("a question for a thing or event, though a place is named in it", "which country, city, river or mountain"),
        ("a question answered by a place: where, which city, country, state, river, mountain", "a thing found there"),
    ),
    ("entity", "number"): (
        ("a question for which thing, also which colour, currency or sport", "how many, how long, what year"),
        ("a question for a figure: how many, how much, what year, what date, what percentage", "which thing"),
    ),
    ("description", "human"): (
        ("a question why somebody is known, what they did or how", "the name of a person"),
        ("a question who, or who somebody is", "why or how they did it"),
    ),
    ("description", "location"): (
        ("a question why or how something is so at a place", "where it is"),
        ("a question answered by the name of a place", "what a place is like, or why"),
    ),
    ("description", "number"): (
        ("a question why, how something works, or what something is", "how many, how much, how far, when"),
        ("a question how many, how much, how long, how far, how old, when", "how something is done"),
    ),
    ("human", "location"): (
        ("a question for a person, company or team, though a place is named", "which place"),
        ("a question where or which place, though a person is named", "who lives there"),
    ),
    ("human", "number"): (
        ("a question who", "how many people"),
        ("a question how many people, how old somebody is, when they lived", "who they are"),
    ),
    ("location", "number"): (
        ("a question where", "how far, how high, how many"),
        ("a question how far, how large, how many people live there", "which place"),
    ),
}
_AGNEWS: Mapping[tuple[str, str], tuple[Answer, Answer]] = {
    ("world", "sports"): (
        ("about governments, wars, elections, disasters or crime", "matches, athletes and the Olympic games"),
        ("about matches, athletes, transfers and the Olympic games, wherever they take place", "politics"),
    ),
    ("world", "business"): (
        ("about what governments and armed groups do", "prices, oil markets, shares, deals and trade figures"),
        ("about companies, shares, oil prices, currencies and the economy of any country", "elections and attacks"),
    ),
    ("world", "science and technology"): (
        ("about politics, conflict and disasters", "space flight, climate research, medicine and computers"),
        ("about research, space, nature, computers and the internet, of any country", "politics"),
    ),
    ("sports", "business"): (
        ("about play: results, athletes, coaches and teams", "the sale of a club or its shares"),
        ("about money: earnings, takeovers and contracts of companies", "contracts of players"),
    ),
    ("sports", "science and technology"): (
        ("about athletes and matches", "video games and devices"),
        ("about software, devices, video games and research", "matches that people play on a field"),
    ),
    ("business", "science and technology"): (
        ("about money: earnings, jobs, shares, lawsuits and takeovers, of technology companies too", "a new product"),
        ("about a product, software, the internet, security holes or research, whoever makes it", "quarterly results"),
    ),
}
_MR: Mapping[tuple[str, str], tuple[Answer, Answer]] = {
    ("positive", "negative"): (
        ("praise on the whole: the verdict is that it is worth seeing, whatever small faults it names", "faint praise"),
        ("blame on the whole: the verdict is that it fails, though it begins with a good word", "a sad but good film"),
    ),
}
DEFINITIONS: Mapping[str, Mapping[tuple[str, str], tuple[Answer, Answer]]] = {
    "trec": _TREC,
    "agnews": _AGNEWS,
    "mr": _MR,
}


def answer(data_set: str, between: tuple[str, str]) -> dict[str, dict[str, str]]:
    """The answer to the question between two labels, as it stands in boundaries.yaml. Raises `KeyError`."""
    first, second = between
    known = DEFINITIONS[data_set]
    sides = known[between] if between in known else known[second, first][::-1]
    return {
        label: {"is": is_, "is_not": is_not, "goes_to": other}
        for label, other, (is_, is_not) in ((first, second, sides[0]), (second, first, sides[1]))
    }
