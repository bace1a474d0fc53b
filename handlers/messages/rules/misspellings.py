"""Frequent misspellings, for when no dictionary is installed and for those that a dictionary lets pass."""

from collections.abc import Iterator

from handlers.messages.quality import Language
from handlers.messages.rules.plain_text import PlainText, Word
from handlers.messages.rules.slips import PLAIN, Sentence, Slip

# wrong=right; "_" stands for a space.
_PORTUGUESE = """
    adiquiri=adquiri adiquirido=adquirido adiquirir=adquirir ageitar=ajeitar agilisar=agilizar ajente=a_gente
    alguen=alguém analizar=analisar analize=análise anciosa=ansiosa ancioso=ansioso aparti=a_partir apartir=a_partir
    apezar=apesar apois=após asistencia=assistência asistência=assistência assitir=assistir assitência=assistência
    atedimento=atendimento atendimeto=atendimento atravez=através atravéz=através atraz=atrás atrazado=atrasado
    atrazo=atraso axei=achei axo=acho bastanti=bastante beneficiente=beneficente cabelereiro=cabeleireiro
    certesa=certeza chingar=xingar comcerteza=com_certeza comfirmado=confirmado comfirmar=confirmar
    comprimisso=compromisso comprovate=comprovante comsigo=consigo concerteza=com_certeza confimado=confirmado
    confimar=confirmar conpra=compra conprar=comprar conserteza=com_certeza consiguir=conseguir contracto=contrato
    denovo=de_novo derepente=de_repente derrepente=de_repente desculpi=desculpe descupa=desculpa descupe=desculpe
    dezconto=desconto dificio=difícil disconto=desconto discupa=desculpa ecelente=excelente efeituar=efetuar
    embaicho=embaixo emfim=enfim emviamos=enviamos emviar=enviar emvio=envio enbalagem=embalagem encima=em_cima
    enteresse=interesse entrege=entregue entregua=entrega escelente=excelente espectativa=expectativa
    espectativas=expectativas esperiencia=experiência esperiência=experiência esplicar=explicar esplico=explico
    excessão=exceção excesão=exceção exelente=excelente exelência=excelência exeção=exceção exitar=hesitar
    extende=estende extendida=estendida extenção=extensão fasemos=fazemos faser=fazer fassa=faça fassil=fácil
    fasso=faço fazé=fazer fexado=fechado fexar=fechar fuciona=funciona fucionamento=funcionamento fucionar=funcionar
    geito=jeito gorgeta=gorjeta imagen=imagem imediatamete=imediatamente imformar=informar imformação=informação
    imformações=informações inclusivel=inclusive infelismente=infelizmente infelizmemte=infelizmente
    infelizmete=infelizmente interece=interesse interesante=interessante interese=interesse intereçado=interessado
    intrega=entrega intregar=entregar intão=então mechendo=mexendo mecher=mexer mensagen=mensagem menssagem=mensagem
    muinta=muita muinto=muito necesario=necessário nescessario=necessário nescessário=necessário
    nessecidade=necessidade ningúem=ninguém obrigad=obrigado obrigadu=obrigado opnião=opinião oque=o_que
    orsamento=orçamento orssamento=orçamento pagamneto=pagamento paralizado=paralisado paralizar=paralisar
    pesquiza=pesquisa pesquizar=pesquisar poblema=problema pobrema=problema porduto=produto porfavor=por_favor
    poriso=por_isso porisso=por_isso prazerozo=prazeroso presisa=precisa presisar=precisar presiso=preciso
    pressiso=preciso previlégio=privilégio previnir=prevenir problena=problema probrema=problema proceço=processo
    prodruto=produto produdo=produto propio=próprio pruduto=produto própia=própria própio=próprio quado=quando
    quaiquer=quaisquer qualidad=qualidade qualque=qualquer quizer=quiser quizermos=quisermos quizesse=quisesse
    qunado=quando realisar=realizar realmete=realmente recebel=recebeu reclamasão=reclamação recomento=recomendo
    reinvindicar=reivindicar resolvel=resolveu serviso=serviço servisso=serviço siguinte=seguinte
    simplismente=simplesmente solussão=solução solusão=solução sucego=sossego tabem=também tabém=também talves=talvez
    tambén=também tanbem=também tanbém=também tauvez=talvez tranferência=transferência tranportadora=transportadora
    transpotadora=transportadora trasferência=transferência trasporte=transporte trousse=trouxe troxe=trouxe
    utilisar=utilizar vendel=vendeu veses=vezes viagen=viagem voceis=vocês vose=você vosê=você voçe=você voçê=você
    xega=chega xegar=chegar xegou=chegou
"""
_ENGLISH = """
    accomodate=accommodate acheive=achieve acommodate=accommodate adres=address adress=address agian=again alot=a_lot
    apparantly=apparently appologise=apologise appologize=apologize appriciate=appreciate apreciate=appreciate
    arguement=argument asemble=assemble assistence=assistance assitance=assistance availabe=available
    availible=available avaliable=available beacuse=because becasue=because becuase=because begining=beginning
    beleive=believe belive=believe buisness=business bussines=business bussiness=business calender=calendar
    cancle=cancel catagory=category certian=certain collegue=colleague comming=coming commited=committed
    completly=completely concious=conscious confortable=comfortable conveniance=convenience costumer=customer
    costumers=customers customar=customer cutomer=customer definately=definitely definatly=definitely
    definitly=definitely delievery=delivery delivary=delivery diferent=different diffrent=different
    disapointed=disappointed discription=description dissapoint=disappoint dissapointed=disappointed
    embarass=embarrass enviroment=environment existance=existence experiance=experience familar=familiar
    finaly=finally foward=forward freind=friend garantee=guarantee gaurantee=guarantee goverment=government
    guarentee=guarantee happend=happened imediately=immediately immediatelly=immediately immediatly=immediately
    inconvenince=inconvenience inconvience=inconvenience inconvinience=inconvenience independant=independent
    infomation=information intrest=interest intrested=interested intresting=interesting knowlege=knowledge
    liason=liaison maintainance=maintenance maintenence=maintenance mesage=message messege=message
    neccessary=necessary necesary=necessary necessery=necessary noticable=noticeable ocasion=occasion
    occassion=occasion occured=occurred occuring=occurring ofcourse=of_course oppurtunity=opportunity paiment=payment
    payed=paid paymant=payment peice=piece perfer=prefer posible=possible possibel=possible prefered=preferred
    probaly=probably probelm=problem proccess=process profesional=professional promblem=problem publically=publicly
    realy=really reccomend=recommend reciept=receipt recieve=receive recieved=received recieving=receiving
    recomend=recommend recommanded=recommended refered=referred refering=referring relevent=relevant responce=response
    resturant=restaurant satisfyed=satisfied schedual=schedule seperate=separate seperately=separately
    shiping=shipping shippment=shipment sincerly=sincerely sory=sorry succesful=successful successfull=successful
    sucessful=successful suport=support suprise=surprise tecnical=technical thier=their tommorow=tomorrow
    tommorrow=tomorrow tomorow=tomorrow truely=truly unfortunatelly=unfortunately unfortunatly=unfortunately
    untill=until usualy=usually waranty=warranty warrenty=warranty whitch=which whould=would wich=which wierd=weird
    writting=writing yestaday=yesterday yestarday=yesterday
"""


def _pairs(text: str) -> dict[str, str]:
    pairs = (pair.split("=") for pair in text.split())
    return {wrong: right.replace("_", " ") for wrong, right in pairs}


_KNOWN: dict[Language, dict[str, str]] = {"pt-BR": _pairs(_PORTUGUESE), "en": _pairs(_ENGLISH)}


def find(text: PlainText, language: Language) -> Iterator[Slip]:
    """Find frequent misspellings of *language* in *text*."""
    known = _KNOWN[language]
    for word in text.words:
        right = known.get(word.lower)
        if right is not None:
            yield misspelled(word, right)


def misspelled(word: Word, right: str | None = None) -> Slip:
    """Say that *word* is misspelled and, where it is known, how it is written."""
    if right is None:
        reason = Sentence(f"“{word.text}” não está no dicionário.", f"“{word.text}” is not in the dictionary.")
    else:
        reason = Sentence(f"Escreve-se “{right}”.", f"It is written “{right}”.")
    return Slip(word.start, word.end, "spelling", PLAIN, reason)
