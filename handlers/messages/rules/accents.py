"""Portuguese words written without their accents, told without a dictionary."""

import re
from collections.abc import Iterator

from handlers.messages.rules.plain_text import PlainText, Word, fold
from handlers.messages.rules.slips import LIGHT, Rule, Sentence, Slip, one_of, rule

# Written right. Without the accent nobody means another word.
_ALWAYS = """
    não você vocês também até já só além porém alguém ninguém então após através atrás aliás parabéns são estão amanhã
    manhã três mês pé pés café água saúde saída saídas conteúdo daí será estará poderá haverá deverá ficará chegará
    fará ótimo ótima ótimos ótimas próximo próxima próximos próximas último última últimos últimas único única únicos
    únicas rápido rápida rápidos rápidas péssimo péssima mínimo mínima máximo máxima básico básica fácil fáceis
    difícil difíceis útil úteis móveis imóveis número números código códigos página páginas período períodos máquina
    máquinas técnico técnica técnicos técnicas título títulos módulo módulos veículo veículos ângulo ângulos índice
    índices série séries preço preços serviço serviços endereço endereços orçamento orçamentos atenção segurança
    licença diferença diferenças mãe mães irmã região vídeo vídeos áudio áudios imóvel automóvel médico médica
    elétrico elétrica eletrônico eletrônica automático automática telefônico específico específica característica
    características crédito débito créditos débitos matéria história histórias memória vitória espécie experiência
    experiências benefício benefícios exercício silêncio comércio sócio sócios prêmio prêmios convênio condomínio
    domínio ruído ruídos juízo prejuízo prejuízos céu chapéu troféu óculos ônibus bônus lápis tênis grátis táxi físico
    física lógico lógica química música músicas clássico clássica gráfico gráfica gráficos político política
    fantástico fantástica mágico mágica plástico plásticos símbolo símbolos método métodos rádio sítio estágio relógio
    relógios privilégio colégio mistério critério critérios sério sérios óbvio óbvia próprio própria próprios próprias
    contrário farmácia pânico orgânico mecânico mecânica cerâmica dinâmica cômodo cômodos sólido sólida líquido úmido
    úmida tímido cálculos simpático simpática diagnóstico doméstico domésticos elástico sábado sábados lâmpada
    lâmpadas câmera câmeras árvore álbum álcool açúcar fôlego sofá inglês português francês japonês xícara caráter
    túnel frágil ágil hábil fóssil têxtil dúvidas cópias análises anúncios negócios inícios públicos notícia notícias
    várias vários língua línguas raízes baú júri vírus ímpar líder líderes
""".split()  # noqa: SIM905 - a list of words is read as one
# Without the accent these are forms of verbs, which do not stand after an article or a preposition.
_AS_NOUN = """
    dúvida início negócio cálculo depósito trânsito público prática prático fábrica cópia análise anúncio média
    círculo válido válida referência influência evidência potência agência gerência denúncia incômodo fluência
    vivência
""".split()  # noqa: SIM905
_BEFORE_NOUN = frozenset(
    """
    o a os as um uma de do da dos das no na em ao à com sem por pelo pela para pra seu sua meu minha nosso nossa este
    esta esse essa qualquer algum alguma nenhum nenhuma todo toda outro outra bom boa melhor mais muito muita ter tem
    tenho tinha é
    """.split()  # noqa: SIM905
)
# Endings that no Portuguese word has without the accent, and the endings as they should be.
_ENDINGS = tuple(
    (re.compile(wrong + "$"), right)
    for wrong, right in (
        (r"(?<=l)cao", "cão"),
        (r"(?<=\w)[cç]ao", "ção"),
        (r"(?<=[^\Waeiou])ao", "ão"),
        (r"(?<=\w)[cç]oes", "ções"),
        (r"(?<=\w[^\Waeiou])oes", "ões"),
        (r"(?<=\w)avel", "ável"),
        (r"(?<=\w)ivel", "ível"),
        (r"(?<=\w)aveis", "áveis"),
        (r"(?<=\w)iveis", "íveis"),
        (r"(?<=\w)encia", "ência"),
        (r"(?<=\w)encias", "ências"),
        (r"(?<=\w)ancia", "ância"),
        (r"(?<=\w)ancias", "âncias"),
        (r"(?<=\w\w)ario", "ário"),
        (r"(?<=\w\w)arios", "ários"),
        (r"(?<=\w\w)orio", "ório"),
        (r"(?<=\w\w)orios", "órios"),
        (r"(?<=\w\w)issimo", "íssimo"),
        (r"(?<=\w\w)issima", "íssima"),
        (r"(?<=\w\w)aneo", "âneo"),
    )
)
# Verbs that end so, and words of other languages.
_FOREIGN = frozenset(
    """
    ciao bilbao macao cacao shoes goes does heroes potatoes travel gravel navel marvel mario dario rosario ontario
    valencia florencia palencia financia diferencia sentencia licencia presencia silencia distancia credencia gerencia
    agencia referencia influencia evidencia potencia vivencia fluencia
    """.split()  # noqa: SIM905
)
_CLITIC = re.compile(r"\w+(?:a-l[oa]s?|e-l[oa]s?|o-l[oa]s?)")

_MISSING = {fold(word): word for word in _ALWAYS}
_MISSING_NOUN = {fold(word): word for word in _AS_NOUN}
_NUMBER = r"(?:\d{1,3}|uma?|dois|duas|três|quatro|cinco|seis|alguns|algumas|muito|mais|quanto|pouco|vários)"
_QUALITY = one_of(
    "muito bem bom boa ótimo ótima só so mais melhor pior possível possivel preciso necessário grátis gratuito novo"
    " nova original lindo linda um uma nosso nossa seu rápido fácil difícil importante excelente claro verdade normal"
)
_STATE = one_of(
    "tudo bem muito em no na nos com sem de por aqui disponível disponivel ok pronto certo ótimo otimo bom incluso"
    " incluído funcionando bastante dentro acima atrasado esgotado parado quebrado pago confirmado acabando"
)


def _context(right: str, *patterns: str) -> Rule:
    return rule("accent", f"Faltou o acento: “{right}”.", f"The accent is missing: “{right}”.", *patterns, weight=LIGHT)


# Words that exist both ways, told by their neighbours.
_CONTEXTS = (
    _context("à” ou “há", r"(?<![\w-])á(?![\w-])"),
    _context(
        "é",
        rf"\b(?:não|nao|isso|isto|ele|ela|aqui|também|tambem|que|qual|quanto|onde) (?P<slip>e) {_QUALITY}\b",
        r"\b(?:produto|preço|valor|prazo|atendimento|som|aparelho|qualidade|imagem|entrega) (?P<slip>e) (?:muito )?"
        r"(?:bom|boa|ótim[oa]|excelente|maravilhos[oa]|perfeit[oa])(?=\s*(?:[.,!;]|$))",
        r"\b(?:valor|preço|frete|total) (?P<slip>e) (?=r\$)",
        r"(?:^|[.!?]\s+)(?P<slip>e) (?:possível|possivel|preciso|original|grátis)\b",
    ),
    _context(
        "está",
        rf"\besta (?={_STATE}\b|\w{{2,}}(?:ando|endo|indo)\b)",
        r"\b(?:você|voce|vc|ele|ela|não|nao|já|ja|tudo|ainda|onde|pedido|produto|valor) (?P<slip>esta)\b"
        r"(?! (?:vez|semana|hora|opção|noite|tarde))",
    ),
    _context(
        "dá",
        r"\b(?:não|nao|me|te|já|ja|só|so|se|que) (?P<slip>da)\b(?! (?:mesma|sua|minha|nossa|loja|empresa))",
        r"\bda (?=pra\b)",
    ),
    _context(
        "aí",
        r"\b(?:por|e|daqui|até|ate|espera|pera) (?P<slip>ai)\b",
        r"(?<![\w-])ai (?=(?:em|no|na|vai|está|sim|você|vc|eu|é|pode|fica|então|a gente)\b)",
    ),
    _context(
        "lá",
        r"\b(?:até|ate|por|pra|vou|fica|estou|vai|está|de) (?P<slip>la)\b",
        r"(?<![\w-])la (?=(?:em|no|na|dentro|fora|pra|você)\b)",
    ),
    _context("há", rf"\bha (?={_NUMBER} )", r"\b(?:não|nao|que|ainda) (?P<slip>ha)\b"),
)


def find(text: PlainText) -> Iterator[Slip]:
    """Find words of *text* whose accent is missing."""
    before = ""
    for word in text.words:
        # "Gregorio" is a name; but a message may begin with "Informacao".
        may_be_name = word.start > 0 and word.text.istitle()
        right = _MISSING.get(word.lower) or (None if may_be_name else _by_ending(word.lower))
        if right is None and before in _BEFORE_NOUN:
            right = _MISSING_NOUN.get(word.lower)
        if right is not None:
            yield missing(word, right)
        before = word.lower
    for context in _CONTEXTS:
        yield from context.find(text.masked)


def missing(word: Word, right: str) -> Slip:
    """Say that *word* should be written *right*."""
    reason = Sentence(f"Faltou o acento: “{right}”.", f"The accent is missing: “{right}”.")
    return Slip(word.start, word.end, "accent", LIGHT, reason)


def _by_ending(word: str) -> str | None:
    if _CLITIC.fullmatch(word):
        stem, clitic = word.split("-", 1)
        return f"{stem[:-1]}{'áêô'['aeo'.index(stem[-1])]}-{clitic}"
    if word in _FOREIGN:
        return None
    endings = ((ending.search(word), right) for ending, right in _ENDINGS)
    return next((word[: found.start()] + right for found, right in endings if found), None)
