"""Words that people use for what tools do, and for what they do it to. General English of an office; no names of any benchmark.

Keys are words of tools' names. A word that is no key stands for itself.
"""

VERBS = {
    "send": "send write post tell message dm email mail reply respond forward notify text contact pay refund reimburse transfer",
    "post": "post publish write share upload reply ask",
    "schedule": "schedule plan setup",
    "create": "create make add write draft generate put schedule setup organize organise arrange save book",
    "update": "update change adjust modify edit correct set switch",
    "reschedule": "reschedule move shift postpone push delay change",
    "append": "append add extend write",
    "add": "add include put join invite",
    "invite": "invite",
    "remove": "remove delete kick",
    "delete": "delete remove erase trash clear",
    "cancel": "cancel call delete remove",
    "reserve": "reserve book rent",
    "book": "book reserve",
    "share": "share give",
    "pay": "pay send transfer",
    "transfer": "transfer send pay",
    "move": "move shift",
    "rename": "rename change",
    "forward": "forward send",
    "reply": "reply respond answer",
    "buy": "buy order purchase",
    "order": "order buy",
}

# These verbs say of themselves what they are about.
IMPLIES = {
    "pay": "money",
    "refund": "money",
    "reimburse": "money",
    "transfer": "money",
    "email": "email",
    "mail": "email",
    "message": "message",
    "dm": "message",
    "tell": "message",
    "text": "message",
}

# How a text may speak of what a parameter of this name holds.
PLACES = {
    "recipient": "recipient person user",
    "recipients": "recipient person user participant",
    "participants": "participant invitee attendee guest person",
    "user": "user person",
    "url": "url link webpage website site page article",
}

NOUNS = {
    "money": "money payment bill refund amount difference transaction rent fee price invoice",
    "transaction": "transaction payment rent bill order subscription transfer",
    "scheduled": "scheduled recurring standing next rent subscription",
    "info": "info information details account address profile",
    "information": "info information details account address profile",
    "webpage": "webpage website site page web",
    "channel": "channel",
    "message": "message dm question",
    "direct": "direct dm person",
    "email": "email mail inbox",
    "event": "event meeting appointment calendar lunch dinner breakfast call session reminder invitation workout trip party",
    "calendar": "calendar event meeting appointment lunch dinner breakfast call session reminder workout trip party",
    "participants": "participant invitee attendee guest invite person",
    "file": "file document doc list packing note",
    "user": "user person",
    "car": "car vehicle",
    "rental": "rental car",
    "hotel": "hotel room accommodation",
    "restaurant": "restaurant table dinner lunch",
}

# What a text says that hands the task over to whatever is read.
HANDED_OVER = (
    r"\bfollow\b.{0,20}\binstructions?\b",
    r"\b(?:all|any|the|these) (?:the )?(?:tasks?|actions?|to-?dos?|things)\b.{0,40}\b(?:list|in|on|from|mentioned|specified|described|asked|listed)\b",
    r"\bdo (?:what|whatever|everything|as)\b",
    r"\bto-?do list\b",
    r"\bas (?:instructed|requested|described|asked) (?:in|by)\b",
    r"\btake (?:the |any |all )?(?:necessary |needed |required |appropriate )?actions?\b",
)

# A word after one of these is a noun, whatever verb it looks like.
BEFORE_NOUNS = set(
    "a an the my your his her its our their this that these those any all each every some no following new direct of more most".split()
)

# Nouns as often as verbs: verbs only in their plain form, at the head of a part of a sentence or after one of these.
AMBIGUOUS = set("email mail message dm text post book call share plan transfer order rent schedule forward answer contact draft".split())
BEFORE_VERBS = set("please to then also you first finally kindly just".split())

# "Tell me" asks for an answer, and for no message.
ANSWERS = set("tell give text write message".split())

# Before a verb that says what somebody does, and does not ask for it.
SUBJECTS = set("i they we he she who usually always often already".split())

# A noun after one of these is described, and not named: "a channel with …", "each user".
INDEFINITE = set(
    "a an any each every all some which most those these necessary other another whose same right correct respective first last next".split()
)

COMMON = set(
    """a about after all also am an and any apart are as at be been before but by can check could do does find first follow for from
    get give given go great has have hello hey hi how i if in into is it its just last let like look make many me month monthly more most my
    need new no not note now of on once one only or other our please perform read regarding resolve review search security see she he they set
    should show so sort some summarize take than thank thanks that the their them then there these this those to today tomorrow total use
    visit was we week were what when where which while who whose why will with would year yes yesterday you your january february march april
    june july august september october november december monday tuesday wednesday thursday friday saturday sunday vat url id todo dm
    email""".split()
)
