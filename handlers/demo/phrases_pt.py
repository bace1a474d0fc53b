"""What is said in Portuguese: one phrase a line; before a bar, the only style that says it.

In braces stand slots that `goods`, the contact and the agent fill.
"""

# What people of the team write. Styles: formal, warm, curt, sloppy; without one, anybody.
TEAM = {
    "greet": """
        {hi}, {name}! Aqui é {agent}, da {company}.
        Olá, {name}, tudo bem? Meu nome é {agent} e vou te atender.
        Oi {name}, {agent} aqui. Como posso ajudar?
        {hi}! Sou {agent}, da equipe de vendas.
        Oi, {name}! Vi sua mensagem, já vou te responder.
        formal|{hi}, {name}. Meu nome é {agent}, da equipe comercial da {company}. Como posso ajudá-lo hoje?
        formal|Prezado cliente, {hi_low}. Agradecemos o contato com a {company}. Será um prazer atendê-lo.
        formal|{hi}, {name}. Agradeço o seu contato. Darei sequência ao seu atendimento.
        warm|Oi, {name}! Que bom falar com você! 😊 Sou {agent} e vou cuidar do seu atendimento.
        warm|{hi}, {name}! Boas-vindas à {company}! 💛 Aqui é {agent}.
        warm|Oiê, {name}! Tudo bem por aí? Aqui é {agent}, pode contar comigo!
        curt|Oi.
        curt|Pode falar.
        curt|{hi}. O que precisa?
        curt|Sim?
        sloppy|oi {name} aki é {agent} blz?
        sloppy|opa td bem? {agent} aqui
    """,
    "apology": """
        Desculpe a demora, {name}.
        Desculpa a demora, estava em outro atendimento.
        Perdão pela demora! Hoje o movimento está grande.
        {thanks} por aguardar, {name}.
        formal|Peço desculpas pela demora no retorno, {name}.
        formal|Lamentamos a espera. Tivemos um volume de atendimentos acima do normal.
        warm|Mil desculpas pela demora, {name}! 🙏 Já estou aqui com você.
        warm|Ai, desculpa te deixar esperando! Vamos resolver agora.
        curt|Estava ocupado.
        curt|Só vi agora.
        sloppy|descupa a demora ai, tava corrido
        sloppy|foi mal a demora kkk
    """,
    "price": """
        {The} está por {price} ou {times}x de {part} sem juros.
        Hoje {the} sai por {price}. No PIX fica {cash}.
        O valor {of} é {price}, à vista no PIX {cash}.
        Está {price}, em até {times}x de {part}.
        {price} no cartão em {times}x ou {cash} no PIX, com {off}% de desconto.
        Para {city} fica {price} com frete incluso, ou {cash} no PIX.
        formal|O investimento é de {price}, parcelado em até {times} vezes de {part} sem juros. À vista, {cash}.
        formal|Informo que {the} está com o valor de {price}. Para pagamento via PIX, concedemos {off}% de desconto.
        warm|Tenho uma notícia boa: {the} está em promoção por {price}! 🎉 E no PIX cai para {cash}.
        warm|Olha que beleza: {price} em {times}x de {part}, ou só {cash} no PIX 😉
        curt|{price}.
        curt|{price} ou {times}x de {part}.
        curt|Já falei, {price}.
        curt|O preço está no site.
        sloppy|ta saindo {price}, mais no pix faço {cash}
        sloppy|o valor e {price} parcelado em {times}x , concerteza melhor preço da cidade
    """,
    "stock": """
        Temos sim, {name}! {The} está disponível para pronta entrega.
        Tem sim, na cor {colour}. Quantas unidades você precisa?
        Sim, restam {people} unidades no estoque.
        Disponível, chega na loja toda {day}.
        Nessa cor acabou, mas tenho na cor {colour}. Serve?
        No momento está em falta. Previsão de chegada: {day}.
        formal|Sim, dispomos do produto em estoque, na cor {colour}. Posso reservar uma unidade em seu nome?
        formal|No momento o item está indisponível. A reposição está prevista para {day}. Deseja que eu o avise?
        warm|Temos sim! 😍 E você deu sorte: são as últimas {people} unidades.
        warm|Claro que temos, {name}! Posso separar uma unidade para você?
        curt|Tem.
        curt|Acabou.
        curt|Não sei, teria que ver.
        curt|Só na cor {colour}.
        sloppy|tem sim, a gente temos na cor {colour}
        sloppy|acho q tem ainda, vo ver e te falo
    """,
    "delivery": """
        Para {city} o prazo é de {days} dias úteis.
        Entregamos no {district} até {day}, frete {freight}.
        O frete para o CEP {cep} fica {freight}, e chega em {days} dias úteis.
        Entrega em {days} dias. A montagem está inclusa.
        Se fechar hoje, sai amanhã e chega até {day}.
        Pode retirar na loja também, sem custo, a partir de {day}.
        formal|O prazo de entrega para {city} é de {days} dias úteis após o pagamento. O frete é de {freight}.
        formal|Nossa transportadora realiza entregas no {district} em horário comercial, com agendamento prévio.
        warm|Para o seu bairro o frete é grátis! 🚚 Chega em {days} dias úteis.
        warm|Consigo encaixar sua entrega na {day}, por volta das {hour}. Fica bom para você?
        curt|{days} dias.
        curt|Depende do CEP.
        curt|Frete {freight}.
        curt|Te garanto 100% que chega amanhã.
        sloppy|entrega em {days} dia uteis, agente que monta
        sloppy|pro {district} da pra entregar ate {day} viu
    """,
    "payment": """
        Aceitamos PIX, boleto e cartão em até {times}x sem juros.
        Pode ser no PIX ({cash}) ou no cartão em {times}x de {part}.
        No boleto é à vista, com vencimento em 3 dias. No PIX tem {off}% de desconto.
        Dá para dividir: entrada no PIX e o resto em {times}x no cartão.
        Parcelamos em até {times}x de {part}, sem juros.
        formal|As formas de pagamento são PIX, boleto bancário e cartão de crédito em até {times} vezes sem juros.
        formal|Para pagamento à vista por PIX, o valor é de {cash}. No cartão, {times} parcelas de {part}.
        warm|Aceitamos tudo! 😄 PIX, boleto, cartão em {times}x... o que fica melhor para você?
        warm|Posso fazer em {times}x de {part} para não pesar no bolso 😉
        curt|PIX ou cartão.
        curt|Só à vista ou {times}x.
        curt|Boleto não.
        sloppy|pix boleto e cartão em ate {times}x
        sloppy|parcela sim, {times} veses de {part}
    """,
    "details": """
        {The} tem 12 meses de garantia de fábrica.
        Vem completo, com manual e nota fiscal.
        A garantia é de 1 ano, e você pode estender por mais {month} meses.
        É bivolt, sim. A assistência técnica fica em {city}.
        Produto novo, lacrado, com nota fiscal no seu CPF.
        Se não gostar, a troca é feita em até 7 dias.
        formal|O produto possui garantia de 12 meses do fabricante e nota fiscal. Envio a ficha técnica em seguida.
        formal|Esclareço que a troca pode ser solicitada em até sete dias, conforme o Código de Defesa do Consumidor.
        warm|Pode confiar, {name}: são 12 meses de garantia e qualquer coisa você fala direto comigo! 🤝
        warm|Esse modelo é um sucesso, os clientes adoram! Tem 1 ano de garantia 💪
        curt|1 ano de garantia.
        curt|Está no site.
        curt|Não sei te dizer.
        sloppy|tem garantia de um ano, menas da bateria
        sloppy|é original sim, pode confia
    """,
    "need": """
        Me conta: é para uso em casa ou no trabalho?
        Você prefere pagar à vista ou parcelado?
        Para quando você precisa?
        Qual é o seu CEP, para eu calcular o frete?
        É para quantas pessoas?
        Você já tem um orçamento em mente?
        Quem vai decidir a compra é você ou a família participa?
        formal|Para indicar a melhor opção, poderia me informar qual será o uso e para quando precisa?
        formal|Poderia me informar a faixa de valor que pretende investir?
        warm|Me conta um pouquinho mais, {name}: o que você está procurando? Assim te indico o melhor! 😊
        warm|E para quando seria? Quero garantir que chegue a tempo!
        curt|Qual CEP?
        curt|Vai querer?
        curt|É para quando?
        sloppy|vc quer a vista ou parcelado?
        sloppy|é pra vc msm ou presente
    """,
    "wait": """
        Só um momento, vou verificar.
        Um instante, {name}, já confirmo com o estoque.
        Vou consultar e já te retorno.
        formal|Por gentileza, aguarde um instante enquanto verifico a informação.
        warm|Só um minutinho que eu já vejo para você! ⏳
        curt|Aguarde.
        curt|Espera.
        sloppy|pera ai vo ve
    """,
    "discount": """
        Consegui falar com o gerente: faço por {cash} no PIX.
        Para fechar hoje, chego em {cash}. Fica bom?
        Faço {times}x de {part} e não cobro o frete.
        Consigo {off}% no PIX, que dá {cash}.
        Entendo. Se eu conseguir {cash} você fecha comigo hoje?
        formal|Obtive autorização para conceder {off}% de desconto: {cash} à vista, com condição válida até {day}.
        formal|Compreendo a sua consideração, {name}. Posso oferecer o frete sem custo e o valor de {cash}.
        warm|Pra você, {name}, consegui um descontinho: {cash} no PIX! 🙌 Que tal?
        warm|Briguei com o gerente aqui 😂 e consegui {cash} com frete grátis. Vamos fechar?
        curt|{cash} e só.
        curt|O máximo é {off}%.
        sloppy|faço {cash} pra fecha agora
        sloppy|consigo {off}% no pix mais tem q ser hj
    """,
    "no_discount": """
        Infelizmente esse já é o menor valor que consigo.
        Não consigo chegar em {bid}, mas parcelo em {times}x sem juros.
        Esse valor já está com o desconto, {name}.
        formal|Lamento, {name}, mas o valor já contempla a melhor condição. Posso verificar um modelo similar.
        warm|Poxa, {name}, queria muito, mas {bid} não consigo 😔 Posso ver outro modelo dentro do seu orçamento?
        curt|Não dá.
        curt|Não faço desconto.
        curt|É esse o valor, pegar ou largar.
        curt|O concorrente vende porcaria, por isso é barato.
        curt|Se quiser desconto procura outro.
        sloppy|nao consigo nao, o preço ja ta no osso
        sloppy|infelismente nao da
    """,
    "close": """
        Perfeito! Me passa seu CPF e o endereço completo para eu gerar o pedido?
        Ótimo, {name}! A chave PIX é financeiro@example.com, o valor é {cash}. Me envia o comprovante depois?
        Fechado! Segue o link de pagamento: https://example.com/p/{order}
        Pedido {order} gerado. Assim que o pagamento cair eu te aviso.
        Combinado, vou emitir o boleto. Qual e-mail posso usar?
        formal|Agradeço a preferência, {name}. Para emitir a nota fiscal, preciso do nome completo, CPF e endereço.
        formal|Pedido {order} registrado. Seguem os dados para o PIX no valor de {cash}. Aguardo o comprovante.
        warm|Aeee, que ótimo, {name}! 🥳 Me manda seu CPF e endereço que já preparo tudo!
        warm|Maravilha! Você vai amar! Pedido {order} prontinho, é só pagar {cash} no PIX 💚
        curt|Manda o CPF.
        curt|PIX: financeiro@example.com
        curt|Link: https://example.com/p/{order}
        sloppy|blz manda cpf e endereço completo
        sloppy|fexado! pix financeiro@example.com valor {cash}
    """,
    "confirm": """
        Pagamento confirmado, {name}! O pedido {order} chega até {day}.
        Recebemos aqui. Pedido {order} já foi para a separação.
        Tudo certo! A nota fiscal vai para o seu e-mail.
        Confirmado! Previsão de entrega: {day}, a partir das {hour}.
        formal|Confirmamos o recebimento do pagamento. O pedido {order} será entregue em {days} dias úteis.
        warm|Pagamento confirmado! 🎉 Parabéns pela compra, {name}! Qualquer coisa me chama aqui.
        curt|Recebido.
        curt|Caiu. Pedido {order}.
        sloppy|caiu aqui, sua nota vai por email
        sloppy|confirmado, chega {day} viu
    """,
    "bye": """
        {thanks} pela confiança! Qualquer dúvida, estou à disposição.
        De nada, {name}! Tenha um ótimo dia.
        Eu que agradeço! Até mais.
        formal|Agradecemos a preferência. Permaneço à disposição para qualquer esclarecimento.
        formal|Foi um prazer atendê-lo, {name}. Tenha um excelente dia.
        warm|Eu que agradeço, {name}! Um abraço e até a próxima 🤗
        warm|Imagina! Precisando, é só chamar 💛
        curt|Ok.
        curt|De nada.
        curt|👍
        sloppy|vlw {name}, qq coisa chama
        sloppy|tmj 👊
    """,
    "lost_bye": """
        Tudo bem, {name}. Se mudar de ideia, é só chamar.
        Sem problema! Fico à disposição.
        Entendo. Posso te avisar quando entrar em promoção?
        formal|Compreendo, {name}. Agradeço o contato e permanecemos à disposição para uma próxima oportunidade.
        warm|Que pena, {name}! 😔 Mas tudo bem, quando precisar estou por aqui.
        curt|Ok.
        curt|Beleza.
        curt|Você que sabe.
        sloppy|blz então
        sloppy|ok qq coisa chama
    """,
    "ok_later": """
        Claro, {name}, pense com calma. A condição vale até {day}.
        Tranquilo! Posso te chamar na {day}?
        Combinado. Reservo até {day} para você.
        formal|Perfeitamente, {name}. A proposta tem validade até {day}. Posso retomar o contato nessa data?
        warm|Fica à vontade, {name}! Te chamo na {day} para saber o que decidiu, pode ser? 😊
        curt|Ok.
        curt|Depois não garanto o preço.
        sloppy|blz, me fala dps então
    """,
    "follow_up": """
        Oi, {name}! Conseguiu pensar na proposta {of}?
        {hi}, {name}. Ainda pensa em levar {the}? O valor de {cash} vale até {day}.
        Passando para saber se ficou alguma dúvida sobre {the}.
        {name}, restam só {people} unidades. Posso reservar a sua?
        formal|{hi}, {name}. Retomo o contato para saber se deseja dar continuidade à proposta {of}.
        formal|{name}, a condição de {cash} expira na {day}. Posso auxiliar em mais alguma informação?
        warm|Oi, {name}! Lembrei de você 😊 {The} entrou em promoção, vamos aproveitar?
        warm|{name}, tudo bem? Separei {the} para você, posso confirmar? 🙌
        curt|E aí, vai querer?
        curt|Decidiu?
        curt|Preciso de uma resposta hoje.
        sloppy|e ai {name} vamo fecha?
        sloppy|oi viu minha mensagem? fazem 2 dias q to esperando
    """,
    "reopened": """
        Oi, {name}! Que bom que voltou. Tem sim, e o valor continua {price}.
        {hi}, {name}! {The} ainda está disponível, por {cash} no PIX.
        Oi, {name}, tenho aqui seu histórico. Podemos retomar de onde paramos.
        formal|{hi}, {name}. Agradeço o retorno. A proposta {of} segue válida por {price}.
        warm|{name}, que saudade! 😄 Ainda tenho {the} aqui, e hoje sai por {cash}!
        curt|Tem.
        curt|Mudou o preço, agora é {price}.
        sloppy|oii tem sim ainda, {price}
    """,
    "support": """
        Seu pedido {order} saiu para entrega, chega até {day}.
        Vou abrir um chamado com a assistência. Pode me enviar uma foto?
        Já verifiquei: a transportadora tenta de novo na {day}, a partir das {hour}.
        A nota fiscal foi reenviada para {mail}.
        Entendo, {name}. Vou agendar o técnico para {day} às {hour}.
        formal|Lamento o ocorrido, {name}. Registrei a solicitação {order} e o prazo de retorno é de {days} dias úteis.
        warm|Calma, {name}, vamos resolver! 🙏 Já falei com a entrega e eles passam na {day}.
        curt|Tem que ligar no 0800.
        curt|Isso não é comigo.
        curt|Manda foto.
        sloppy|vo ver com a entrega e te falo
        sloppy|é so espera q chega
    """,
    "renewal_offer": """
        {name}, o plano de manutenção {of} vence este mês. Renovamos por {plan}?
        Sua garantia estendida termina na {day}. A renovação sai por {plan}, em até 3x.
        formal|{hi}, {name}. Informo que o seu plano vence em breve. A renovação por mais 12 meses custa {plan}.
        warm|Oi, {name}! Seu plano está quase vencendo 😮 Renovo para você por {plan}, pode ser?
        curt|Plano vence {day}. {plan}. Renova?
        sloppy|oi {name} seu plano ta vencendo, renova por {plan}?
    """,
    "renewal_done": """
        Plano renovado por mais 12 meses, {name}! Protocolo {order}.
        Pronto, renovação registrada. {thanks} pela confiança!
        formal|Confirmamos a renovação do seu plano. O contrato segue por e-mail.
        warm|Renovadinho! 🎉 Mais um ano tranquilo, {name}!
        curt|Renovado.
        sloppy|renovado, vlw
    """,
}

# What customers write.
CUSTOMER = {
    "hello": """
        Oi
        Oi!
        Olá!
        {hi}
        {hi}!
        Oi, {hi_low}!
        Oi, tudo bem?
        Olá, tudo bom?
        Opa!
        Boa!
        Ei
        Alô
    """,
    "ask_price": """
        Quanto custa {the}?
        Qual o valor {of}?
        Gostaria de saber o preço {of}.
        Quanto está {the} à vista?
        Quanto fica {the} em {times}x?
        Vi {the} no Instagram, qual o preço?
        Me passa o valor {of}, por favor?
        Quanto sai {the} para {city}?
        {This} ainda está na promoção?
        Tem desconto no PIX para {the}?
        Consegue me fazer um orçamento {of}?
        O preço {of} que está no site é esse mesmo, {price}?
    """,
    "ask_stock": """
        Tem {the} a pronta entrega?
        Vocês ainda têm {the}?
        Tem na cor {colour}?
        {The} está disponível?
        Tem {the} na loja de {city}?
        Preciso de {people} unidades, vocês têm?
        Quando chega {the}?
        Ainda tem {this} do anúncio?
        Tem em estoque ou é por encomenda?
    """,
    "ask_delivery": """
        Entregam em {city}?
        Qual o prazo de entrega para {city}?
        Quanto fica o frete para o CEP {cep}?
        Chega até {day}?
        Entregam no {district}?
        O frete é grátis?
        Posso retirar na loja?
        Vocês montam também?
        Consegue entregar depois das {hour}?
        Em quanto tempo chega no {district}?
    """,
    "ask_payment": """
        Aceita PIX?
        Dá para parcelar em quantas vezes?
        Parcela em {times}x sem juros?
        Posso pagar no boleto?
        Aceita dois cartões?
        Faz em {times}x no cartão?
        Posso dar uma entrada e parcelar o resto?
        No PIX tem desconto?
        Qual a chave PIX de vocês?
    """,
    "ask_details": """
        Tem garantia?
        {The} é bivolt?
        Vem com nota fiscal?
        É novo mesmo?
        Se der problema, quem conserta?
        Qual a diferença para o outro modelo?
        Serve para {people} pessoas?
        Tem foto do produto?
        É bom mesmo, {this}?
        Posso trocar se não gostar?
    """,
    "answer_need": """
        É para casa mesmo.
        Preciso até {day}.
        Meu CEP é {cep}.
        Seria para o fim do mês.
        Tenho até uns {bid} para gastar.
        Vou ver com meu marido e te falo.
        Minha esposa que decide, na verdade.
        É para o escritório, somos {people} pessoas.
        Sem pressa, só pesquisando.
        Moro no {district}, em {city}.
        Queria para este sábado, é presente.
        À vista, se o desconto for bom.
    """,
    "answer_offer": """
        Hum, entendi.
        Certo, {grat}.
        Ah, legal!
        Nossa, achei caro.
        Tá bom.
        Entendi, deixa eu ver aqui.
        Beleza.
        Show!
        Ok
        👍
        Ótimo, era o que eu precisava.
        Um pouco salgado, hein.
        Gostei!
    """,
    "haggle": """
        Faz por {bid}?
        Consegue melhorar esse preço?
        Na outra loja está {bid}.
        Se eu pagar no PIX agora, faz por {bid}?
        Tira o frete que eu fecho.
        Qual o menor valor à vista?
        Está caro, vi por {bid} na internet.
        Não rola um descontinho?
        Se levar {people}, tem desconto?
        Meu limite é {bid}.
    """,
    "accept": """
        Fechado!
        Pode fechar, vou querer.
        Vou ficar com {this}.
        Ok, fechou. Como faço para pagar?
        Quero sim, pode reservar.
        Beleza, manda o PIX.
        Perfeito, vamos fechar.
        Então tá, pode gerar o boleto.
        Gostei, vou levar.
        Combinado, {agent}!
    """,
    "data": """
        {person}, CPF {cpf}, {district}, {city}, CEP {cep}
        Meu CPF é {cpf} e o e-mail {mail}
        Anota aí: {person}, {mobile}, rua das Flores {month}, {district}
        CPF {cpf}
        A nota é para a empresa: CNPJ 11.222.333/0001-81, {mail}
        Pode passar no cartão 4111 1111 1111 1111, validade 12/30, {person}
        Segue: {person} - {mail} - {mobile}
        O e-mail é {mail}
        Pode mandar no {mail}, o CPF é {cpf}
        Meu outro número é {mobile}, liga lá depois das {hour}
        Entrega na rua Sete de Setembro, {order}, {district}. Falar com {person}, {mobile}
    """,
    "pay": """
        Paguei!
        Fiz o PIX agora, {cash}.
        Comprovante enviado.
        Pago no cartão em {times}x, deu certo?
        Acabei de pagar o boleto.
        PIX feito, confere aí por favor.
        Feito! Confirma quando cair?
    """,
    "decline": """
        Achei mais barato em outro lugar, {grat}.
        Vou deixar para outra hora.
        Não vai dar, passou do meu orçamento.
        Desisti, {grat} pela atenção.
        Já comprei em outra loja.
        Muito caro, não vou querer.
        Demorou demais, comprei no concorrente.
        Meu marido não quis, fica para a próxima.
        Não tenho mais interesse.
        O frete ficou muito caro, deixa para lá.
    """,
    "postpone": """
        Vou pensar e te aviso.
        Deixa eu falar com minha esposa primeiro.
        Te dou uma resposta na {day}.
        Só consigo no mês que vem, quando cair o salário.
        Vou pesquisar mais um pouco.
        Depois te chamo.
        Preciso ver com meu sócio.
        Guarda aí que eu volto {day}.
    """,
    "ack": """
        Ok, {grat}!
        Certo.
        Beleza, fico no aguardo.
        Tá bom, valeu.
        Combinado.
        👍
        Ok
        Show, {grat}.
    """,
    "thanks": """
        Muito {grat}!
        {Grat}, {agent}!
        Valeu, ótimo atendimento!
        {Grat} pela atenção.
        Show, muito {grat}!
        Valeu demais!
        {Grat}, Deus abençoe.
        Nota 10! {Grat}.
        🙏🙏
    """,
    "chase": """
        Oi? Alguém aí?
        Estou aguardando ainda.
        {agent}?
        Alguém pode me responder?
        Faz tempo que estou esperando...
        ???
        Vão me atender ou não?
        Vou comprar em outro lugar, pelo visto.
    """,
    "reopen": """
        Oi, ainda tem {the}?
        Oi, voltei! Ainda está {price}?
        {hi}! A gente conversou sobre {the}, ainda tem?
        Oi, decidi! Ainda vale aquele preço?
        Oi, {agent}, lembra de mim?
        Ainda consegue aquele desconto {of}?
        Oi, caiu o salário, quero ver {this} de novo.
        E aí, chegou {the}?
        Oi, falei com meu marido, qual era o valor mesmo?
        Olá, pensei melhor e quero saber {of} de novo.
    """,
    "ask_support": """
        Oi, meu pedido {order} ainda não chegou.
        Cadê minha entrega? Era para chegar {day}.
        O produto chegou com defeito, e agora?
        Não recebi a nota fiscal, pode enviar para {mail}?
        Vocês montam? O montador não veio.
        Chegou na cor errada, pedi {colour}.
        Oi, comprei {the} e está fazendo um barulho estranho.
        Como aciono a garantia?
        Quero comprar outro igual, faz desconto?
        Tem assistência em {city}?
    """,
    "renewal_yes": """
        Pode renovar!
        Sim, renova por favor. Pode ser em 3x?
        Fechado, pode mandar o boleto.
        Renova sim, nunca deu problema.
    """,
    "renewal_no": """
        Não quero renovar, {grat}.
        Achei caro, não usei nenhuma vez.
        Cancela, por favor.
        Dessa vez não.
    """,
    "menu": """
        1
        2
        Vendas
        Comprar
        Falar com atendente
        Quero falar com uma pessoa
        atendente
        1 - vendas
        Orçamento
    """,
    "to_campaign": """
        Oi, vi a promoção {of}. Quanto fica?
        Tenho interesse!
        Me manda mais informações {of}?
        Qual o valor na promoção?
        Quero saber mais.
        Ainda está valendo?
    """,
    "stop": """
        Não quero receber mensagens, {grat}.
        Como vocês conseguiram meu número?
        PARAR
        Sair
    """,
}

# What nobody types: the bot, the AI agent, campaigns and the system.
MACHINE = {
    "bot_greet": """
        Olá! 👋 Você está falando com a {company}. Digite: 1 - Vendas, 2 - Entregas, 3 - Falar com atendente
        {hi}! Sou o assistente virtual da {company}. Sobre o que deseja falar? 1) Comprar 2) Pedido 3) Atendente
        Boas-vindas à {company}! Para agilizar, escolha uma opção: 1 Vendas | 2 Suporte | 3 Financeiro
    """,
    "bot_hand_over": """
        Certo! Vou transferir você para um de nossos consultores. Aguarde um instante. ⏳
        Ok, {name}! Um atendente vai continuar a conversa em alguns minutos.
        Entendi. Estou chamando alguém da equipe de vendas para falar com você.
        Transferindo para o setor de vendas... Seu protocolo é {order}.
    """,
    "bot_closed": """
        No momento estamos fora do horário de atendimento (seg. a sex. 8h–18h, sáb. 9h–13h). Responderemos em breve.
        Nossa equipe já encerrou por hoje. Deixe sua mensagem que retornamos no próximo dia útil. 🌙
        Recebemos sua mensagem! Nosso horário é de segunda a sexta, das 8h às 18h.
    """,
    "ai_greet": """
        Olá, {name}! Sou a assistente de IA da {company}. Posso adiantar seu atendimento: procura {the}?
        {hi}, {name}! Aqui é a assistente virtual. Encontrei {the} por {price}. Quer saber prazo ou formas de pagamento?
        Oi! Posso ajudar com preço, estoque e entrega. Sobre {the}: hoje está {price}, ou {cash} no PIX.
    """,
    "ai_answer": """
        {The} está disponível por {price}, em até {times}x de {part}. No PIX, {cash}.
        Para {city}, o prazo estimado é de {days} dias úteis e o frete, {freight}.
        Aceitamos PIX, boleto e cartão em até {times}x sem juros.
        A garantia é de 12 meses, com assistência em {city}.
        Consultei o estoque: há {people} unidades na cor {colour}.
        Essa informação eu não tenho. Posso chamar um consultor?
    """,
    "ai_hand_over": """
        Vou passar a conversa para um consultor da equipe, com um resumo do que falamos.
        Para negociar valores, um de nossos vendedores assume daqui. Um momento, {name}.
        Já avisei a equipe. Um consultor continua o atendimento em breve.
    """,
    "broadcast": """
        📢 Semana de ofertas na {company}! {The} por apenas {price} ou {times}x de {part}. Responda QUERO.
        {name}, só até {day}: {the} com {off}% de desconto no PIX ({cash}). 🛒
        Oi, {name}! Chegaram novidades na {company}. {The} a partir de {price}. Responda SAIR para não receber.
    """,
    "sequence": """
        Oi, {name}! Vimos que você se interessou por {the}. Posso ajudar com alguma dúvida?
        {name}, seu carrinho ainda está aqui: {the}, {price}. Quer finalizar?
        Última chamada, {name}: {the} com frete grátis até {day}.
    """,
    "transfer": """
        Atendimento transferido para {agent}.
        Conversa encaminhada: {agent} assumiu o atendimento.
    """,
}

REASONS = {
    "qualified": """
        Tem orçamento e precisa até o fim do mês
        Decide sozinho e pediu proposta formal
        Quer fechar nesta semana, já comparou preços
        Cliente recorrente, conhece o produto
        Pediu link de pagamento
        Necessidade clara e prazo curto
        Orçamento aprovado com o sócio
        Pediu visita e condições à vista
    """,
    "unqualified": """
        Só pesquisando preço
        Sem orçamento neste momento
        Fora da área de entrega
        Não respondeu às perguntas
        Procura um produto que não vendemos
        Quem decide é outra pessoa, que não quis falar
        Número errado
        Sem prazo definido
    """,
}

NOTES = """
    Prefere contato depois das {hour}.
    Ficou de responder na {day}. Retomar.
    Pediu desconto de {off}% e ofereceu {bid}.
    Conversa repassada: cliente quer {the}, já tem o preço ({price}).
    Reclamou da demora, tratar com prioridade.
    Mora em {city}, {district}. Conferir o frete antes de propor.
    Decide junto com a família. Ligar no fim de semana.
    Comparando com um concorrente ({bid}).
"""
