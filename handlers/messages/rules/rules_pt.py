"""Slips of Portuguese grammar that patterns tell with few false alarms."""

from handlers.messages.rules.slips import HEAVY, LIGHT, Rule, one_of, rule

# What may stand between a subject and its verb.
_NOT = r"(?:(?:não|nao|já|só|também|te|lhe|se|nos|ainda|sempre) ){0,2}"
_COUNT = one_of("dois duas três tres quatro cinco seis sete oito nove dez doze quinze vinte trinta")
_NUMBER = rf"(?:[2-9]|[1-9]\d{{1,2}}|{_COUNT})"
_SOME = one_of("poucos poucas alguns algumas muitos muitas vários várias")
_TIMES = one_of("ano anos meses mês mes dia dias semana semanas hora horas minuto minutos")
_UNIT = one_of("dia parcela unidade mês mes ano hora semana pessoa minuto vez")
_PLURAL_ARTICLE = one_of(
    "os as dos das uns umas esses essas estes estas meus minhas seus suas nossos nossas aos pelos pelas"
)
# Other nouns are left alone: without a lexicon too many of them are verbs.
_NOUN = one_of(
    "produto pedido cliente valor preço item modelo boleto dado documento dia prazo peça parcela condição opção"
    " informação foto unidade compra loja entrega nota dúvida pessoa semana hora mensagem serviço plano equipamento"
    " pagamento desconto cartão taxa cor conta cadeira móvel aparelho técnico vendedor colega forma oferta promoção"
)
_MASCULINE = one_of("problema sistema telefonema programa produto pedido boleto desconto prazo")
_FEMININE = one_of("garantia parcela entrega loja dúvida mensagem proposta promoção informação")
_SINGULAR_VERB = one_of("vai pode foi está quer faz sabe consegue precisa ficou disse chegou gostou fica deve")
_INFINITIVE = one_of(
    "fazer verificar ver enviar mandar pegar passar falar saber gerar emitir confirmar consultar olhar calcular"
    " conferir ligar separar resolver poder receber pagar responder agendar reservar finalizar fechar"
)
_CUT_VERB = one_of("fecha confia manda paga verifica fala pega envia passa resolve confirma agenda espera ve faze")
# After a preposition "eles", "nós" are no subject.
_SUBJECT = r"(?<!para )(?<!pra )(?<!pro )(?<!de )(?<!com )(?<!por )(?<!entre )(?<!sobre )(?<!a )(?<!em )(?<!e )\b"
_CLAUSE = r"(?:^|(?<=[.!?,;:\n])|(?<=\bque )|(?<=\bmas )|(?<=\bse )|(?<=\bquando )|(?<=\bporque )|(?<=\bpq ))\s*"
# Before these "as 10h" is no time at which something happens.
_AT = r"(?<!entre )(?<!todas )(?<!após )(?<!desde )(?<!para )(?<!até )(?<!são )(?<!das )(?<!com )(?<! e )\b"
_HARD_FOR_ME = (
    r"(?<!fácil )(?<!difícil )(?<!importante )(?<!bom )(?<!melhor )(?<!complicado )(?<!prazer )(?<!possível )"
)
_BUT = one_of("não nao n eu ele ela você vc tem é infelizmente como se vou está foi só agora posso consigo ainda tá ta")

RULES: tuple[Rule, ...] = (
    rule(
        "agreement",
        "Com “a gente” o verbo fica no singular: “a gente vai”.",
        "“A gente” takes a singular verb: “a gente vai”.",
        rf"\ba ?gente {_NOT}(?!mesmos\b)(?:\w+[aei]|so|va)mos\b",
        weight=HEAVY,
    ),
    rule(
        "confusion",
        "“Agente” é o profissional; o pronome se escreve “a gente”.",
        "“Agente” is a person's job; the pronoun is written “a gente”.",
        _CLAUSE
        + rf"(?P<slip>agente) {_NOT}(?:que )?"
        + one_of(
            "vai tem pode faz manda entrega está ta tá consegue fica quer monta envia aceita parcela trabalha liga"
        ),
    ),
    rule(
        "agreement",
        "O sujeito está no plural e o verbo no singular.",
        "The subject is plural and the verb is singular.",
        rf"{_SUBJECT}(?:n[óo]s|eles|elas|vocês|voces|vcs) {_NOT}{_SINGULAR_VERB}\b",
        rf"{_SUBJECT}n[óo]s {_NOT}tem\b",
        weight=HEAVY,
    ),
    rule(
        "accent",
        "No plural se escreve “têm” e “vêm”.",
        "The plural is written “têm” and “vêm”.",
        rf"{_SUBJECT}(?:eles|elas|vocês|voces|vcs) {_NOT}(?P<slip>tem|vem)\b",
        weight=LIGHT,
    ),
    rule(
        "agreement",
        "O verbo não concorda com “eu”.",
        "The verb does not agree with “eu”.",
        rf"(?<!do que )(?<! e )\beu {_NOT}(?:vai|tem|está|esta|faz|quer|pode|sabe)\b",
        weight=HEAVY,
    ),
    rule(
        "agreement",
        "“Haver” no sentido de existir não tem plural: “houve”.",
        "“Haver” meaning “to exist” has no plural: “houve”.",
        r"(?<!se )\bhouveram\b(?! de\b)(?! por\b)(?! \w+[ai]d[oa]s?\b)",
        rf"\b(?:haviam|haverão|podem haver|devem haver|vão haver) (?=(?:{_SOME}|mais|dois|duas|problemas|atrasos)\b)",
    ),
    rule(
        "agreement",
        "“Fazer” indicando tempo fica no singular: “faz dois dias”.",
        "“Fazer” about time stays singular: “faz dois dias”.",
        r"(?<!eles )(?<!elas )(?<!vocês )(?<!que )\bfazem (?:uns |mais de |quase |cerca de )?"
        rf"(?:{_NUMBER}|{_SOME}) {_TIMES}\b",
    ),
    rule(
        "agreement",
        "O verbo vai para o plural com o que vem depois: “restam duas unidades”.",
        "The verb agrees with what follows: “restam duas unidades”.",
        r"\b(?:falta|resta|sobra|existe|sobrou|restou|faltou) (?:apenas |só |somente |ainda )?"
        rf"(?:{_NUMBER}|{_SOME}) \w+s\b",
    ),
    rule(
        "agreement",
        "O que se envia está no plural: “seguem os dados”.",
        "What is sent is plural: “seguem os dados”.",
        r"\bsegue (?:abaixo |em anexo |anexo |então )?(?:os|as) (?!instruç|passo|etapa|regra|orient|dica|norma)\w+s\b",
        weight=LIGHT,
    ),
    rule(
        "agreement",
        "O artigo está no plural e o substantivo no singular.",
        "The article is plural and the noun is singular.",
        rf"\b{_PLURAL_ARTICLE} {_NOUN}\b(?!-)",
        weight=HEAVY,
    ),
    rule(
        "agreement",
        "O número pede o plural: “cinco dias”.",
        "The number asks for a plural: “cinco dias”.",
        rf"(?<![\d.,/:#$])(?<!\$ )\b{_NUMBER} {_UNIT}\b(?!-)",
    ),
    rule(
        "agreement",
        "Singular e plural não combinam.",
        "Singular and plural do not match.",
        r"\bdia (?:úteis|uteis)\b",
        r"\bqualquer (?:dúvidas|duvidas|informações|problemas|coisas|perguntas|questões)\b",
        r"\bquaisquer (?:dúvida|duvida|informação|coisa|problema|pergunta)\b",
    ),
    rule(
        "agreement",
        "O artigo não concorda com o gênero do substantivo.",
        "The article does not agree with the gender of the noun.",
        rf"\b(?:uma|da|na|essa|esta|minha|sua|nossa) {_MASCULINE}\b",
        rf"\b(?:um|do|no|esse|este|meu|seu|nosso) {_FEMININE}\b",
    ),
    rule(
        "agreement",
        "“Meia” só concorda quando é metade: “meio-dia e meia”, “meio cansada”.",
        "“Meia” agrees only when it is a half: “meio-dia e meia”, “meio cansada”.",
        r"\bmeio[- ]dia e meio\b",
        r"\bmeia (?:cansada|triste|confusa|perdida|chateada|complicada|difícil|atrasada|nervosa)\b",
    ),
    rule(
        "word_choice",
        "“Menas” não existe: “menos” não varia.",
        "“Menas” does not exist: “menos” never varies.",
        r"\bmenas\b",
        weight=HEAVY,
    ),
    rule(
        "word_choice",
        "Depois de preposição se usa “mim”: “entre mim e você”.",
        "After a preposition it is “mim”: “entre mim e você”.",
        r"\bentre eu e\b",
    ),
    rule(
        "verb_form",
        "Antes de verbo se usa “para eu”: “para eu verificar”.",
        "Before a verb it is “para eu”: “para eu verificar”.",
        rf"{_HARD_FOR_ME}\b(?:para|pra) mim (?:te |lhe |já )?{_INFINITIVE}\b",
    ),
    rule(
        "verb_form",
        "As formas são “seja” e “esteja”.",
        "The forms are “seja” and “esteja”.",
        r"\b(?:seje|sejem|esteje|estejem|teje)\b",
        weight=HEAVY,
    ),
    rule(
        "verb_form",
        "O infinitivo é “vir”: “pode vir”.",
        "The infinitive is “vir”: “pode vir”.",
        r"\b(?:vou|vai|vamos|vão|pode|posso|podem|consegue|quer|poder|para|pra) (?P<slip>vim)\b",
    ),
    rule(
        "verb_form",
        "O particípio é “chegado”, “trazido”.",
        "The participle is “chegado”, “trazido”.",
        r"\b(?:tinha|tinham|tenho|havia|teria) (?P<slip>chego|trago)\b",
    ),
    rule(
        "verb_form",
        "O infinitivo termina em r: “pode confiar”.",
        "The infinitive ends in r: “pode confiar”.",
        rf"\b(?:vou|vai|vamos|vamo|vo|posso|podemos|consigo|quer) (?P<slip>{_CUT_VERB})\b(?! de\b)",
        rf"(?<!quem )(?<!que )(?<!quando )\bpode (?P<slip>{_CUT_VERB})\b",
        r"\bp(?:a)?ra (?P<slip>fecha|confia|pega|faze)\b(?! a\b| o\b)",
    ),
    rule(
        "verb_form",
        "A forma conjugada é “dá”: “não dá para”.",
        "The conjugated form is “dá”: “não dá para”.",
        r"\bnão (?P<slip>dar) (?:pra|para|mais)\b",
    ),
    rule(
        "verb_form",
        "Gerundismo: “vou enviar” em vez de “vou estar enviando”.",
        "Needless gerund: “vou enviar” instead of “vou estar enviando”.",
        r"\b(?:vou|vamos|vai|irei|iremos|vão) estar (?:te |lhe )?\w{3,}ndo\b",
        weight=LIGHT,
    ),
    rule(
        "crase",
        "Não há crase antes de verbo, pronome ou palavra masculina: “a partir”.",
        "No crase before a verb, a pronoun or a masculine word: “a partir”.",
        r"\bà (?="
        + one_of(
            "partir prazo pé você voce vc vcs vocês ele ela eles elas todos todas cada qualquer esse essa este esta"
        )
        + r"\b)",
        r"\bà (?=(?:um|mim|nós|respeito|domicílio)\b|(?!mulher|colher|mister)\w{2,}(?:ar|er|ir)\b)",
    ),
    rule(
        "crase",
        "A locução leva crase: “à vista”, “à disposição”.",
        "The phrase takes a crase: “à vista”, “à disposição”.",
        r"\b(?:pagamento|pagar|pago|paga|valor|preço|desconto|pix|dinheiro|só|ou|compra|quer) (?P<slip>a vista)\b",
        r"\d%? (?P<slip>a vista)\b|\ba vista (?=(?:no|ou|com|por|fica|sai|tem|via|em)\b)",
        r"\b(?:estou|estamos|fico|ficamos|sempre|permane\w+|segu?imos|continu\w+) (?P<slip>a (?:sua )?disposição)\b",
        weight=LIGHT,
    ),
    rule(
        "crase",
        "Horas levam crase: “às 10h”.",
        "Hours take a crase: “às 10h”.",
        rf"{_AT}as (?=[12]?\d ?(?:h|hs|hrs|horas?|h\d\d|:\d\d)\b(?! d))",
        weight=LIGHT,
    ),
    rule(
        "confusion",
        "A ideia contrária se escreve “mas”; “mais” é quantidade.",
        "“But” is “mas”; “mais” means “more”.",
        rf"\bquanto mais [^.!?\n]{{1,200}}|[,;.…] ?(?P<slip>mais) (?:{_BUT}|mesmo assim|na verdade)\b",
        r"(?<!nada )(?<!que )(?<!quanto )(?<!muito )\b(?P<slip>mais) (?:infelizmente|tem (?:q|que) ser)\b",
        r"(?<!nada )(?<!que )(?<!quanto )\b(?P<slip>mais) n[ãa]o (?:consigo|posso|podemos|tem|temos|garanto)\b",
    ),
    rule(
        "confusion",
        "“Mau” é o contrário de “bom”; “mal”, de “bem”.",
        "“Mau” is the opposite of “bom”; “mal” of “bem”.",
        r"\bmal (?:atendimento|cheiro|humor|estado|gosto|funcionamento|uso)\b",
        r"\bmau (?:feit[oa]|atendid[oa]|educad[oa]|entendido|resolvido|humorado)\b",
    ),
    rule(
        "confusion",
        "Na pergunta se escreve separado, “por que”; o substantivo é “porquê”.",
        "In a question it is two words, “por que”; the noun is “porquê”.",
        r"(?:^|[.!?]\s+)(?P<slip>porque) [^.!?\n]{1,80}\?",
        r"\bo porque\b(?! você)",
        weight=LIGHT,
    ),
    rule(
        "confusion",
        "Tempo passado se escreve com “há”: “há dois dias”.",
        "Time gone by is written “há”: “há dois dias”.",
        rf"\b(?P<slip>a) (?:1|um|uma|{_NUMBER}|{_SOME}|muito|pouco) (?:{_TIMES}|tempo) (?:atrás|atras|que)\b",
        rf"(?<!daqui )(?<!daki )\b(?P<slip>a) mais de (?:um|uma|\d+|{_COUNT}) {_TIMES}\b",
        r"(?<!daqui )(?<!daki )\b(?P<slip>a) (?:muito|pouco) tempo\b(?! d)",
        r"\b(?:tenho|uso|comprei|possuo|moro|trabalho|espero|esperando|aguardo|aguardando|conheço) "
        rf"(?:(?!de )[^\W\d]+ ){{0,4}}(?P<slip>a) (?:um|uma|\d+|{_COUNT}) {_TIMES}\b",
    ),
    rule(
        "confusion",
        "“Traz” é do verbo trazer; “trás” é a parte de trás.",
        "“Traz” is “brings”; “trás” is the back.",
        r"\b(?:que|ele|ela|isso|já|não|te|nos|lhe|produto) (?P<slip>tr[áa]s)\b",
        r"\b(?:por|para|pra|de) (?P<slip>traz)\b",
    ),
    rule(
        "confusion",
        "O substantivo é “viagem”; “viajem” é do verbo.",
        "The noun is “viagem”; “viajem” is a verb form.",
        r"\b(?:boa|a|uma|sua|da|na|minha|essa|nossa) (?P<slip>viajem)\b",
    ),
    rule(
        "confusion",
        "“Aonde” indica movimento; aqui é “onde”.",
        "“Aonde” is for movement; here it is “onde”.",
        r"\baonde (?:fica|está|esta|é|mora|tem)\b",
        weight=LIGHT,
    ),
    rule(
        "confusion",
        "Finalidade se escreve separado: “a fim de”.",
        "Purpose is two words: “a fim de”.",
        r"\bafim de (?!mulher)(?:\w{2,}(?:ar|er|ir)|que)\b",
    ),
    rule(
        "repetition",
        "Palavra repetida.",
        "A word stands twice.",
        r"\b(de|da|do|das|dos|para|com|em|no|na|um|uma|por|os|as|e|o|seu|sua|meu|minha|pelo|pela|ao) \1\b(?!-)",
        r"\b(são|está|foi|você|esse|essa|este|esta|pedido|produto) \1\b(?!-)",
    ),
)
