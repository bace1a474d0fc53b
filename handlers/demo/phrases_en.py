"""What is said in English; written as in `phrases_pt`."""

TEAM = {
    "greet": """
        {hi}, {name}! This is {agent} from {company}.
        Hi {name}, my name is {agent} and I'll be helping you today.
        Hello {name}, {agent} here. How can I help?
        Hi! I'm {agent} from the sales team.
        formal|{hi}, {name}. Thank you for contacting {company}. My name is {agent}; how may I assist you?
        formal|Dear {name}, thank you for your message. I will be handling your request.
        warm|Hi {name}, so nice to hear from you! 😊 I'm {agent}, let's find what you need.
        warm|Hey {name}! Welcome to {company}! {agent} here, happy to help 💛
        curt|Yes?
        curt|Hi.
        curt|What do you need?
        sloppy|hey {name} its {agent} whats up
    """,
    "apology": """
        Sorry for the delay, {name}.
        Sorry to keep you waiting, it's a busy day here.
        Thanks for your patience, {name}.
        formal|I apologise for the delay in getting back to you, {name}.
        warm|So sorry for the wait, {name}! 🙏 I'm all yours now.
        curt|Was busy.
        curt|Just saw this.
        sloppy|sory for the delay, crazy day
    """,
    "price": """
        {The} is {price}, or {times} instalments of {part} with no interest.
        Today {the} is {price}. With PIX it goes down to {cash}.
        It's {price} by card in {times}x, or {cash} with PIX ({off}% off).
        That one is {price}, delivery to {city} included.
        formal|The price of {the} is {price}, payable in up to {times} interest-free instalments of {part}.
        formal|I can confirm a price of {price}; for payment by PIX we grant a {off}% discount.
        warm|Good news: {the} is on sale for {price}! 🎉 And only {cash} with PIX.
        curt|{price}.
        curt|I already told you, {price}.
        curt|Price is on the site.
        sloppy|its {price} but i can do {cash} on pix
    """,
    "stock": """
        Yes, {the} is in stock and ready to ship.
        We have it in {colour}. How many do you need?
        Only {people} units left, actually.
        It's out of stock at the moment, expected on {day}.
        formal|Yes, the item is available in {colour}. May I reserve one in your name?
        formal|I am afraid it is currently unavailable. We expect a new delivery on {day}.
        warm|We do! 😍 You're lucky, these are the last {people} units.
        curt|Yes.
        curt|Sold out.
        curt|No idea, I'd have to check.
        sloppy|yeah we has it in {colour}
    """,
    "delivery": """
        Delivery to {city} takes {days} business days.
        Shipping to {district} is {freight}, it arrives by {day}.
        If you order today it ships tomorrow and gets there by {day}.
        You can also pick it up at the store for free from {day} on.
        formal|The delivery time to {city} is {days} business days after payment; the freight is {freight}.
        warm|Shipping is on us! 🚚 It will be with you in {days} business days.
        curt|{days} days.
        curt|Depends on the postcode.
        sloppy|{days} days, we asemble it too
    """,
    "payment": """
        We take PIX, bank slip and cards in up to {times} instalments.
        You can pay {cash} by PIX or {times} times {part} by card.
        Foreign cards are fine too, in up to {times}x.
        formal|Payment may be made by PIX, bank slip, or credit card in up to {times} interest-free instalments.
        warm|Whatever works for you! 😄 PIX, card in {times}x, bank slip...
        curt|PIX or card.
        sloppy|pix or card, up to {times}x no intrest
    """,
    "details": """
        It comes with a 12-month warranty and an invoice.
        It's brand new and sealed, voltage is 110/220.
        You can return it within 7 days, no questions asked.
        formal|The product carries a 12-month manufacturer's warranty. I will send you the data sheet.
        warm|You'll love it, {name}! One year of warranty and you can always reach me here 🤝
        curt|One year.
        curt|It's on the site.
        curt|Don't know.
        sloppy|its original dont worry
    """,
    "need": """
        Is it for home or for work?
        When do you need it by?
        What's your postcode, so I can check the freight?
        Do you have a budget in mind?
        Is it your decision, or does someone else need to agree?
        formal|Could you tell me when you need it and what you intend to use it for?
        warm|Tell me a bit more, {name}: what are you looking for? 😊
        curt|Postcode?
        curt|Do you want it or not?
        sloppy|when u need it
    """,
    "wait": """
        One moment, let me check.
        Let me check with the warehouse, I'll be right back.
        formal|Please allow me a moment to verify this.
        warm|Just a sec, checking it for you! ⏳
        curt|Wait.
        sloppy|hold on gonna check
    """,
    "discount": """
        I spoke with my manager: I can do {cash} by PIX.
        If we close today I can go down to {cash}.
        I can give you {off}% off, that's {cash}.
        formal|I have been authorised to offer {off}% off: {cash}, valid until {day}.
        warm|For you, {name}, I got {cash} with free shipping! 🙌 Deal?
        curt|{cash}, that's it.
        sloppy|ok {cash} if u close now
    """,
    "no_discount": """
        I'm afraid that's already our best price.
        I can't get to {bid}, but I can split it in {times}x.
        formal|I regret that this is our best offer. I could suggest a similar model.
        warm|I wish I could, {name} 😔 but {bid} is too low. Shall we look at another model?
        curt|No.
        curt|No discounts. Take it or leave it.
        sloppy|cant do it sorry
    """,
    "close": """
        Great! Could you send me your CPF and full address for the order?
        Perfect. Here is the payment link: https://example.com/p/{order}
        Order {order} is ready. I'll let you know when the payment arrives.
        formal|Thank you, {name}. To issue the invoice I need your full name, CPF and address.
        warm|Yay, great choice, {name}! 🥳 Send me your CPF and address and I'll set it all up.
        curt|Send CPF.
        sloppy|cool send me ur cpf n adress
    """,
    "confirm": """
        Payment received, {name}! Order {order} arrives by {day}.
        Got it. Your order {order} is being packed.
        formal|We confirm receipt of your payment. Order {order} will be delivered within {days} business days.
        warm|Payment confirmed! 🎉 Enjoy it, {name}, and call me if you need anything.
        curt|Received.
        sloppy|got it, arrives {day}
    """,
    "bye": """
        Thank you, {name}! I'm here if you need anything.
        You're welcome. Have a great day!
        formal|It was a pleasure assisting you. I remain at your disposal.
        warm|Thank YOU, {name}! Take care 🤗
        curt|Ok.
        curt|👍
        sloppy|np bye
    """,
    "lost_bye": """
        No problem, {name}. Let me know if you change your mind.
        I understand. Shall I tell you when it goes on sale?
        formal|I understand, {name}. Thank you for considering {company}.
        warm|What a pity, {name}! 😔 I'm here whenever you need.
        curt|Ok.
        curt|Your loss.
        sloppy|ok then
    """,
    "ok_later": """
        Sure, take your time. The offer is valid until {day}.
        No problem, may I write to you on {day}?
        formal|Certainly, {name}. The proposal remains valid until {day}.
        warm|Of course, {name}! I'll check in on {day}, alright? 😊
        curt|Ok.
        sloppy|k let me know
    """,
    "follow_up": """
        Hi {name}, any thoughts on {the}?
        {hi}, {name}. {cash} is still possible until {day}.
        Just checking whether you have any questions about {the}.
        formal|{hi}, {name}. I am writing to ask whether you wish to proceed with the proposal for {the}.
        warm|Hi {name}! I thought of you 😊 {The} just went on sale!
        curt|So?
        curt|I need an answer today.
        sloppy|hey did u see my msg
    """,
    "reopened": """
        Welcome back, {name}! Yes, it's still {price}.
        Hi {name}! {The} is still available, {cash} with PIX.
        formal|{hi}, {name}. Thank you for getting back to us. The offer for {the} still stands at {price}.
        warm|{name}, great to see you again! 😄 {The} is {cash} today!
        curt|Yes.
        sloppy|hey yeah still got it, {price}
    """,
    "support": """
        Your order {order} is out for delivery, it arrives by {day}.
        I'm opening a ticket with the service team. Could you send me a photo?
        I've booked the technician for {day} at {hour}.
        formal|I am sorry about this, {name}. Your request {order} has been registered.
        warm|Don't worry, {name}, we'll sort it out! 🙏
        curt|You have to call the hotline.
        curt|Not my department.
        sloppy|gonna check n tell u
    """,
    "renewal_offer": """
        {name}, your maintenance plan for {the} expires this month. Shall we renew it for {plan}?
        formal|{hi}, {name}. Your plan is about to expire; renewing it for 12 months costs {plan}.
        warm|Hi {name}! Your plan is almost over 😮 Renew it for {plan}?
        curt|Plan ends {day}. {plan}. Renew?
    """,
    "renewal_done": """
        Your plan is renewed for another 12 months, {name}. Reference {order}.
        formal|We confirm the renewal of your plan. The contract follows by e-mail.
        warm|All renewed! 🎉 Another worry-free year, {name}!
        curt|Renewed.
    """,
}

CUSTOMER = {
    "hello": """
        Hi
        Hi!
        Hello!
        Hey
        {hi}!
        Hi, {hi_low}!
        Hi there!
        Hello, how are you?
    """,
    "ask_price": """
        How much is {the}?
        What's the price of {the}?
        Could you give me a quote for {the}?
        How much for {the} in {times} instalments?
        I saw {the} on Instagram, how much is it?
        Is {this} still on sale?
        Is the price on the site right, {price}?
        Is there a discount if I pay by PIX?
    """,
    "ask_stock": """
        Do you have {the} in stock?
        Is {the} available?
        Do you have it in {colour}?
        I need {people} of them, is that possible?
        Is {this} from the ad still available?
        When will {the} be back?
    """,
    "ask_delivery": """
        Do you deliver to {city}?
        How long does delivery to {city} take?
        How much is shipping to {cep}?
        Can it be here by {day}?
        Can I pick it up at the store?
        Do you deliver to {district}? I don't have a car.
    """,
    "ask_payment": """
        Do you take foreign credit cards?
        Can I pay in {times} instalments?
        Is PIX ok?
        How can I pay?
        Can I split it on two cards?
    """,
    "ask_details": """
        Does it come with a warranty?
        Is it 110 or 220 volts?
        Do I get an invoice?
        Can I return it if I don't like it?
        What's the difference to the other model?
        Could you send me a picture?
    """,
    "answer_need": """
        It's for my apartment.
        I need it by {day}.
        My postcode is {cep}.
        My budget is around {bid}.
        I have to ask my wife first.
        It's for our office, we are {people} people.
        No rush, just looking.
        I live in {district}, {city}.
    """,
    "answer_offer": """
        I see, thanks.
        Sounds good.
        Hmm, that's a bit expensive.
        Okay, let me think.
        Nice!
        Got it.
        Great, that's what I needed.
        ok
    """,
    "haggle": """
        Could you do {bid}?
        Any discount?
        I found it for {bid} online.
        If I pay by PIX right now, {bid}?
        Free shipping and I'll take it.
        My limit is {bid}.
    """,
    "accept": """
        Deal!
        Ok, I'll take it.
        Great, how do I pay?
        Let's do it.
        Yes please, reserve it for me.
        Perfect, send me the link.
    """,
    "data": """
        {person}, CPF {cpf}, {district}, {city}, {cep}
        My CPF is {cpf} and my e-mail is {mail}
        You can call me on {mobile} after {hour}
        {mail}
        Name is {person}, phone {mobile}
        Card 4111 1111 1111 1111, exp 12/30, {person}
    """,
    "pay": """
        Paid!
        Just sent the PIX, {cash}.
        Payment done, please check.
        Paid by card in {times}x, did it go through?
    """,
    "decline": """
        I found it cheaper somewhere else, thanks.
        It's over my budget, sorry.
        I already bought it at another store.
        You took too long, I got it elsewhere.
        Not interested anymore, thank you.
    """,
    "postpone": """
        I'll think about it and let you know.
        Let me talk to my wife first.
        I'll get back to you on {day}.
        Maybe next month, when I get paid.
        I want to compare a bit more.
    """,
    "ack": """
        Ok, thanks!
        Alright.
        Okay, I'll wait.
        👍
        Cool, thank you.
    """,
    "thanks": """
        Thank you so much!
        Thanks, {agent}!
        Great service, thanks!
        Thanks a lot for your help.
        🙏
    """,
    "chase": """
        Hello? Anyone there?
        Still waiting...
        {agent}?
        Can someone please answer me?
        ???
    """,
    "reopen": """
        Hi, do you still have {the}?
        Hi, I'm back! Is it still {price}?
        Hello again, we talked about {the}. Still available?
        Hi {agent}, remember me?
        I talked to my wife, what was the price again?
    """,
    "ask_support": """
        Hi, my order {order} hasn't arrived yet.
        The item arrived damaged, what now?
        I didn't get the invoice, please send it to {mail}.
        It came in the wrong colour, I ordered {colour}.
        How do I use the warranty?
        {The} is making a strange noise.
    """,
    "renewal_yes": """
        Yes, please renew it.
        Sure, can I pay in 3 instalments?
        Ok, send me the bill.
    """,
    "renewal_no": """
        No, thanks, I don't want to renew.
        Too expensive, I never used it.
        Please cancel it.
    """,
    "menu": """
        1
        2
        Sales
        Talk to a person
        agent please
        Quote
    """,
    "to_campaign": """
        Hi, I saw the promotion. How much is it?
        I'm interested!
        Can you tell me more about {the}?
        Is it still valid?
    """,
    "stop": """
        Please don't send me messages.
        How did you get my number?
        STOP
    """,
}

MACHINE = {
    "bot_greet": """
        Hello! 👋 You've reached {company}. Type: 1 - Sales, 2 - Deliveries, 3 - Talk to a person
        {hi}! I'm the virtual assistant of {company}. What is it about? 1) Buy 2) Order 3) Agent
    """,
    "bot_hand_over": """
        Okay! I'm transferring you to one of our consultants. Just a moment. ⏳
        Got it, {name}! Someone from sales will be with you in a few minutes.
        Transferring you to sales... Your protocol is {order}.
    """,
    "bot_closed": """
        We are closed at the moment (Mon–Fri 8–18h, Sat 9–13h). We will answer as soon as possible.
        Our team has left for today. Leave your message and we'll get back on the next business day. 🌙
    """,
    "ai_greet": """
        Hello {name}! I'm the AI assistant of {company}. Are you looking for {the}?
        {hi}, {name}! I found {the} for {price}. Would you like to know about delivery or payment?
    """,
    "ai_answer": """
        {The} is available for {price}, in up to {times} instalments of {part}, or {cash} with PIX.
        Delivery to {city} takes about {days} business days and costs {freight}.
        We take PIX, bank slip and cards in up to {times}x.
        I don't have that information. Shall I call a consultant?
    """,
    "ai_hand_over": """
        I'm passing this conversation to a consultant, with a summary of what we discussed.
        For negotiations one of our salespeople takes over from here. One moment, {name}.
    """,
    "broadcast": """
        📢 Sale week at {company}! {The} for only {price} or {times}x {part}. Reply YES.
        {name}, only until {day}: {the} with {off}% off ({cash}). 🛒
    """,
    "sequence": """
        Hi {name}! You were interested in {the}. Can I help with any question?
        Last call, {name}: {the} with free shipping until {day}.
    """,
    "transfer": """
        Conversation transferred to {agent}.
    """,
}

REASONS = {
    "qualified": """
        Has the budget and needs it by the end of the month
        Decides alone and asked for a formal quote
        Wants to close this week, already compared prices
        Asked for the payment link
        Clear need, short deadline
    """,
    "unqualified": """
        Just comparing prices
        No budget at the moment
        Outside our delivery area
        Did not answer the questions
        Someone else decides and would not talk to us
        No timeline
    """,
}

NOTES = """
    Prefers to be contacted after {hour}.
    Will answer on {day}. Follow up.
    Asked for {off}% off, offered {bid}.
    Handed over: wants {the}, already has the price ({price}).
    Writes in English, keep it simple.
    Comparing with a competitor ({bid}).
"""
