/* player lpm01a|ppk2 [FAULT]: an instrument at a pseudo-terminal that plays one recording at
 * every start, until its standard input ends. Prints the terminal's name, then the energy of
 * the recorded window in uJ and the idle power in mW. FAULT: lost. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/serial/meter.h"

int main(int argc, char **argv)
{
	struct meter_player p = {
		.whole = 1, .scene = {2.5, 0.7, 11.00037, 2.9, 4, 33, 2.5, 0, 1}};
	char c;

	if (argc < 2 || (strcmp(argv[1], "lpm01a") && strcmp(argv[1], "ppk2"))) {
		fprintf(stderr, "usage: player lpm01a|ppk2 [lost]\n");
		return 2;
	}
	p.kind = strcmp(argv[1], "ppk2") ? METER_LPM01A : METER_PPK2;
	p.faults.loses = argc > 2 && !strcmp(argv[2], "lost");
	if (meter_player_start(&p) != 0) {
		perror("player");
		return 1;
	}
	printf("%s %.3f %.3f\n", p.path, scene_net_uj(&p.scene), p.scene.idle_mw);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	meter_player_stop(&p);
	return 0;
}
