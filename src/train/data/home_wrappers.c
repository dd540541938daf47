#include "src/train/data/home.h"

const struct home_template *const home_topics[] = {home_house, home_day, NULL};

#define ALL 7u
#define HELD_OUT (1u << SPLIT_VALID | 1u << SPLIT_TEST)

const struct home_wrapper home_openers[] = {{"hey", ALL}, {"ok", ALL}, {"so", ALL},
	{"hello", ALL}, {"hi there", ALL}, {"alright", ALL}, {"listen", HELD_OUT},
	{"good evening", HELD_OUT}, {NULL, 0}};
const struct home_wrapper home_requests[] = {{"please", ALL}, {"could you", ALL},
	{"can you", ALL}, {"would you", ALL}, {"i need you to", ALL},
	{"i want you to", ALL}, {"go ahead and", ALL}, {"can you please", ALL},
	{"kindly", HELD_OUT}, {"be so kind and", HELD_OUT}, {"id like you to", HELD_OUT},
	{NULL, 0}};
const struct home_wrapper home_closers[] = {{"please", ALL}, {"thanks", ALL},
	{"for me", ALL}, {"right now", ALL}, {"thank you", ALL}, {"if you can", ALL},
	{"will you", ALL}, {"cheers", HELD_OUT}, {"when you get a chance", HELD_OUT},
	{NULL, 0}};
const struct home_wrapper home_fillers[] = {{"um", ALL}, {"uh", ALL}, {"like", ALL},
	{"you know", ALL}, {"er", ALL}, {"i mean", ALL}, {"well", HELD_OUT}, {NULL, 0}};
