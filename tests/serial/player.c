/* player lpm01a|ppk2 [lost]: an instrument at a pseudo-terminal that plays one recording at
 * every start, until its standard input ends. player lpm01a|ppk2 to FILE writes that recording.
 * Prints where it is, the energy of its window in uJ and the idle power in mW. `lost`: without
 * one of the samples. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/serial/meter.h"

static const struct scene scene = {2.5, 0.7, 11.00037, 2.9, 4, 33, 2.5, 0, 1};

static void tell(const char *where)
{
	printf("%s %.3f %.3f\n", where, scene_net_uj(&scene), scene.idle_mw);
	fflush(stdout);
}

static int write_file(enum meter_kind kind, const char *path)
{
	FILE *f = fopen(path, "wb");
	double s = scene_length_s(&scene);
	struct buf b;
	size_t n;

	buf_init(&b);
	if (kind == METER_PPK2)
		buf_puts(&b, SCENE_PPK2);
	if (kind == METER_PPK2)
		scene_ppk2(&scene, 0, (int)(s * 1e5), &b);
	else
		scene_lpm01a(&scene, 1000, 0, 0, (int)(s * 1000), &b);
	n = f ? fwrite(buf_str(&b), 1, b.len, f) : 0;
	if (!f || n != b.len || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	buf_release(&b);
	tell(path);
	return 0;
}

int main(int argc, char **argv)
{
	struct meter_player p = {.whole = 1, .scene = scene};
	char c;

	if (argc < 2 || (strcmp(argv[1], "lpm01a") && strcmp(argv[1], "ppk2"))) {
		fprintf(stderr, "usage: player lpm01a|ppk2 [lost | to FILE]\n");
		return 2;
	}
	p.kind = strcmp(argv[1], "ppk2") ? METER_LPM01A : METER_PPK2;
	if (argc > 3 && !strcmp(argv[2], "to"))
		return write_file(p.kind, argv[3]);
	p.faults.loses = argc > 2 && !strcmp(argv[2], "lost");
	if (meter_player_start(&p) != 0) {
		perror("player");
		return 1;
	}
	tell(p.path);
	while (read(0, &c, 1) > 0)
		;
	meter_player_stop(&p);
	return 0;
}
