"""Phrases that carry a tone, in both languages, written without accents: one pattern a line."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from handlers.messages.quality import Language, Tone
from handlers.messages.rules.slips import Sentence

CueKind: TypeAlias = Literal[
    "rude", "dismissive", "impatient", "pushy",
    "empathy", "apology", "regret", "help", "warmth", "thanks", "greeting", "courtesy", "formal",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cue:
    """A kind of phrase: what it adds to the score, which tone it speaks for, what is said of it."""

    kind: CueKind
    tone: Tone | None
    weight: float
    patterns: dict[Language, re.Pattern[str]]
    reason: Sentence | None


def _phrases(lines: str) -> re.Pattern[str]:
    alternatives = "|".join(line.strip() for line in lines.strip().splitlines())
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")


def _cue(kind: CueKind, tone: Tone | None, weight: float, pt: str, en: str, reason: Sentence | None = None) -> Cue:
    return Cue(kind, tone, weight, {"pt-BR": _phrases(pt), "en": _phrases(en)}, reason)


# Worst first: the order of findings.
CUES: tuple[Cue, ...] = (
    _cue(
        "rude",
        "rude",
        -4.0,
        r"""
        idiotas?
        (?:seu|sua|e|que) burr[oa]|burrice
        imbec(?:il|is)
        otari[oa]s?
        estupid[oa]s?
        ignorante
        palhacada
        trouxa
        merda
        porra
        caralho
        porcaria
        um lixo|e lixo
        fod[ae]-se
        vsf|vtnc|fdp|pqp
        cala a boca
        se vira|te vira|vira-se
        (?:o )?problema e? ?(?:todo )?seu|problema de voces?|azar o? ?seu
        nao enche|enche(?:r|ndo)? o saco|de saco cheio
        vai (?:se|te) (?:lascar|ferrar|danar)|dane-se
        nao sabe (?:ler|nem o que)|sabe ler
        (?:ta|esta) surd[oa]
        nao me interessa|nao to nem ai|nao estou nem ai
        pare de (?:encher|reclamar)|para de reclamar
        deixa de ser
        """,
        r"""
        idiots?
        stupid
        morons?
        dumb(?:ass)?
        shut up
        f\W?u?c?\W?ck\w*|wtf
        (?:bull)?shit
        crap
        your (?:own )?problem
        your loss
        get lost
        piss(?:ed|ing)? (?:off|me)
        loser
        who cares|i don't care|couldn't care less
        deal with it
        screw (?:you|it)
        liar
        grow up
        are you (?:blind|deaf|stupid)|can't you read
        stop (?:complaining|whining|bothering)
        don't waste my time|wasting my time
        """,
        Sentence("Palavras grosseiras para um cliente.", "Rude words to a customer."),
    ),
    _cue(
        "dismissive",
        "rude",
        -2.5,
        r"""
        nao e comigo
        nao e (?:o )?(?:meu|nosso) (?:problema|setor|departamento)
        nao (?:posso|podemos|tenho como|da para|da pra) fazer nada|nada (?:a|que) (?:eu )?(?:possa )?fazer
        nao tenho (?:nada a ver|culpa)
        (?:voce|vc|vcs) (?:que|q|e que|e quem) sabe
        tanto faz
        pegar ou largar|e pegar ou
        procur[ae] outr[oa]|vai em outra
        (?:esta|ta) (?:tudo )?no site|(?:olha|veja|ve) no site
        tem que ligar|liga no 0800|liga la
        nao sei te dizer|sei la|teria que ver
        e o que tem
        (?:voce|vc) (?:devia|deveria) ter
        nao faco desconto
        so lamento
        """,
        r"""
        not my (?:department|problem|job|fault)
        nothing (?:i|we) can do
        (?:can't|cannot) help you
        take it or leave it
        is on the (?:site|website)|it's on the (?:site|website)
        go (?:check|read|look) (?:it|the)
        you(?:'ll| will)? have to call|call the hotline
        no idea
        (?<!to )(?<!and )look it up|google it
        you should(?:'ve| have) (?:read|checked|known|thought)
        that's your
        """,
        Sentence("Descarta o cliente em vez de ajudar.", "Turns the customer away instead of helping."),
    ),
    _cue(
        "impatient",
        "impatient",
        -2.0,
        r"""
        ja (?:te |lhe )?(?:falei|disse|expliquei|respondi|avisei)(?! com\b| ao\b| a\b| para\b| pra\b)
        quantas vezes
        anda logo|decid[ae] logo|responde? logo|vai logo
        vai querer(?: ou nao)?(?=\s*\?)
        decidiu(?=\s*\?)
        (?:preciso|quero) (?:de )?uma resposta
        (?:to|estou|fico|fiquei) (?:te )?esperando
        nao tenho (?:o dia todo|o dia inteiro|tempo)
        pela (?:ultima|milesima|decima) vez
        leia (?:direito|a mensagem|o que|com atencao)|presta atencao|preste atencao
        vou ter que repetir|de novo isso
        viu (?:a )?minha mensagem|nao viu (?:a )?minha
        """,
        r"""
        as i (?:already )?(?:said|told)|i (?:already|just) (?:said|told|explained)|already told
        how many times
        hurry up|come on
        make up your mind
        i need an answer|yes or no
        do you want it or not
        for the last time
        i don't have (?:all day|time)
        read (?:it again|my message|the message)
        did (?:u|you) (?:even )?(?:see|read) my
        are you (?:there|listening)(?=\s*\?)
        """,
        Sentence("Soa impaciente.", "Sounds impatient."),
    ),
    _cue(
        "pushy",
        "pushy",
        -1.5,
        r"""
        ultima (?:chance|oportunidade|chamada)
        (?:so|somente|apenas) (?:por )?hoje
        agora ou nunca
        nao (?:perca|deixe passar|deixe para depois)
        corr[ae](?: que|,|!| pra| para)
        garanta (?:ja|agora|o seu|a sua)
        antes que (?:acabe|suba|esgote)
        (?:vai|voce vai|vc vai) (?:se arrepender|perder)
        fech[ae]r? (?:agora|ja)|vamos? fechar? (?:agora|hoje)
        restam so|so restam|ultimas? (?:unidades?|vagas?|pecas?)
        compre (?:ja|agora)|decida (?:ja|hoje|agora)
        depois nao garanto
        te garanto 100
        imperdivel
        ta acabando|esta acabando
        """,
        r"""
        last (?:chance|call)
        (?:only today|today only)
        now or never
        don't (?:miss|wait)
        act (?:now|fast)
        limited time
        before (?:it's|they're) gone|while stocks? lasts?
        you(?:'ll| will) regret
        (?<!an )(?<!the )(?<!your )(?:buy|order|decide|close|sign up) (?:it )?(?:right )?now
        selling (?:out )?fast|won't last
        only \d+ left|last (?:units|ones|pieces)
        once in a lifetime
        """,
        Sentence("Pressiona o cliente a decidir.", "Presses the customer to decide."),
    ),
    _cue(
        "empathy",
        "empathetic",
        1.5,
        r"""
        (?:entendo|compreendo|imagino|sei) (?:perfeitamente|bem|a sua|sua|seu|o seu|a situacao|como|o quanto|que|sim)
        entendo|compreendo
        sinto muito|sentimos muito
        fi(?:ca|que) tranquil[oa]|pode ficar tranquil[oa]
        nao se preocupe|sem preocupacao|nao precisa se preocupar
        calma
        vamos (?:resolver|cuidar|dar um jeito)|vou (?:resolver|cuidar)
        (?:ja )?estou (?:resolvendo|cuidando|aqui com voce)
        (?:pode )?cont(?:e|ar) (?:comigo|conosco)
        poxa|que pena|que chato|puxa
        tem (?:toda )?(?:a )?razao|voce esta cert[oa]
        com calma|fi(?:ca|que) a vontade|sem pressa
        queria muito
        para nao pesar
        espero que (?:melhore|esteja bem|fique bem)
        """,
        r"""
        (?:i|we) (?:can |do |completely |totally |fully |truly )*understand
        understand(?:able|ably)? (?:how|why|your|that|what)
        (?:can|must|know how) (?:be|is|it is) (?:very |so |really )?(?:frustrating|disappointing|annoying|upsetting)
        (?:your|the) frustration|frustrating
        i hear you|hear (?:about )?(?:that|this|you)
        you're (?:absolutely |totally |quite )?right
        don't worry|no worries|not to worry
        (?:we'll|i'll|let's|we will|i will) (?:sort|fix|solve|make|get this|get that|get it|take care)
        (?:i|we) wish (?:i|we) could
        (?:not|isn't) (?:the|what) (?:kind of )?(?:experience|we like|we want)
        make (?:it|this|things) right
        hate (?:to hear|that)
        oh no|uh oh|bummer|what a pity
        take your time
        """,
        Sentence("Mostra empatia.", "Shows empathy."),
    ),
    _cue(
        "apology",
        "empathetic",
        0.8,
        r"""
        desculp\w+
        perdao|perdoe
        lament\w+
        foi mal
        """,
        r"""
        sorry
        apolog\w+
        (?:we|i) regret
        my bad
        """,
        Sentence("Pede desculpas.", "Apologises."),
    ),
    _cue("regret", "empathetic", 0.5, "infelizmente", "unfortunately|i'm afraid|i am afraid"),
    _cue(
        "help",
        None,
        1.0,
        r"""
        (?:posso|podemos|poderia|consigo) (?:te |lhe |o |a )?(?:ajud|auxili|atend|reserv|verific|separ|agend)\w+
        (?:posso|podemos|poderia) (?:te |lhe |o |a )?(?:avis|oferec)\w+
        (?:posso|podemos|consigo) (?:te |lhe )?(?:indic\w+|envi\w+|cham\w+|retomar|ver|fazer)
        (?:em|no) que posso|ajuda-l[oa]s?|atende-l[oa]s?
        a (?:sua )?disposicao|disponha
        qualquer (?:coisa|duvida|informacao)|alguma duvida|ficou (?:com )?(?:alguma )?duvida
        (?:e )?so (?:me )?(?:chamar|falar|avisar)|me cham[ae]|precisando|se precisar|quando precisar
        estou (?:por )?aqui|cont(?:e|ar) (?:comigo|conosco)
        ja (?:te |lhe )?(?:verifico|confirmo|vejo|retorno|respondo|aviso|preparo|verifiquei)
        vou (?:te |lhe |ja )?(?:verificar|consultar|conferir|agendar|abrir|separar|checar)
        vou (?:te |lhe |ja )?(?:atender|responder|ajudar|cuidar|resolver|pedir)
        (?:te|lhe) (?:indico|ajudo|aviso|retorno|envio|mando|oriento|atendo)
        assim (?:te|lhe)
        fica bom|serve para voce|pode ser(?=\s*\?)
        ja (?:abri|agendei|registrei|acionei|solicitei|reenviei|falei com)
        (?:foi|esta sendo) (?:reenviad|agendad|registrad|resolvid)[oa]
        registrei|saiu para entrega|tenta de novo
        """,
        r"""
        (?:happy|glad|pleased|love|like) to (?:help|assist|look|hear|see)
        here (?:to help|for you|if you|whenever)|i'm here|we're here
        let (?:me|us) (?:check|look|know|see|help)|let's (?:take|look|check|see)
        how (?:can|may) (?:i|we) (?:help|assist)
        (?:can|may|could) (?:i|we) (?:help|assist|suggest|reserve|offer|check|send)
        (?:i'll|we'll|i will|we will|i can|we can) (?:check|look|find|let you know|book|see|help|assist|do|get|send)
        (?:i'll|we'll|i will|we will|i can|we can) (?:be right|split|set|register|verify|reserve|do)
        look(?:ing)? into
        i've (?:booked|opened|sent|checked|asked|arranged|passed)|i'm (?:opening|checking|sending|booking|looking)
        has been (?:registered|sent|resent|booked|opened|escalated)|out for delivery
        feel free|reach out|reach me|get back to you
        at your (?:disposal|service)
        if you (?:need|have) any
        any (?:further |other )?questions|anything else
        would you like|shall (?:i|we)
        assist(?:ance|ing)?
        """,
        Sentence("Oferece ajuda.", "Offers help."),
    ),
    _cue(
        "warmth",
        "friendly",
        1.0,
        r"""
        que (?:bom|otimo|beleza|legal|saudade|alegria)
        (?:com|sera um|foi um|e um|muito) prazer
        claro|com certeza|imagina
        maravilha|perfeito|otim[oa]|excelente|fechado|combinado|tudo certo
        parabens|boas-vindas|bem-vind[oa]s?
        (?:um )?(?:grande )?abraco|abs|beijos?|bjs?
        tenha (?:um|uma)|bom (?:fim|final) de semana|ate (?:mais|logo|a proxima|breve)
        (?:noticia|novidade) boa|boa noticia
        sem problemas?|de nada|por nada|tranquilo
        que tal|aproveit[ea]r?
        (?:fico|ficamos|muito) feli(?:z|zes)|adoramos|voce vai (?:amar|adorar)|adoram
        pode confiar|lembrei de voce
        """,
        r"""
        welcome
        (?:great|good|excellent) (?:choice|question|to hear|to see|news|idea)
        perfect|awesome|wonderful|lovely|fantastic|brilliant|great
        enjoy
        have a (?:great|good|nice|lovely|wonderful|fantastic)
        take care|(?:my|a|it was a) pleasure
        of course|certainly|sure|absolutely|no problem|you got it
        congrat\w+|yay|woo\w*|yum
        you'll love|we love|love (?:it|this|that|to)
        (?:so |very |we're |i'm )?(?:glad|delighted|thrilled)|happy
        hope (?:you|this|that|to)|look(?:ing)? forward
        good news|great news|thought of you|for you
        """,
        Sentence("Trata o cliente com simpatia.", "Treats the customer warmly."),
    ),
    _cue(
        "thanks",
        "friendly",
        0.7,
        r"""
        (?:muito )?obrigad[oa]s?|obrigadinh[oa]|brigad[oa]|obg|obgd
        agradec\w+|gratidao|grat[oa]
        valeu|vlw
        """,
        r"""
        thanks?(?: you)?|thx|thnx|ty|tysm
        appreciat\w+|grateful|cheers
        """,
    ),
    _cue(
        "greeting",
        "friendly",
        0.5,
        r"""
        oi+e?|ola|opa|alo
        bo(?:m|a) (?:dia|tarde|noite)
        tudo (?:bem|bom|joia)|td bem|como vai
        """,
        r"""
        hi|hello|hey|hiya|howdy|greetings
        good (?:morning|afternoon|evening)
        how are you
        """,
    ),
    _cue(
        "courtesy",
        "formal",
        0.4,
        r"""
        por favor|pfv|por gentileza|gentileza
        poderia|gostaria|se possivel|com licenca|quando puder
        """,
        r"""
        please|pls|plz
        could you|would you|may i|may we|if you don't mind|when you can
        """,
    ),
    _cue(
        "formal",
        "formal",
        0.6,
        r"""
        prezad[oa]s?|senhora?s?|sr\.?|sra\.?
        atenciosamente|cordialmente|respeitosamente
        informamos|informo|comunicamos|solicitamos|confirmamos|agradecemos|lamentamos|dispomos|concedemos|realizamos
        permanec\w+|esclarec\w+|obtive|darei|deseja|pretende|retomo|registrei|oferecer|compreendo|lamento
        mediante|conforme|referente|em seguida|perfeitamente|consideracao|proposta
        aguardo (?:o )?(?:seu )?(?:retorno|comprovante|contato)
        ajuda-l[oa]s?|atende-l[oa]s?|auxiliar|solicitad[oa]
        """,
        r"""
        dear|sir|madam|ma'am|mr\.?|mrs\.?|ms\.?
        regards|sincerely|respectfully|kindly
        we (?:regret|confirm|inform|advise)|i regret|i am writing|hereby|pursuant
        please (?:allow|be advised|note)
        remain|proceed|proposal|authori[sz]ed|registered|with reference|regarding|within \d+ business
        may be made|carries|to issue
        """,
    ),
)

# What customers write when something went wrong.
COMPLAINTS: dict[Language, re.Pattern[str]] = {
    "pt-BR": _phrases(
        r"""
        nao (?:chegou|recebi|funciona|funcionou|liga|consigo|veio|resolveram|responde\w*)
        (?:ainda )?nao (?:me )?(?:respond\w+|entregaram|retornaram)
        atras(?:ado|ada|o|ou)|demora\w*
        problemas?|defeito|quebr\w+|estragad\w+|danificad\w+|errad[oa]|errou|faltando|faltou
        reclama\w+|cancel\w+|reembolso|estorno|devolver|devolucao|procon
        absurdo|pessim[oa]|horrivel|vergonha|decepcion\w+|insatisf\w+|descaso|falta de respeito|enganad[oa]
        cade|alguem ai|esperando|ate agora|barulho estranho|cobrad[oa] (?:duas|2)
        """
    ),
    "en": _phrases(
        r"""
        (?:hasn't|has not|haven't|have not|didn't|did not|never|not) (?:yet )?(?:arriv|receiv|work|respond|show)\w*
        (?:hasn't|has not|haven't|have not|didn't|did not|never|not) (?:yet )?(?:got|come|get)
        (?:doesn't|does not|isn't|not|stopped) work\w*
        late|delay\w*|still waiting|waiting
        problems?|issues?|broken|damaged|defect\w*|faulty|wrong|missing|error
        complain\w*|cancel\w*|refund|return it
        terrible|awful|worst|horrible|disappoint\w+|unacceptable|ridiculous|frustrat\w+|angry|scam|joke
        anyone there|ignored|strange noise|charged twice|fix
        """
    ),
}
