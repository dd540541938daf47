#include "src/train/data/home.h"

#define LIST(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}

LIST(digit, "(one|two|three|four|five|six|seven|eight|nine)");
LIST(tens, "(twenty|thirty|forty|fifty)", "(sixty|seventy|eighty|ninety)");
LIST(teen, "(ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|"
	   "nineteen)");
LIST(small, "<digit>", "(2|3|4|5|6|7|8|9)", "(10|12|15|20|25|30|40|45|50)", "<teen>",
	"<tens>", "<tens> five", "(11|13|14|16|17|18|22|35|55|90)");
LIST(hour, "<digit>", "(ten|eleven|twelve)", "(1|2|3|4|5|6|7|8|9|10|11|12)");
LIST(minute, "(ten|fifteen|twenty|thirty|forty|fifty)",
	"(oh|twenty|thirty|forty|fifty) five", "(twenty|thirty|forty|fifty) <digit>");
LIST(clock, "(1|2|3|4|5|6|7|8|9|10|11|12):(00|05|10|15|20|25|30|35|40|45|50|55)");
LIST(daypart, "(morning|afternoon|evening)", "night");
LIST(weekday, "(monday|tuesday|wednesday|thursday|friday|saturday|sunday)");
LIST(month, "(january|february|march|april|may|june)",
	"(july|august|september|october|november|december)");
LIST(ordinal, "(first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)",
	"(eleventh|twelfth|fifteenth|twentieth|thirtieth)",
	"twenty (first|second|third|fifth)");

LIST(time, "<hour> (am|pm)", "<hour> <minute>", "<hour> <minute> (am|pm)", "<clock>",
	"<clock> (am|pm)", "(half|quarter) past <hour>", "quarter to <hour>",
	"<hour> oclock", "<hour> in the <daypart>",
	"(noon|midnight|sunrise|sunset|dawn|dusk|bedtime|lunchtime)",
	"(five|ten|twenty|twenty five|5|10|20|25) (past|to) <hour>");
LIST(date, "(tomorrow|tonight|today)", "<weekday>", "next <weekday>",
	"<weekday> <daypart>", "the <ordinal> of <month>", "<month> <ordinal>",
	"tomorrow <daypart>", "(this|next) (weekend|week|month)",
	"the day after tomorrow", "(every|this) <weekday>", "in <small> days",
	"(weekdays|workdays|weekends|christmas eve|new years day)");
LIST(duration, "<small> (minutes|seconds|hours)", "<small> (minutes|hours)",
	"(half|quarter of) an hour", "an hour and <small> minutes",
	"<digit> and a half hours", "(a|one) (minute|hour)",
	"<digit> minutes <small> seconds", "<small> (mins|secs|hrs)");
LIST(temperature, "<small> degrees", "<teen> degrees", "<tens> <digit> degrees",
	"(15|16|17|18|19|20|21|22|23|24|25|26) (degrees|celsius|)",
	"<tens> (point five|and a half)",
	"(61|63|65|66|68|70|72|74|75|77) (fahrenheit|degrees)", "minus <teen>",
	"<tens> <digit> (celsius|fahrenheit)");
LIST(percent, "<small> percent", "<tens> <digit> percent",
	"(half|a third|a quarter|maximum|minimum)", "<tens> percent",
	"(full|half|low|medium) (power|strength|brightness)",
	"(5|10|15|20|25|30|35|40|45|50|60|65|70|75|80|85|90|95) percent");
LIST(level, "<small>", "<tens> percent", "(maximum|minimum|medium)",
	"<digit> (notches|steps)", "level <small>", "<tens> <digit>",
	"(60|65|70|75|80|85|90|95|100)", "a (bit|notch|lot)");

LIST(room_base, "(kitchen|bathroom|bedroom|hallway|office|study|lounge|nursery)",
	"(attic|basement|garage|porch|landing|pantry|den|cellar|conservatory)",
	"(dining|living|laundry|play|utility|family|sun|music|games|guest) room",
	"(balcony|terrace|library|workshop|toilet|corridor|wardrobe|loft|foyer)");
LIST(room_mod, "(upstairs|downstairs|master|guest|back|front|main|spare|kids|east|west)",
	"(big|small|old|new|second|third|upper|lower|girls|boys|garden)");
LIST(room, "<room_base>", "<room_mod> <room_base>", "<room_mod> <room_base>",
	"*<first>s (bedroom|room|office|bathroom|study)");
LIST(light_base, "(lamp|light|lights|lamps)",
	"(ceiling|floor|desk|reading|wall|night) (lamp|light|lights)",
	"(spotlights|chandelier|lantern|sconces|downlights|led strip|fairy "
	"lights|bulb|bulbs)");
LIST(light_mod,
	"(bedside|corner|bookshelf|sofa|counter|mirror|cabinet|stair|island|piano)",
	"(plant|aquarium|vanity|window|shelf|table|tv|entrance|left|right|kitchen "
	"table)");
LIST(light, "<light_base>", "<light_mod> <light_base>", "<light_mod> <light_base>",
	"<light_mod> and <light_mod> (lights|lamps)");
LIST(colour_base, "(red|green|blue|yellow|orange|purple|pink|white|violet|turquoise)",
	"(cyan|magenta|amber|lavender|gold|teal|indigo|coral|peach|crimson|mint|ivory)");
LIST(colour, "<colour_base>",
	"(light|dark|pale|deep|warm|cool|soft|bright|neon) <colour_base>",
	"<colour_base>", "(candle|moon|ocean|forest|sunset|ice) <colour_base>");
LIST(door, "(front|back|side|garage|patio|balcony|cellar|main) (door|gate|entrance)",
	"(shed|barn|kitchen|porch|terrace|office|studio) (door|lock)", "<room_base> door",
	"(garden|courtyard|driveway|pool) gate", "*<first>s door");
LIST(cover_base, "(blinds|curtains|shutters|shades|drapes|awning|skylight|roller)");
LIST(cover, "<cover_base>",
	"(left|right|big|small|east|south|street|garden) <cover_base>",
	"(blackout|bay window|roof|french|venetian|patio) <cover_base>",
	"<room_mod> <cover_base>");

LIST(first, "(emma|oliver|sophie|lucas|mia|noah|hanna|jonas|amara|diego|priya|kenji)",
	"(freya|tomas|leila|marcus|ingrid|pablo|yuki|nadia|callum|esther|rosa|victor)");
LIST(last, "(hartley|okafor|lindqvist|moreau|tanaka|silva|brandt|novak|castillo|reyes)",
	"(whitlock|ferro|dubois|andersen|kowalski|mbeki|sharma|quinn|vance|holloway)");
LIST(person, "<first>", "<first> <last>",
	"my (mum|dad|sister|brother|wife|husband|son|daughter)",
	"(grandma|grandpa|aunt|uncle) <first>",
	"the (kids|boys|girls|guests|neighbours|babysitter)");
LIST(adjective,
	"(silent|golden|broken|electric|midnight|lonely|wild|paper|crystal|hollow)",
	"(velvet|burning|distant|sleepy|crooked|silver|endless|little|blue|red|bright)");
LIST(noun, "(river|mountain|garden|machine|window|highway|ocean|mirror|candle|morning)",
	"(shadow|kitchen|station|forest|heart|winter|summer|engine|lantern|street|rain|"
	"door)");
LIST(doing, "(dancing|waiting|running|dreaming|falling|singing|walking|driving)");
LIST(artist, "<first> <last>", "<first> <last>", "the <adjective> <noun>s", "dj <noun>",
	"<first> and the <noun>s", "<adjective> <noun>", "<last> and <last>",
	"the <first> <last> (band|trio|quartet)");
LIST(song, "<doing> in the <noun>", "<adjective> <noun>", "my <noun> is <adjective>",
	"the <noun> of <first>", "<doing> (with|for|to) <first>", "one more <noun>",
	"<noun> (at|after) <hour> oclock", "<adjective> <noun> <adjective> <noun>",
	"<first>", "turn off the <noun>", "play it for <first>", "<noun> and <noun>");
LIST(genre, "(jazz|rock|blues|techno|folk|opera|reggae|salsa|metal|ambient|disco|funk)",
	"(smooth|classic|modern|acoustic|nordic|latin) (jazz|rock|blues|house|folk|pop)");
LIST(playlist, "(sunday|monday|friday|weekend) (morning|chill|party|cleaning)",
	"<genre> (classics|hits|mix|party)", "<adjective> <doing>",
	"<first>s (favourites|mix|gym songs)",
	"(cooking|sleep|focus|road trip|running|dinner|baby) (music|songs|mix|time)");
LIST(service, "(soundhive|wavecast|tunebox|radio nine|melodia|podwell|streamly)",
	"(audio barn|the jukebox|earwig|northern radio|vinyl club|airloop|songbird)");
LIST(scene, "(movie|game|date|party|quiz|family) night",
	"(good|early|lazy|slow) (morning|night)",
	"(cosy|romantic|quiet|festive|bright) (evening|dinner|morning)",
	"(reading|away|guest|work|yoga) (time|mode)",
	"(holiday|vacation|sleep|cooking|cleaning|party|homework)",
	"<first>s (bedtime|party|homework)", "<adjective> <noun>");

LIST(food, "(milk|eggs|bread|butter|cheese|rice|pasta|flour|sugar|honey|yoghurt|coffee)",
	"(tomatoes|potatoes|onions|carrots|apples|bananas|lemons|spinach|garlic|"
	"mushrooms)",
	"(chicken|salmon|beans|lentils|cereal|chocolate|juice|tea|noodles|olives|"
	"peppers)",
	"(toothpaste|dish soap|batteries|light bulbs|napkins|dog food|candles|trash "
	"bags)");
LIST(food_mod, "(organic|frozen|fresh|whole|red|green|dried|smoked|sliced|wild)",
	"(sweet|brown|salted|vegan|cheap|baby|black|greek|dark|sparkling)");
LIST(item, "<food>", "<food_mod> <food>", "<food_mod> <food>", "<food> and <food>",
	"<food> (sauce|soup|salad|oil|crisps)",
	"<first>s (birthday cake|medicine|cough drops)");
LIST(unit, "(bottles|packs|cans|kilos|boxes|bags|jars|cartons|slices|tins|grams|pounds)");
LIST(quantity, "<small>", "<small> <unit> of", "<digit> <unit> of",
	"a (dozen|couple of|few|pack of)", "half a (kilo|pound|dozen) of", "some more");
LIST(list_name, "(shopping|grocery|groceries|packing|party|hardware|pharmacy|bakery)",
	"<weekday> (dinner|market|lunch)", "*<first>s (birthday|wedding|school)",
	"(camping|ski|beach|road) trip",
	"(weekly|monthly|christmas|holiday|farmers market) (shop|dinner|food)", "to do",
	"<adjective> <noun>");
LIST(label, "<food>",
	"(laundry|gym|school run|medication|meeting|yoga|train|nap|homework)",
	"<first>s (bath|lesson|medicine|call|bus)",
	"(oven|roast|pizza|dough|steak|soup|tea|cake)", "<food_mod> <food>",
	"(morning|evening) (run|pills|walk|news)");
LIST(place,
	"(london|paris|oslo|madrid|dublin|vienna|lisbon|chicago|boston|denver|sydney)",
	"(new|north|south|port|saint|lake|fort) "
	"(ashford|brighton|marlow|weston|clayton|hamilton)",
	"(ashford|brighton|marlow|weston|clayton|hamilton) "
	"(bay|hills|falls|beach|valley)",
	"(berlin|prague|athens|naples|geneva|toronto|nairobi|lima|quito|osaka|mumbai|"
	"cairo)",
	"<last> (springs|island|creek)");
LIST(condition,
	"(rain|snow|windy|sunny|cloudy|foggy|storm|hail|freezing|humid|warm|cold)",
	"(heavy|light|more|any) (rain|snow|wind|fog|frost|showers)",
	"(thunder|sleet|drizzle|icy|muggy|mild|stormy|hot)");
LIST(chore, "(water|feed|walk|clean|check|fix|move|buy|call|wash|collect|empty)");
LIST(thing, "(plants|dog|cat|bins|car|dishes|fish|oven|bike|dentist|plumber|bank)",
	"(landlord|insurance|passport|tickets|library books|dry cleaning|smoke "
	"alarm|boiler)");
LIST(task, "<chore> the <thing>", "<chore> the <adjective> <thing>", "call <first>",
	"pick up <first> from (school|the station|training)",
	"pay the (rent|water bill|phone bill|electricity)",
	"take the <food> out of the freezer", "<chore> <first>s <thing>",
	"turn off the <light_base>", "send <first> the (photos|invoice|address)");
LIST(message, "(dinner|lunch|breakfast|tea) is (ready|late|on the table)",
	"we are leaving in <duration>", "<first> is (here|home|at the door|asleep)",
	"the <thing> (is|are) (ready|here|gone)", "please <chore> the <thing>",
	"time (for bed|to go|to get up|for school)", "turn down the music",
	"(no one|somebody) (took|fed) the <thing>");

const struct home_class home_classes[] = {
	{"digit", digit},
	{"tens", tens},
	{"teen", teen},
	{"small", small},
	{"hour", hour},
	{"minute", minute},
	{"clock", clock},
	{"daypart", daypart},
	{"weekday", weekday},
	{"month", month},
	{"ordinal", ordinal},
	{"time", time},
	{"date", date},
	{"duration", duration},
	{"temperature", temperature},
	{"percent", percent},
	{"level", level},
	{"room_base", room_base},
	{"room_mod", room_mod},
	{"room", room},
	{"light_base", light_base},
	{"light_mod", light_mod},
	{"light", light},
	{"colour_base", colour_base},
	{"colour", colour},
	{"door", door},
	{"cover_base", cover_base},
	{"cover", cover},
	{"first", first},
	{"last", last},
	{"person", person},
	{"adjective", adjective},
	{"noun", noun},
	{"doing", doing},
	{"artist", artist},
	{"song", song},
	{"genre", genre},
	{"playlist", playlist},
	{"service", service},
	{"scene", scene},
	{"food", food},
	{"food_mod", food_mod},
	{"item", item},
	{"unit", unit},
	{"quantity", quantity},
	{"list_name", list_name},
	{"label", label},
	{"place", place},
	{"condition", condition},
	{"chore", chore},
	{"thing", thing},
	{"task", task},
	{"message", message},
	{NULL, NULL},
};
