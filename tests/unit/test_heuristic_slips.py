"""What the rules of grammar find in Portuguese and in English, and what they leave alone."""

import pytest

from handlers.messages.quality import Language
from handlers.messages.rules.grammar import find_slips
from handlers.messages.rules.language import detect
from handlers.messages.rules.plain_text import PlainText
from tests.unit.heuristic_parts import about, demo_messages, score


def slips(text: str, language: Language) -> list[tuple[str, str]]:
    plain = PlainText.of(text)
    return [(slip.kind, text[slip.start : slip.end]) for slip in find_slips(plain, language, None)]


@pytest.mark.parametrize(
    ("kind", "slip", "text"),
    [
        ("agreement", "a gente temos", "Tem sim, a gente temos na cor cinza"),
        ("agreement", "a gente não vamos", "Hoje a gente não vamos abrir"),
        ("confusion", "agente", "A entrega é rápida, agente monta tudo"),
        ("agreement", "nós vai", "Amanhã nós vai aí ver"),
        ("agreement", "Eles foi", "Eles foi embora cedo"),
        ("accent", "tem", "Vocês tem interesse no plano?"),
        ("agreement", "eu vai", "Amanhã eu vai na loja"),
        ("agreement", "houveram", "Ontem houveram atrasos na entrega"),
        ("agreement", "haviam", "Ainda haviam dois na loja"),
        ("agreement", "fazem 2 dias", "Já fazem 2 dias que espero"),
        ("agreement", "resta poucas unidades", "Só resta poucas unidades aqui"),
        ("agreement", "segue os dados", "Oi, segue os dados para o PIX"),
        ("agreement", "os produto", "Todos os produto têm garantia"),
        ("agreement", "5 dia", "O prazo é de 5 dia"),
        ("agreement", "qualquer dúvidas", "Se tiver qualquer dúvidas me chame"),
        ("agreement", "uma problema", "Isso é uma problema do site"),
        ("agreement", "meia cansada", "Hoje estou meia cansada"),
        ("word_choice", "menas", "Tem garantia, menas da bateria"),
        ("word_choice", "entre eu e", "Fica entre eu e você"),
        ("verb_form", "para mim verificar", "Me manda o número para mim verificar"),
        ("verb_form", "seje", "Quero que seje logo"),
        ("verb_form", "vim", "Você pode vim na loja amanhã"),
        ("verb_form", "chego", "O pedido já tinha chego ontem"),
        ("verb_form", "confia", "É original sim, pode confia"),
        ("verb_form", "dar", "Hoje não dar para entregar"),
        ("verb_form", "vou estar enviando", "Eu vou estar enviando o boleto"),
        ("crase", "à", "Pode retirar à partir de amanhã"),
        ("crase", "à", "O valor fica à combinar"),
        ("crase", "a vista", "O valor para pagamento a vista é menor"),
        ("crase", "a disposição", "Fico a disposição para ajudar"),
        ("crase", "as", "A loja abre as 10h amanhã"),
        ("confusion", "mais", "O produto é bom, mais não tem cinza"),
        ("confusion", "mais", "Consigo no pix mais tem q ser hj"),
        ("confusion", "mal atendimento", "Desculpe o mal atendimento"),
        ("confusion", "porque", "Oi! porque você desistiu da compra?"),
        ("confusion", "a", "Comprei a dois anos atrás"),
        ("confusion", "a", "Moro aqui a mais de 3 anos"),
        ("confusion", "trás", "O kit já trás o manual"),
        ("confusion", "viajem", "Tenha uma boa viajem amanhã"),
        ("confusion", "aonde fica", "Me diga aonde fica a loja"),
        ("confusion", "afim de comprar", "Você está afim de comprar hoje?"),
        ("repetition", "de de", "O prazo é de de cinco dias"),
        ("accent", "informacao", "Não tenho essa informacao agora"),
        ("accent", "possivel", "Se for possivel eu vou"),
        ("accent", "ajuda-lo", "Posso ajuda-lo com isso"),
        ("accent", "esta", "O pedido esta em separação"),
        ("accent", "da", "Hoje não da para entregar"),
        ("accent", "e", "O valor e R$ 100 hoje"),
        ("accent", "duvida", "Ficou alguma duvida sobre o plano?"),
        ("accent", "ai", "O que você achou, e ai"),
        ("spelling", "concerteza", "O pedido chega concerteza amanhã"),
        ("spelling", "infelismente", "Oi, infelismente acabou"),
    ],
)
def test_slips_of_portuguese_are_found_where_they_stand(kind: str, slip: str, text: str) -> None:
    assert slips(text, "pt-BR") == [(kind, slip)]
    assert detect(PlainText.of(text)) == "pt-BR"


@pytest.mark.parametrize(
    "text",
    [
        "A gente vai abrir às 10h e nós vamos atender até as 18h.",
        "O agente de crédito vai te ligar. Nosso agente tem experiência.",
        "Entre nós tem confiança. Para eles é fácil, com vocês está tudo certo.",
        "Eles têm interesse, ele tem pressa e vocês vêm amanhã.",
        "Houve atrasos. Eles haviam feito o pedido, e se houverem de voltar, avise.",
        "Faz dois dias que eles fazem 10 entregas por dia.",
        "Resta uma unidade e faltam dois dias. Existe garantia.",
        "Segue o link. Seguem os dados. Segue as instruções do manual.",
        "Os produtos custam R$ 15 a unidade, em 10 parcelas, no dia 5.",
        "Meia hora depois ela estava meio cansada, ao meio-dia e meia.",
        "Isso é difícil para mim entender. Mande para mim, por favor.",
        "Eu vim ontem e ele pode vir amanhã.",
        "Quem pode paga à vista; a vista da loja é linda.",
        "A prazo ou à vista, a partir de hoje, às vezes até às 10h ou entre as 8h e as 9h.",
        "As 10 horas de garantia passaram. São as 10h em ponto.",
        "Quanto mais tem, mais não basta. Não quero mais, mas agora sim.",
        "Não fui porque estava doente. Por que você não veio?",
        "Daqui a dois dias vou a pé. De 2 a 3 dias. Há dois anos atrás não havia.",
        "Ele traz o produto que ficou para trás. Que eles viajem bem na viagem.",
        "Muito, muito obrigado! Já já te chamo, bem bem rápido.",
        "Esta semana esta loja não abre, e esta entrada é a correta.",
        "Dá para entregar na casa da Ana, e me dá o CEP da rua.",
        "Ele não duvida, eu inicio o cadastro e ela publica o anúncio que eu anuncio.",
        "O som e a imagem são bons, e muito obrigada pela paciência.",
        "Vou estar em casa amanhã, posso estar enganado.",
        "O valor é só esse, e o frete é grátis.",
        "Quem vai atender é o Gregorio Januario, da Florencia.",
    ],
)
def test_right_portuguese_is_left_alone(text: str) -> None:
    assert slips(text, "pt-BR") == []


@pytest.mark.parametrize(
    ("kind", "slip", "text"),
    [
        ("confusion", "Their are", "Their are two options for you"),
        ("confusion", "over their", "The package is over their."),
        ("confusion", "they're order", "The customers sent they're order"),
        ("confusion", "Your welcome", "Your welcome, Ann!"),
        ("confusion", "You're order", "You're order is late"),
        ("confusion", "its", "Yes, its a good product"),
        ("confusion", "it's own", "It has it's own box"),
        ("confusion", "could of", "I could of helped you"),
        ("confusion", "then", "It is better then the other one"),
        ("confusion", "to", "That is to expensive for us"),
        ("confusion", "loose", "We don't want you to loose your money"),
        ("agreement", "She like", "She like this one"),
        ("agreement", "He don't", "He don't know it"),
        ("agreement", "we has", "Yeah we has it in grey"),
        ("agreement", "We doesn't", "We doesn't have that"),
        ("agreement", "there is many", "I think there is many options"),
        ("agreement", "This products", "This products are new"),
        ("agreement", "3 day", "It takes 3 day to arrive"),
        ("agreement", "much orders", "We have much orders today"),
        ("word_choice", "informations", "I have the informations for you"),
        ("word_choice", "a", "I need a invoice from you"),
        ("word_choice", "an", "We have an discount for you"),
        ("verb_form", "didn't received", "We didn't received your payment"),
        ("verb_form", "have went", "They have went there already"),
        ("verb_form", "must to send", "You must to send it today"),
        ("verb_form", "look forward to hear", "We look forward to hear from you"),
        ("verb_form", "depends of", "It depends of the model"),
        ("apostrophe", "dont", "Please dont worry about this"),
        ("repetition", "the the", "I will check the the price"),
        ("spelling", "recieved", "I recieved your message"),
    ],
)
def test_slips_of_english_are_found_where_they_stand(kind: str, slip: str, text: str) -> None:
    assert slips(text, "en") == [(kind, slip)]
    assert detect(PlainText.of(text)) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "There are two options, and their order is here. They're waiting over there.",
        "You're welcome. Your welcome kit is on its way, your right to return it stays.",
        "It's in its own box, and its price is fair.",
        "Of course you could, of course. Then the price is lower than that.",
        "Does she like it? Let it go. Did he have it? I wish it were so.",
        "You and I are all set. One of you is right, and people are nice.",
        "This product is new, these products are not, and each item counts.",
        "A 3 day trial, a 12 month plan, two options and one day.",
        "A user, an hour, a European plan, a one-off, an invoice, an SMS, a unit, an umbrella, a useful tip.",
        "Plan A is cheaper. Vitamin A and B. Not a one.",
        "We didn't get it, they have gone, you must send it, I can do all we can to help.",
        "We look forward to hearing from you, it depends on you.",
        "I know that that is right, and had had enough.",
        "It's too late to call, nothing to high-five about. Talk to many customers.",
    ],
)
def test_right_english_is_left_alone(text: str) -> None:
    assert slips(text, "en") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt-BR", "Oi, tudo bem?"),
        ("pt-BR", "Temos sim, na cor cinza"),
        ("pt-BR", "blz, vc quer hj?"),
        ("pt-BR", "Não"),
        ("pt-BR", "O smartphone da Apple está online no site, follow the link"),
        ("en", "Hi, how are you?"),
        ("en", "Yes, we have it in grey"),
        ("en", "thx, u can pay now"),
        ("en", "The caipirinha and the pão de queijo are on the house"),
        (None, ""),
        (None, "Marina Souza"),
        (None, "PIX 123 ok"),
        (None, "https://the.example.com/you/and/me"),
        (None, "Hola, gracias por contactarnos, su pedido llega mañana"),
        (None, "Bonjour, merci pour votre commande"),
        (None, "Guten Tag, wir haben Ihre Bestellung nicht erhalten"),
        (None, "こんにちは"),
    ],
)
def test_the_language_is_told_by_stop_words(language: Language | None, text: str) -> None:
    assert detect(PlainText.of(text)) == language


def test_the_demos_messages_are_of_the_language_that_they_were_written_in() -> None:
    texts = [text for style, text in demo_messages() if len(text.split()) > 4 and style in ("plain", "formal", "warm")]
    half = next(place for place, text in enumerate(texts) if text.startswith("Good morning"))
    portuguese, english = texts[:half], texts[half:]
    assert {detect(PlainText.of(text)) for text in portuguese} == {"pt-BR"}
    assert {detect(PlainText.of(text)) for text in english} == {"en"}


def test_a_slip_inside_another_is_told_once() -> None:
    assert [finding.excerpt for finding in about(score("o prazo e de 5 dia uteis viu"), "grammar")] == [
        "o prazo e de 5 dia uteis viu",
        "o prazo e de 5 dia uteis viu",
    ]
