"""Which language a message is in: a vote of its stop words."""

from handlers.messages.quality import Language
from handlers.messages.rules.plain_text import PlainText

# Words of two of the languages ("a", "do", "no", "as", "me") vote for neither.
_PORTUGUESE = frozenset(
    """
    o e os de um uma uns umas da das dos na nas nos em por pra pro para com sem que não nao é são sao está esta tá ta
    você vc vcs você voces vocês seu sua seus suas meu minha nosso nossa ele ela eles elas isso isto esse essa este
    mais mas já só muito muita bem tudo também tbm tb quando como se ou foi tem temos ter vai vou vamos pode posso
    podemos até ate aqui qual quanto quantas obrigado obrigada olá oi bom boa dia tarde noite à às ao aos pelo pela
    num numa eu nós gente hoje amanhã ontem agora ainda depois antes sim oie opa blz vlw obg hj pq oq quer quero fica
    ficou sai está estão estamos estou sobre entre desculpe desculpa infelizmente favor prazo valor pedido entrega
    cliente dias úteis qualquer dúvida disposição senhor senhora segue seguem aguardo acho falo vejo ver vê faz faço
    consigo manda chama chega viu demora demoram espera lamento lamentamos agradeço então preço né beleza aguarde
    aguarda tenho tinha tava garantia parcela fechado combinado confirmado
    """.split()  # noqa: SIM905 - a list of words is read as one
)
_ENGLISH = frozenset(
    """
    the an and or of to in on at is are was were be been you your yours we our ours us i i'm i'll i've it it's its
    this that these those for with from by have has had will would can could should please thank thanks hello hi hey
    not yes what when where which who how if but just about there their they he she his her my am does did don't can't
    won't isn't doesn't didn't we're we'll we've you're you'll let's get got any some all more out up sorry order only
    left u ur thx pls gonna check here after before today tomorrow know see send
    """.split()  # noqa: SIM905
)
# Enough of the neighbours that they are not taken for one of the two.
_OTHER = frozenset(
    """
    el los las y con una del muy pero usted gracias hola es en su lo le al porque más cuando nuestro puede puedes
    tus mi mis hemos tiene desde hay servicio fecha mensaje mensajes cuenta también siguiente ayuda gusta saludos esto
    und der die ist nicht wir ich sie für mit auf ein eine dass wird bitte
    le les et est vous nous je pour dans merci bonjour votre une pas il
    il che di per non sono grazie ciao
    """.split()  # noqa: SIM905
)
_ACCENTS = frozenset("ãõçâêôáéíóú")
# Between a fifth and a half of running text are stop words; a tenth is there in terse chat too.
_LEAST_SHARE = 0.1


def detect(text: PlainText) -> Language | None:
    """Return the language of *text*, None where it is neither Portuguese nor English or cannot be told."""
    words = [word.lower for word in text.words]
    portuguese = sum(word in _PORTUGUESE or not _ACCENTS.isdisjoint(word) for word in words)
    english = sum(word in _ENGLISH for word in words)
    other = sum(word in _OTHER or word.endswith(("ción", "ciones")) for word in words)
    other += sum(map(text.masked.count, "¿¡"))
    most = max(portuguese, english)
    if portuguese == english or most <= 2 * other or most < _LEAST_SHARE * len(words):
        return None
    return "pt-BR" if portuguese > english else "en"
