"""Spelling by the dictionaries of the extra `grammar`, and what it must leave alone."""

import sys

import pytest

from handlers.messages.quality import Language
from handlers.messages.rules import spelling
from handlers.messages.rules.plain_text import PlainText
from handlers.messages.rules.spelling import Spelling, load_spelling


@pytest.fixture(scope="module")
def dictionaries() -> Spelling:
    loaded = load_spelling()
    assert loaded is not None, "the extra `grammar` belongs to the dev group"
    return loaded


def unknown(dictionaries: Spelling, text: str, language: Language, known: frozenset[str] = frozenset()) -> list[str]:
    return [text[slip.start : slip.end] for slip in dictionaries.find(PlainText.of(text), language, known)]


def test_words_of_no_dictionary_are_found(dictionaries: Spelling) -> None:
    assert unknown(dictionaries, "o pagametno do cliemte foi aprovado", "pt-BR") == ["pagametno", "cliemte"]
    assert unknown(dictionaries, "we recieved the neagtive feedback of the custumer", "en") == [
        "recieved",
        "neagtive",
        "custumer",
    ]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("rapido", "rápido"),
        ("funçao", "função"),
        ("solucoes", "soluções"),
        ("nâo", "não"),
        ("garantía", "garantia"),
        ("eletrodomestico", "eletrodoméstico"),
    ],
)
def test_where_only_accents_are_wrong_the_reason_says_how_it_is_written(
    dictionaries: Spelling, wrong: str, right: str
) -> None:
    [slip] = dictionaries.find(PlainText.of(f"isso {wrong} aqui"), "pt-BR")
    assert slip.kind == "accent"
    assert right in slip.reason.pt
    assert right in slip.reason.en


@pytest.mark.parametrize(
    "text",
    [
        "fala com a Jhenyfer da Aurorex amanhã",
        "Jhenyfer, seu pedido chegou",
        "maria mora em campinas, no cambuí",
        "o modelo xk2000 sai por 10x no abc-123",
        "veja em www.lojazinhax.com.br/prodx ou fale com vendazx@example.com @lojazinhax #promox",
        "o <CPF_1> e o <NOMEX_2> conferem",
        "oiii, muuuito bommm kkkkk rsrsrs hahaha ahahah",
        "o smartphone tem wi-fi, hdmi e full-hd, com design slim e touch screen",
        "vc q sabe, blz? tb acho q sim",
        "guarda-roupa, pré-venda, pós-venda e segunda-feira",
    ],
)
def test_names_codes_links_loan_words_and_chat_are_no_slips_of_portuguese(dictionaries: Spelling, text: str) -> None:
    assert unknown(dictionaries, text, "pt-BR") == []


@pytest.mark.parametrize(
    "text",
    [
        "we'll send it to Jhenyfer of Aurorex today",
        "ten instalments of the colour that you favour, cancelled or organised in the centre",
        "ten installments of the color that you favor, canceled or organized in the center",
        "the xk2000 is on www.lojazinhax.com and @lojazinhax",
        "lol thx, i'll dm u the pics asap, gonna be greaaat",
        "the caipirinha and the brigadeiro are on us",
    ],
)
def test_names_dialects_and_chat_are_no_slips_of_english(dictionaries: Spelling, text: str) -> None:
    assert unknown(dictionaries, text, "en") == []


def test_a_message_in_capitals_is_read_too(dictionaries: Spelling) -> None:
    assert unknown(dictionaries, "O PAGAMETNO FOI APROVADO", "pt-BR") == ["PAGAMETNO"]
    assert unknown(dictionaries, "o PAGAMETNO foi aprovado", "pt-BR") == []


def test_words_that_the_tenant_knows_are_right(dictionaries: Spelling) -> None:
    assert unknown(dictionaries, "o zaztras chegou", "pt-BR") == ["zaztras"]
    assert unknown(dictionaries, "o zaztras chegou", "pt-BR", frozenset({"zaztras"})) == []


def test_a_text_of_nothing_but_unknown_words_is_not_searched_to_its_end(dictionaries: Spelling) -> None:
    text = " ".join(f"{first}{second}zqt" for first in "bcdfg" for second in "aeiou")
    assert 0 < len(unknown(dictionaries, text, "pt-BR")) <= 10


def test_the_dictionaries_are_loaded_once(dictionaries: Spelling) -> None:
    assert load_spelling() is dictionaries


@pytest.mark.parametrize("missing", ["harper", "hunspell"])
def test_without_the_extra_there_are_no_dictionaries(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert spelling._load.__wrapped__() is None
