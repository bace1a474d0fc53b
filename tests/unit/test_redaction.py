"""What a model may see of a message: known data and generated ones, look-alikes, and texts made to hurt."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from time import thread_time

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from handlers.messages.redaction.redactor import MAX_CHARACTERS, Redactor

PLACEHOLDER = re.compile(r"<[A-Z_]+_[0-9]+>")


def redact(text: str) -> str:
    return Redactor().redact(text)


def kinds(text: str) -> dict[str, int]:
    redactor = Redactor()
    redactor.redact(text)
    return redactor.counts


def digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


# Check digits, computed here by the rules of the authorities.


def mod11(values: list[int], weights: range) -> int:
    rest = sum(value * weights[at % len(weights)] for at, value in enumerate(reversed(values))) % 11
    return 0 if rest < 2 else 11 - rest


def with_check_digits(body: str, weights: range) -> str:
    for _ in range(2):
        body += str(mod11([ord(character) - 48 for character in body], weights))
    return body


def make_cpf(body: str) -> str:
    return with_check_digits(body, range(2, 12))


def make_cnpj(body: str) -> str:
    return with_check_digits(body, range(2, 10))


def make_card(body: str) -> str:
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(body))]
    return body + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


# Known data, one by one


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("meu cpf é 529.982.247-25, ok?", "meu cpf é <CPF_1>, ok?"),
        ("CPF52998224725", "CPF<CPF_1>"),
        ("529 982 247 25", "<CPF_1>"),
        ("5 2 9 9 8 2 2 4 7 2 5", "<CPF_1>"),
        ("529 . 982 . 247 - 25", "<CPF_1>"),
        ("529,982,247_25", "<CPF_1>"),
        ("(529.982.247–25)", "(<CPF_1>)"),
        ("５２９．９８２．２４７－２５", "<CPF_1>"),
        ("529\u200b.982\u2060.247\u00ad-25", "<CPF_1>"),
        ("𝟓𝟐𝟗.𝟗𝟖𝟐.𝟐𝟒𝟕-𝟐𝟓", "<CPF_1>"),
        ("٥٢٩٩٨٢٢٤٧٢٥", "<CPF_1>"),
        ("5️⃣2️⃣9️⃣982247 25!", "<CPF_1>!"),
        ("CNPJ 11.222.333/0001-81", "CNPJ <CNPJ_1>"),
        ("11222333000181", "<CNPJ_1>"),
        ("12.ABC.345/01DE-35", "<CNPJ_1>"),
        ("12abc34501de35", "<CNPJ_1>"),
        ("12. ABC.345 /01DE–35", "<CNPJ_1>"),
        ("RG 12.345.678-9 SSP/SP", "RG <RG_1> SSP/SP"),
        ("rg: 12345678x", "rg: <RG_1>"),
        ("identidade nº MG-12.345.678", "identidade nº <RG_1>"),
        ("meu documento: 12.345.678-X", "meu documento: <RG_1>"),
        ("o CEP é 01310-100.", "o CEP é <CEP_1>."),
        ("SP-01.310-100, casa 3", "SP-<CEP_1>, casa 3"),
        ("cep 01310 100", "cep <CEP_1>"),
        ("liga no (11) 98765-4321", "liga no <PHONE_1>"),
        ("zap11987654321", "zap<PHONE_1>"),
        ("+55 (11) 9.8765-4321", "<PHONE_1>"),
        ("5511987654321", "<PHONE_1>"),
        ("(0xx11) 3344-5566", "<PHONE_1>"),
        ("1133445566", "<PHONE_1>"),
        ("98765-4321 ou 3344-5566", "<PHONE_1> ou <PHONE_2>"),
        ("fone: 33445566", "fone: <PHONE_1>"),
        ("+351 912 345 678", "<PHONE_1>"),
        ("00351 912345678", "<PHONE_1>"),
        ("call (415) 555-2671 please", "call <PHONE_1> please"),
        ("Ana.Silva+loja@Gmail.com.", "<EMAIL_1>."),
        ("joão@exemplo.com.br", "<EMAIL_1>"),
        ("ana @ gmail . com", "<EMAIL_1>"),
        ("ana arroba hotmail ponto com", "<EMAIL_1>"),
        ("ana at example dot com", "<EMAIL_1>"),
        ("ana@gmail", "<EMAIL_1>"),
        ("cartão 4111 1111 1111 1111, 12/30", "cartão <CARD_1>, 12/30"),
        ("3782-822463-10005", "<CARD_1>"),
        ("6362970000457013", "<CARD_1>"),
        ("chave 123e4567-e89b-42d3-a456-426614174000", "chave <PIX_KEY_1>"),
        ("123E4567E89B42D3A456426614174000", "<PIX_KEY_1>"),
        ("chave pix: 123e4567-e89b-42d3", "chave pix: <PIX_KEY_1>"),
        ("pix é 12345678", "pix é <PIX_KEY_1>"),
        ("https://loja.com/volta?token=abc", "<URL_1>"),
        ("www.loja.com/x#access_token=abc.", "<URL_1>."),
        ("https://ana:senha@loja.com/", "<URL_1>"),
        ("(loja.com/reset/8f3a9c2b1d4e5f60)", "(<URL_1>)"),
        ("https://wa.me/5511987654321", "https://wa.me/<PHONE_1>"),
        ("agência 1234-5, conta 12.345-6", "agência <BANK_ACCOUNT_1>, conta <BANK_ACCOUNT_2>"),
        ("conta corrente 1234567", "conta corrente <BANK_ACCOUNT_1>"),
        ("34191.79001 01043.510047 91020.150008 5 84410026000000", "<PAYMENT_SLIP_1>"),
    ],
)
def test_a_datum_is_replaced_and_nothing_around_it(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_a_copied_pix_payload_is_replaced_whole_with_the_names_in_it() -> None:
    payload = (
        "00020126360014br.gov.bcb.pix0114+5511943214321520400005303986540566.66"
        "5802BR5909ANA SILVA6009SAO PAULO62070503***6304170E"
    )
    assert redact(f"paga aqui: {payload} obrigada") == "paga aqui: <PIX_KEY_1> obrigada"
    damaged = payload.replace("ANA SILVA", "ANA  SILVA")
    assert redact(f"paga aqui: {damaged} obrigada") == "paga aqui: <PIX_KEY_1> obrigada"


@pytest.mark.parametrize(
    "text",
    [
        "529.982.247-26",
        "11.222.333/0001-82",
        "12.ABC.345/01DE-36",
        "4111 1111 1111 1112",
        "5299822472",
        "5299822472500",
        "00000-000",
        "20987654321",
        "+999 12 345 678",
        "R$ 1.299,90 em 10x de R$ 129,99",
        "12/03/2025 às 14:30, de 2023-2024",
        "entre 2500-3000 reais, 35.000 km, 120x80x75 cm",
        "pedido nº 1133445566, protocolo: 20250312001234",
        "rastreio BR123456789BR, SKU 48213-77",
        "versão 8.4.25.906 em 192.168.0.1",
        "me conta: 2000 na conta de luz, cc 2018",
        "vendas10produtos, parcelamento10",
        "@loja.oficial no insta, olha @ me",
        "https://loja.com.br/sofas/sofa-3-lugares?utm_source=insta&page=2#medidas",
        "https://medium.com/@loja/como-escolher-um-sofa",
        "Ana Maria Braga, Rua das Flores, 123, apto 45, Moema",
        "5 estrelas!!! 🛋️ kkkkkk 10/10",
        "",
    ],
)
def test_what_only_looks_like_a_datum_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [("cpf: 529.982.247-26", "cpf"), ("CNPJ é 11.222.333/0001-82", "cnpj"), ("meu CPF 529982247", "cpf")],
)
def test_a_mistyped_document_called_by_its_name_is_somebodys_all_the_same(text: str, kind: str) -> None:
    assert kinds(text) == {kind: 1}


# Placeholders


def test_equal_data_bear_one_placeholder_however_they_are_written_and_in_all_texts() -> None:
    redactor = Redactor()
    assert redactor.redact("529.982.247-25 e 111.444.777-35") == "<CPF_1> e <CPF_2>"
    assert redactor.redact("111 444 777 35, ５２９98224725") == "<CPF_2>, <CPF_1>"
    assert redactor.redact("(11) 98765-4321 = +55 11 987654321 = 011 98765.4321") == "<PHONE_1> = <PHONE_1> = <PHONE_1>"
    assert redactor.redact("Ana@X.com, ana @ x . com") == "<EMAIL_1>, <EMAIL_1>"
    assert redactor.redact("12.ABC.345/01DE-35 12abc34501de35") == "<CNPJ_1> <CNPJ_1>"


def test_replacements_are_counted_by_kind_in_a_set_order() -> None:
    redactor = Redactor()
    redactor.redact("ana@x.com, 01310-100, 529.982.247-25")
    redactor.redact("de novo: ana@x.com")
    assert list(redactor.counts.items()) == [("cpf", 1), ("cep", 1), ("email", 2)]
    assert Redactor().counts == {}


def test_redactors_share_nothing() -> None:
    assert redact("529.982.247-25") == redact("111.444.777-35") == "<CPF_1>"


def test_a_placeholder_that_somebody_typed_is_never_given_to_a_datum() -> None:
    assert redact("<CPF_1> é 529.982.247-25") == "<CPF_1> é <CPF_2>"
    assert redact("＜CPF\u200b_01＞ é 529.982.247-25") == "＜CPF\u200b_01＞ é <CPF_2>"
    texts = "529.982.247-25", "isto é <CPF_1>, <CPF_2> e <CEP_1>", "111.444.777-35"
    redactor = Redactor(texts)
    assert [redactor.redact(text) for text in texts] == ["<CPF_3>", texts[1], "<CPF_4>"]
    assert redactor.counts == {"cpf": 2}


def test_no_number_hides_in_what_looks_like_a_placeholder() -> None:
    assert "529" not in redact("<CPF_52998224725>")


# The surest kind, whole


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("pix 529.982.247-25", "pix <CPF_1>"),
        ("chave pix: ana@x.com", "chave pix: <EMAIL_1>"),
        ("rg e cpf: 529.982.247-25", "rg e cpf: <CPF_1>"),
        ("https://x.com/?cpf=52998224725&a=1", "<URL_1>"),
        ("5511987654321@s.whatsapp.net", "<EMAIL_1>"),
        ("529.982.247-25-123", "<CPF_1>"),
        ("99-529.982.247-25", "<CPF_1>"),
        ("11 98765-4321/4322 2 un", "<PHONE_1> 2 un"),
        ("529.982.247-25 11 98765-4321 01310-100", "<CPF_1> <PHONE_1> <CEP_1>"),
        ("529.982.247-25\n111.444.777-35", "<CPF_1>\n<CPF_2>"),
        ("30 4111 1111 1111 1111 12", "30 <CARD_1> 12"),
    ],
)
def test_of_several_readings_the_surest_wins_and_no_tail_is_left(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_a_number_inside_a_longer_one_is_none() -> None:
    assert redact("3529982247254") == "3529982247254"
    assert redact("a3f52998224725b9") == "a3f52998224725b9"


# Generated data are always found

STYLES = ("0123456789", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "٠١٢٣٤٥٦٧٨٩", "⓪①②③④⑤⑥⑦⑧⑨")
GAPS = ("", " ", ".", "-", "/", "_", ",", "  ", " - ", ". ", "\u00a0", "–", "\u200b", "．", "\u2009", "\u00ad-", "\n")
CARD_GAPS = ("", " ", "-", ".", "  ", "\u00a0", "–", "\u2060")
PHONE_GAPS = ("", " ", ".", "-", " - ", "  ", "\u00a0", "–", "/", "\u200b", "_")
LEFT = ("", "(", '"', "'", "*", "_", "~", ":", "=", ">", "-", ",", "[", "“", "👉", "é:")
RIGHT = ("", ")", '"', "'", "*", "_", "~", ".", ",", ";", ":", "!", "?", "…", "-", "]", "”", "🙏", "...", " kkk")
WORDS = re.findall(
    r"\w+",
    "oi bom dia tudo bem vc pode me mandar o valor por favor segue aí meu é esse aqui obrigada blz vlw não sei "
    "chega quando hello please find it here thanks is this right ok sure será que tem na cor azul também à vista",
)
NUMBERS = (
    "10x",
    "R$ 1.299,90",
    "12/03/2025",
    "14:30",
    "3",
    "2 unidades",
    "50%",
    "nº 7",
    "1.500",
    "120x80",
    "(2)",
    "1)",
)
AREAS = (11, 12, 19, 21, 27, 31, 38, 41, 47, 51, 55, 61, 62, 71, 79, 81, 85, 91, 98, 99)
FOURS = [4, 8, 12, 16]
CARDS: tuple[tuple[str, int, list[int]], ...] = (
    *((start, 16, FOURS[:3]) for start in ("4", "51", "2221", "6011", "636368", "606282", "3530", "5067")),
    ("4", 13, FOURS[:3]),
    ("4", 19, FOURS),
    ("34", 15, [4, 10]),
    ("36", 14, [4, 10]),
)
REGIONS = ("US", "PT", "GB", "AR", "DE", "FR", "JP", "IN", "MX", "CH")

numerals = st.text("0123456789")


def numeral(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


def broken(number: str, cuts: list[int], gaps: list[str]) -> str:
    edges = [0, *cuts, len(number)]
    parts = [number[start:end] for start, end in pairwise(edges)]
    return "".join(part + gap for part, gap in zip(parts, [*gaps, ""], strict=True))


@st.composite
def in_disguise(draw: st.DrawFn, number: str, cuts: list[int] | None, gaps: tuple[str, ...]) -> str:
    """Break a number at some of *cuts*, or anywhere, and write it in digits of some script."""
    chosen = sorted(draw(st.sets(st.sampled_from(cuts or range(1, len(number))))))
    written = broken(number, chosen, [draw(st.sampled_from(gaps)) for _ in chosen])
    return written.translate(str.maketrans(STYLES[0], draw(st.sampled_from(STYLES))))


@st.composite
def cpfs(draw: st.DrawFn) -> str:
    body = draw(numeral(9))
    assume(int(body))
    return draw(in_disguise(make_cpf(body), None, GAPS))


@st.composite
def cnpjs(draw: st.DrawFn) -> str:
    body = draw(numeral(8)) + draw(st.sampled_from(["0001", "0002", "0123"]))
    assume(int(body[:8]))
    return draw(in_disguise(make_cnpj(body), None, GAPS))


@st.composite
def alphanumeric_cnpjs(draw: st.DrawFn) -> str:
    body = draw(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12))
    assume(any(map(str.isalpha, body)) and any(map(str.isdigit, body)))
    written = draw(in_disguise(make_cnpj(body), [2, 5, 8, 12], GAPS))
    return written.lower() if draw(st.booleans()) else written


@st.composite
def cards(draw: st.DrawFn) -> str:
    start, length, cuts = draw(st.sampled_from(CARDS))
    number = make_card(start + draw(numeral(length - len(start) - 1)))
    singly = draw(st.booleans()) and draw(st.booleans())
    if singly:
        return broken(number, list(range(1, length)), [draw(st.sampled_from(" -"))] * (length - 1))
    assume(not (length == 14 and number == make_cnpj(number[:12])))
    return draw(in_disguise(number, cuts, CARD_GAPS))


@st.composite
def brazilian_phones(draw: st.DrawFn) -> str:
    area = str(draw(st.sampled_from(AREAS)))
    is_mobile = draw(st.booleans())
    number = draw(st.sampled_from(["96", "98", "99", "97"] if is_mobile else ["2", "3", "4", "5"]))
    number += draw(numeral(9 - len(number) if is_mobile else 7))
    number += "" if is_mobile else draw(numeral(8 - len(number)))
    assume(phonenumbers.is_valid_number(phonenumbers.parse(area + number, "BR")))
    subscriber = broken(number, [len(number) - 4], [draw(st.sampled_from(PHONE_GAPS))])
    country = draw(st.sampled_from(["", "", "+55", "55", "+55 ", "0", "+ 55 ", "0xx"]))
    area = draw(st.sampled_from([area, f"({area})", f"{area} ", f"({area}) ", f"{area}-", f"{area}."]))
    written = country + area + subscriber
    # One such number in a hundred is a CPF, too.
    assume(make_cpf(digits(written)[:9]) != digits(written))
    return written.translate(str.maketrans(STYLES[0], draw(st.sampled_from(STYLES[:4]))))


@st.composite
def foreign_phones(draw: st.DrawFn) -> str:
    number = phonenumbers.example_number(draw(st.sampled_from(REGIONS)))
    assert number is not None
    how = draw(st.sampled_from([PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL]))
    return phonenumbers.format_number(number, how)


@st.composite
def emails(draw: st.DrawFn) -> str:
    local = draw(st.from_regex(r"[A-Za-z][A-Za-z0-9_%+]{0,8}([.-][A-Za-z0-9]{1,8})?", fullmatch=True))
    host = draw(st.from_regex(r"[a-z0-9]{1,10}(-[a-z0-9]{1,5})?", fullmatch=True))
    end = draw(st.sampled_from(["com", "com.br", "net", "org", "adv.br", "io", "app"]))
    return local + draw(st.sampled_from(["@", "@", "＠", "@\u200b", " @ "])) + f"{host}.{end}"


@st.composite
def pix_keys(draw: st.DrawFn) -> str:
    key = str(draw(st.uuids(version=4)))
    key = key.replace("-", draw(st.sampled_from(["-", "–", " ", "", "\u2011"])))
    return key.upper() if draw(st.booleans()) else key


@st.composite
def ceps(draw: st.DrawFn) -> str:
    cep = str(draw(st.integers(1_000_000, 99_999_999))).zfill(8)
    if draw(st.booleans()):
        gaps = [draw(st.sampled_from(["", "."])), draw(st.sampled_from(["-", "–", " - ", "－", "\u200b-"]))]
        return broken(cep, [2, 5], gaps)
    return draw(st.sampled_from(["CEP ", "cep: ", "Cep nº ", "CEP é "])) + broken(
        cep, [2, 5], [draw(st.sampled_from(["", ".", " "])), draw(st.sampled_from(["", " ", "_", "."]))]
    )


GENERATED: list[tuple[str, st.SearchStrategy[str]]] = [
    ("cpf", cpfs()),
    ("cnpj", cnpjs()),
    ("cnpj", alphanumeric_cnpjs()),
    ("card", cards()),
    ("phone", brazilian_phones()),
    ("phone", foreign_phones()),
    ("email", emails()),
    ("pix_key", pix_keys()),
    ("cep", ceps()),
]
IDS = [f"{kind}-{at}" for at, (kind, _) in enumerate(GENERATED)]
talk = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
numbered_talk = st.lists(st.sampled_from([*WORDS, *NUMBERS]), max_size=8).map(" ".join)


@pytest.mark.parametrize(("kind", "data"), GENERATED, ids=IDS)
def test_a_generated_datum_is_found_in_any_talk_and_punctuation(kind: str, data: st.SearchStrategy[str]) -> None:
    @given(talk, st.sampled_from(LEFT), data, st.sampled_from(RIGHT), talk)
    def is_found(before: str, left: str, datum: str, right: str, after: str) -> None:
        text = f"{before} {left}{datum}{right} {after}"
        redactor = Redactor()
        rest = redactor.redact(text)
        assert redactor.counts == {kind: 1}, rest
        rest = rest.replace(f"<{kind.upper()}_1>", "")
        assert not re.search(r"\d|@", rest), rest
        assert rest.startswith(before) and rest.endswith(after)

    is_found()


@pytest.mark.parametrize(("kind", "data"), GENERATED, ids=IDS)
def test_nothing_of_a_generated_datum_is_left_among_other_numbers(kind: str, data: st.SearchStrategy[str]) -> None:
    @given(numbered_talk, st.sampled_from(LEFT), data, st.sampled_from(RIGHT), numbered_talk)
    def leaves_nothing(before: str, left: str, datum: str, right: str, after: str) -> None:
        rest = PLACEHOLDER.sub("", redact(f"{before} {left}{datum}{right} {after}"))
        around = digits(before) + digits(after)
        assert len(digits(rest)) <= len(around) + 2, rest
        for part in re.findall(r"[0-9]{4,}", datum):
            assert part in around or part not in rest, rest

    leaves_nothing()


# Look-alikes are mostly left


def look_alikes(random: Random) -> Iterator[tuple[str, str]]:
    """Yield kinds of numbers that are nobody's data, and one of each kind."""

    def n(length: int) -> str:
        return str(random.randrange(10 ** (length - 1), 10**length))

    day, month, year = f"{random.randint(1, 28):02}", f"{random.randint(1, 12):02}", random.randint(2019, 2027)
    hour, minute = f"{random.randint(0, 23):02}", f"{random.randint(0, 59):02}"
    price = f"{random.randint(1, 99)}.{random.randint(0, 999):03},{random.choice(['00', '90', '99'])}"
    yield "order", f"pedido {n(random.choice([5, 6, 7, 8, 9, 10, 11, 12]))}"
    yield "bare order", n(random.randint(5, 12))
    yield "hash order", f"#{n(random.randint(5, 11))}"
    yield "protocol", f"protocolo: {year}{month}{day}{n(random.choice([4, 6, 8]))}"
    yield "invoice", f"NF {n(3)}.{n(3)}.{n(3)}"
    yield "price", f"R$ {price} ou {random.randint(2, 12)}x de R$ {n(3)},{n(2)}"
    yield "range", f"{random.randint(10, 99)}00-{random.randint(10, 99)}00 reais"
    yield "date", f"{day}/{month}/{year}"
    yield "time", f"{day}/{month}/{year} {hour}:{minute}"
    yield "iso time", f"{year}-{month}-{day} {hour}:{minute}:{n(2)}"
    yield "years", f"{year - 1}-{year}"
    yield "tracking", f"{random.choice(['BR', 'LB', 'QQ'])}{n(9)}BR"
    yield "carrier", f"TBA{n(12)}"
    yield "sku", f"SKU-{n(5)}-{n(2)}"
    yield "listing", f"MLB{n(10)}"
    yield "ean", f"789{n(10)}"
    yield "size", f"{n(3)}x{n(2)}x{n(3)} cm, {n(2)}.{n(3)} km"
    yield "version", f"{n(1)}.{n(1)}.{n(2)}.{n(3)}"
    yield "address", f"192.168.{random.randint(0, 255)}.{random.randint(0, 255)}"
    yield "law case", f"{n(7)}-{n(2)}.{year}.8.26.{n(4)}"
    cpf = make_cpf(n(9))
    yield "wrong cpf", f"{cpf[:3]}.{cpf[3:6]}.{cpf[6:9]}-{cpf[9]}{(int(cpf[10]) + 1) % 10}"
    cnpj = make_cnpj(n(8) + "0001")
    yield "wrong cnpj", f"{cnpj[:13]}{(int(cnpj[13]) + 1) % 10}"
    card = make_card("4" + n(14))
    yield "wrong card", f"{card[:15]}{(int(card[15]) + 1) % 10}"
    yield "long code", n(random.choice([15, 17, 18, 20, 24]))
    yield "code", f"{random.choice('ABCDEFG')}{n(2)}{random.choice('XYZ')}{n(4)}{random.choice('KLM')}{n(3)}"


def test_of_seeded_look_alikes_at_least_98_in_100_are_left() -> None:
    random = Random(20260711)
    seen, taken = Counter[str](), Counter[str]()
    for _ in range(100):
        for kind, look_alike in look_alikes(random):
            text = f"{random.choice(WORDS)} {look_alike} {random.choice(WORDS)}"
            seen[kind] += 1
            taken[kind] += redact(text) != text
    left = 1 - taken.total() / seen.total()
    print(f"{left:.2%} of {seen.total()} look-alikes left; taken: {dict(taken)}")
    assert seen.total() >= 2_000
    assert left >= 0.98


# Any text

PIECES = st.one_of(
    st.text("0123456789 .-/()+@,:_x\n", max_size=12),
    st.sampled_from(
        ["cpf ", "rg ", "cep ", "pix ", "conta ", "tel ", "<CPF_1>", "<PHONE_2>", "55", "+55", "www.a.bc/?"]
    ),
    st.sampled_from(["529.982.247-25", "11987654321", "ana@x.com", "01310-100", "4111111111111111", "12ABC34501DE35"]),
    st.text(max_size=6),
)
texts = st.lists(PIECES, max_size=12).map("".join)


@given(texts)
@example("a529.982.247-25@11987654321.com")
@example("ana@x.com_" * 9)
def test_to_redact_again_changes_nothing(text: str) -> None:
    redactor = Redactor()
    once = redactor.redact(text)
    assert redactor.redact(once) == once
    assert redact(once) == once


@given(texts)
def test_what_is_not_replaced_stays_as_it_was_written(text: str) -> None:
    redacted = redact(text)
    at = 0
    for typed_or_given in PLACEHOLDER.split(redacted):
        at = text.index(typed_or_given, at) + len(typed_or_given)


# Texts made to hurt

HURTING: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "1" * n,
    "single digits": lambda n: ("1 9 " * n)[:n],
    "signs": lambda n: ("11-9" * n)[:n],
    "any digits and signs": lambda n: "".join(Random(3).choices("0123456789 .-/()+", k=n)),
    "cpfs": lambda n: ("529.982.247-25 " * n)[:n],
    "phones": lambda n: ("11987654321 " * n)[:n],
    "letters before a sign": lambda n: "a" * (n - 1) + "@",
    "signs between letters": lambda n: ("a@" * n)[:n],
    "labels": lambda n: ("a." * n)[: n - 2] + "@b",
    "links": lambda n: ("www.a/" * n)[:n],
    "arguments": lambda n: ("a.bc?" + "a=1&" * n)[:n],
    "payloads": lambda n: ("000201br.gov.bcb.pix" * n)[:n],
    "names": lambda n: ("rg n o " * n)[:n],
    "names of keys": lambda n: ("chave pix e a " * n)[:n],
    "hexadecimals": lambda n: ("abcdef01-" * n)[:n],
    "words": lambda n: ("ab cde fgh ijkl 12 " * n)[:n],
    "spaces": lambda n: "1" + " " * (n - 2) + "1",
    "brackets": lambda n: "<" * n,
    "typed": lambda n: ("<CPF_1>" * n)[:n],
    "spelled": lambda n: ("gmail ponto " * n)[:n],
    "unseen": lambda n: "\u200b" * n,
    "tails": lambda n: ("1-" * n)[: n // 2] + "-529.982.247-25" + ("-1" * n)[: n // 2 - 15],
}


@pytest.mark.parametrize("shape", HURTING)
def test_eight_times_the_text_takes_nothing_like_the_square_of_the_time(shape: str) -> None:
    def seconds(length: int) -> float:
        text = HURTING[shape](length)
        assert len(text) == length
        taken = []
        for _ in range(3):
            start = thread_time()
            redact(text)
            taken.append(thread_time() - start)
        return min(taken)

    # Eight times is linear, sixty-four the square; a millisecond is below what the clock tells.
    assert seconds(MAX_CHARACTERS) < 32 * (seconds(MAX_CHARACTERS // 8) + 0.001)


def test_a_longer_text_is_refused_with_its_bound() -> None:
    assert redact("a" * MAX_CHARACTERS)
    with pytest.raises(ValueError, match=r"at most 10000 characters, this one 10001"):
        redact("a" * (MAX_CHARACTERS + 1))
