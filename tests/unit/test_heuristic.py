"""Messages judged by rules: pairs of good and bad, what is no fault, and what holds for any text whatever."""

from concurrent.futures import ThreadPoolExecutor
from statistics import mean
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.messages.quality import Brand, MessageScore
from handlers.messages.rules.plain_text import MOST_CHARACTERS
from tests.unit.heuristic_parts import about, demo_messages, score

unhurried = settings(deadline=None)
either_judge = pytest.mark.parametrize("by", ["rules", "dictionaries"])

COMPLAINT = "Meu pedido está atrasado e ninguém responde, quero cancelar"
BRAND = Brand(preferred=("consultoria", "sob medida"), avoided=("barato", "promoção", "querida"))
PIECES = "a e o de que não vc the you its SEM! ?? 😊 <CPF_1> R$ 10 -1 ' ’ á ção barato http://x.y/z"
TEXTS = st.text(st.characters(), max_size=300) | st.lists(st.sampled_from([*PIECES.split(), "\n", ""])).map(" ".join)


def sure(value: float | None) -> float:
    assert value is not None
    return value


# Pairs


@either_judge
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("A gente tem na cor cinza, quer que eu separe?", "A gente temos na cor cinza, quer que eu separe?"),
        ("Infelizmente não dá para entregar até sexta.", "Infelismente nao da pra entregar ate sexta."),
        ("O prazo é de cinco dias úteis, está bem?", "O prazo é de cinco dia uteis, esta bem?"),
        ("Yes, we have it in grey, it's in stock.", "Yes, we has it in grey, its in stock."),
        (
            "You could have paid by card, I received your address.",
            "You could of paid by card, I recieved you're adress.",
        ),
    ],
)
def test_a_well_written_message_scores_above_the_same_with_slips(good: str, bad: str, by: str) -> None:
    assert score(good, by=by).grammar == 10
    assert sure(score(bad, by=by).grammar) < 8
    assert about(score(bad, by=by), "grammar") and not about(score(good, by=by), "grammar")


@either_judge
@pytest.mark.parametrize(
    ("question", "good", "bad"),
    [
        (COMPLAINT, "Sinto muito pela demora, Ana! Vou resolver agora mesmo.", "Não é comigo, tem que ligar no 0800."),
        (COMPLAINT, "Entendo sua frustração. Já verifiquei e sai hoje.", "Sai hoje."),
        ("Tem desconto?", "Claro! Consigo 5% no PIX, que tal? 😊", "Não. É pegar ou largar."),
        ("Tem na cor cinza?", "Tem sim, Ana! Posso separar uma para você?", "Já falei que tem"),
        ("Vou pensar", "Fica à vontade, sem pressa. Qualquer dúvida me chama!", "ÚLTIMA CHANCE, SÓ HOJE, CORRE!!!"),
        (
            "It arrived broken",
            "I'm so sorry about this, we'll make it right today.",
            "Not my problem, call the hotline.",
        ),
        ("Any discount?", "I wish I could! Shall we look at another model?", "No discounts. Take it or leave it."),
        ("How are you?", "Thank you for asking, how can I help?", "What do you want, idiot?"),
    ],
)
def test_a_kind_answer_scores_above_a_rude_or_cold_one(question: str, good: str, bad: str, by: str) -> None:
    assert sure(score(good, question, by=by).tone) > 5.5 > 4.5 > sure(score(bad, question, by=by).tone)


@either_judge
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Nossa consultoria cria um projeto sob medida.", "Nossa consultoria cria um projeto barato."),
        ("Temos um projeto para a sua casa.", "Temos promoções, querida!"),
        ("Fazemos SOB MEDIDA para a sua casa.", "Fazemos para a sua casa."),
    ],
)
def test_a_message_with_the_brands_words_scores_above_one_with_words_that_it_avoids(
    good: str, bad: str, by: str
) -> None:
    assert sure(score(good, brand=BRAND, by=by).brand) > sure(score(bad, brand=BRAND, by=by).brand)


def test_the_demos_styles_come_out_in_the_order_in_which_they_were_meant() -> None:
    tone: dict[str, list[float]] = {}
    grammar: dict[str, list[float]] = {}
    for style, text in demo_messages():
        scored = score(text, "Oi, quanto custa a cadeira?")
        tone.setdefault(style, []).extend([] if scored.tone is None else [scored.tone])
        grammar.setdefault(style, []).extend([] if scored.grammar is None else [scored.grammar])
    assert mean(tone["warm"]) > mean(tone["plain"]) > mean(tone["curt"]) + 1.5
    assert mean(tone["formal"]) > mean(tone["plain"])
    assert mean(grammar["sloppy"]) < 8.5
    assert all(mean(grammar[style]) == 10 for style in ("plain", "formal", "warm", "curt"))


# What is no fault


@either_judge
def test_no_slip_is_found_in_what_the_demos_careful_agents_write(by: str) -> None:
    careful = [text for style, text in demo_messages() if style != "sloppy"]
    assert len(careful) > 300
    found = {text: about(score(text, by=by), "grammar") for text in careful}
    assert {text: findings for text, findings in found.items() if findings} == {}


def test_a_message_without_slips_of_spelling_scores_the_same_with_and_without_dictionaries() -> None:
    careful = [text for style, text in demo_messages() if style != "sloppy"]
    assert [score(text, COMPLAINT, BRAND, by="rules") for text in careful] == [
        score(text, COMPLAINT, BRAND, by="dictionaries") for text in careful
    ]


@either_judge
@pytest.mark.parametrize(
    "text",
    [
        "blz, vc pode pagar hj no pix q eu separo p vc",
        "obg pela preferência, qq coisa me chama aqui tá",
        "oiii, td bem? vlw por esperar kkkk",
        "tb temos em cinza, dps te mando as fotos rs",
        "pq vcs não vêm na loja amanhã? abs",
        "tô vendo aqui pra vc, pera aí rsrs",
        "np, i'll send u the pics asap, thx",
        "lol sure, lemme check w the team rn hahaha",
        "muuuito obrigada, até amanhã 😍😍",
    ],
)
def test_chat_slang_laughter_and_drawn_out_words_are_no_errors(text: str, by: str) -> None:
    scored = score(text, by=by)
    assert scored.grammar == 10
    assert about(scored, "grammar") == []


def test_placeholders_of_redaction_are_no_words_and_stay_whole_in_excerpts() -> None:
    scored = score("O cadastro do <CPF_1> <CPF_1> esta pronto, o e-mail <EMAIL_22> foi confirmado", language="pt-BR")
    [finding] = about(scored, "grammar")
    assert finding.kind == "accent"
    assert finding.excerpt == "cadastro do <CPF_1> <CPF_1> esta pronto, o e-mail <EMAIL_22>"
    assert scored == score(
        "O cadastro do <CPF_1> <CPF_1> esta pronto, o e-mail <EMAIL_22> foi confirmado",
        language="pt-BR",
        by="dictionaries",
    )


# Grammar


def test_a_slip_weighs_less_in_a_longer_message_and_counts_once_however_often_it_is_made() -> None:
    short = score("o produto nao chegou ainda")
    long = score("o produto nao chegou ainda, mas a transportadora tenta de novo na sexta, a partir das duas da tarde")
    assert sure(short.grammar) < sure(long.grammar) < 10
    twice = score(
        "o produto nao chegou ainda, mas a transportadora nao tenta de novo na sexta, a partir das duas da tarde"
    )
    assert len(about(twice, "grammar")) == 1
    assert sure(twice.grammar) == pytest.approx(sure(long.grammar), abs=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ok",
        "👍",
        "R$ 1.290,00",
        "5 dias",
        "こんにちは、アマゾン公式です。",
        "Hola, gracias por su mensaje",
        "xq zt wrk vbn",
    ],
)
def test_what_is_too_short_or_in_another_language_has_no_grammar_score(text: str) -> None:
    scored = score(text)
    assert scored.grammar is None
    assert about(scored, "grammar") == []


# Tone


def test_only_words_have_a_tone() -> None:
    for text in ("", "👍", "😍🎉", "<CPF_1>", "https://example.com/p/1", "12345"):
        assert (score(text).tone, score(text).predominant_tone) == (None, None)


@pytest.mark.parametrize(
    ("tone", "text"),
    [
        ("neutral", "O prazo para Campinas é de cinco dias úteis."),
        ("neutral", "Delivery takes five business days."),
        ("friendly", "Oi, Ana! Que bom falar com você! 😊"),
        ("friendly", "Hey Ana, great choice! Enjoy it 🎉"),
        ("empathetic", "Sinto muito, entendo como isso é chato."),
        ("empathetic", "I'm sorry, I completely understand how frustrating that is."),
        ("formal", "Prezado senhor, informamos que o pagamento foi confirmado. Atenciosamente."),
        ("formal", "Dear Sir, we regret to inform you that we cannot proceed. Regards."),
        ("pushy", "Última chance, só hoje! Garanta já o seu."),
        ("pushy", "Last chance, today only, act now!"),
        ("impatient", "Já falei isso. Quantas vezes vou ter que repetir??"),
        ("impatient", "As I already told you, read my message again."),
        ("rude", "Problema seu, se vira."),
        ("rude", "Shut up, not my problem."),
    ],
)  # fmt: skip
def test_the_predominant_tone_is_the_one_that_is_heard(tone: str, text: str) -> None:
    assert score(text).predominant_tone == tone


def test_an_answer_without_colour_stands_in_the_middle() -> None:
    assert score("O prazo para Campinas é de cinco dias úteis.").tone == 5


def test_an_apology_counts_more_when_the_customer_complains() -> None:
    text = "Peço desculpas pela demora no retorno."
    assert sure(score(text, COMPLAINT).tone) > sure(score(text, "Obrigado!").tone) > 5


def test_a_curt_answer_costs_where_something_was_asked_and_most_where_somebody_complained() -> None:
    answers = [
        sure(score("Sai amanhã.", question).tone) for question in ("Obrigada, querida!", "Quando sai?", COMPLAINT)
    ]
    assert answers == [5, 3.5, 2]
    kinds = [finding.kind for finding in about(score("Sai amanhã.", COMPLAINT), "tone")]
    assert kinds == ["curt", "ignored_complaint"]


def test_capitals_shout_but_abbreviations_do_not() -> None:
    assert [finding.kind for finding in about(score("EU JÁ MANDEI O LINK PRA VOCÊ"), "tone")] == ["shouting"]
    assert about(score("Aceitamos PIX, TED, DOC e o CPF na NF do PDV"), "tone") == []


# Brand


def test_without_word_lists_the_brand_cannot_be_judged() -> None:
    assert score("Temos promoções para você.").brand is None
    assert score("Temos promoções para você.", brand=Brand(guide="Escreva com calma.")).brand is None


def test_words_are_found_in_any_case_accented_or_not_and_in_the_plural_but_not_within_others() -> None:
    brand = Brand(avoided=("promoção", "item", "papel", "prazo final", "valor"))
    for text in (
        "Temos PROMOCAO para você",
        "Veja as promoções da loja",
        "São itens novos, viu",
        "Há papéis  na caixa",
    ):
        [finding] = about(score(text, brand=brand), "brand")
        assert (finding.kind, finding.is_strength) == ("avoided_word", False)
        assert score(text, brand=brand).brand == 7
    assert score("O prazo\nfinal chegou para todos", brand=brand).brand == 7
    assert score("Itens, papéis e promoções por valores baixos", brand=brand).brand == 0
    assert score("A papelaria tem um prazo valoroso", brand=brand).brand == 10


def test_what_is_avoided_may_be_part_of_what_is_preferred() -> None:
    brand = Brand(preferred=("desconto exclusivo",), avoided=("desconto",))
    assert score("Você tem um desconto exclusivo aqui", brand=brand).brand == 8.5
    assert score("Você tem um desconto comum aqui", brand=brand).brand == 4


def test_preferred_words_are_strengths_and_never_spelling_errors() -> None:
    brand = Brand(preferred=("casaclube", "zaztras"))
    scored = score("O casaclube tem zaztras para você", brand=brand, by="dictionaries")
    assert [(finding.kind, finding.is_strength) for finding in scored.findings] == [("preferred_word", True)] * 2
    assert (scored.grammar, scored.brand) == (10, 10)


@pytest.mark.parametrize("odd", ["", " ", "(", "a.*", "[", "😀", "24/7", "c++"])
def test_listed_words_are_taken_as_they_are(odd: str) -> None:
    brand = Brand(avoided=(odd, "barato"))
    assert score("Aqui é barato para você", brand=brand).brand == 7
    if odd.strip():
        assert sure(score(f"Aqui tem {odd} para você", brand=brand).brand) == 7


# Findings


def test_reasons_are_in_the_language_of_the_answer_whatever_the_message_is_in() -> None:
    for text in ("infelismente a gente temos so amanhã", "we has it, could of been cheaper"):
        english, portuguese = score(text, language="en").findings, score(text, language="pt-BR").findings
        assert [finding.kind for finding in english] == [finding.kind for finding in portuguese]
        assert len(english) > 1
        assert all(ours.reason != theirs.reason for ours, theirs in zip(english, portuguese, strict=True))


def test_the_weightiest_slips_come_first_and_ten_findings_at_most() -> None:
    text = (
        "VOCE NAO SABE LER??? A GENTE TEMOS MENAS PRAZO, infelismente nao da, concerteza amanha voces tem, "
        "so hoje, última chance, querida, é barato, promoção, a consultoria sob medida, idiota 😡 já falei"
    )
    findings = score(text, COMPLAINT, BRAND).findings
    assert len(findings) == 10
    assert findings[0].kind == "agreement"
    assert [finding.dimension for finding in findings] == ["grammar"] * 4 + ["tone"] * 3 + ["brand"] * 3
    assert findings[4].kind == "rude"


# Any text


def assert_sound(scored: MessageScore) -> None:
    for value in (scored.grammar, scored.tone, scored.brand):
        assert value is None or 0 <= value <= 10
    assert (scored.tone is None) == (scored.predominant_tone is None)
    assert len(scored.findings) <= 10
    for finding in scored.findings:
        assert finding.reason
        assert len(finding.excerpt) <= 200
        assert "\n" not in finding.excerpt


@either_judge
@unhurried
@given(text=TEXTS, question=st.none() | TEXTS)
def test_any_text_is_judged_within_bounds_and_always_alike(text: str, question: str | None, by: str) -> None:
    scored = score(text, question, BRAND, by=by)
    assert_sound(scored)
    assert scored == score(text, question, BRAND, by=by)


@unhurried
@given(words=st.lists(TEXTS, max_size=8), text=TEXTS)
def test_any_word_may_stand_in_the_brands_lists(words: list[str], text: str) -> None:
    assert_sound(score(text, brand=Brand(preferred=tuple(words), avoided=tuple(words[::2]))))


def test_lone_surrogates_and_nulls_are_only_characters() -> None:
    for by in ("rules", "dictionaries"):
        assert_sound(score("o preço \ud800 nao \x00 é esse, voce \udfff viu", by=by))


PIECES_IN_A_ROW = (
    "a ", "a", "-a", "a'", "<A", "á", "kh", "a@", "a.", "tenho a ", "porque ", "VAI ", "?!", " \n", "1.", "https://",
    "de de ", "mais ", "<CPF_1>", "hu", "é muito ",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES_IN_A_ROW)
def test_time_grows_with_length_and_not_with_its_square(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        score(text, text, BRAND)
        times = []
        for _ in range(3):
            started = thread_time()
            score(text, text, BRAND)
            times.append(thread_time() - started)
        return min(times)

    # Eight times the length: 8 if linear, 64 if quadratic.
    assert seconds(4000) < 32 * max(seconds(500), 0.0002)


def test_what_stands_beyond_the_bound_is_not_read() -> None:
    text = "o prazo é esse " * (MOST_CHARACTERS // 15)
    assert score(text + "x" * (MOST_CHARACTERS - len(text)) + " infelismente idiota", brand=BRAND) == score(
        text + "x" * (MOST_CHARACTERS - len(text)), brand=BRAND
    )


def test_several_threads_may_share_a_judge() -> None:
    texts = [text for _, text in demo_messages()]
    alone = [score(text, by="dictionaries") for text in texts]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda text: score(text, by="dictionaries"), texts * 3))
    assert together == alone * 3


def test_a_reason_is_a_sentence_however_the_words_stand_apart() -> None:
    brand = Brand(avoided=("sem juros",))
    (found,) = about(score(f"Parcelamos em 10 vezes sem{' ' * 3000}juros, tá?", brand=brand), "brand")

    assert found.reason == "The brand avoids “sem juros”."
