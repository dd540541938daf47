/* Images that misbehave, one per value of PAYLOAD. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRASH 1
#define EXIT_3 2
#define LOOP 3
#define FORK 4	  /* children, one of which leaves group and session, then loops */
#define EAT 5	  /* memory until none is given */
#define SILENT 6  /* ends well without a word */
#define GARBAGE 7 /* bytes that are no records */
#define FLOOD 8	  /* writes for ever */
#define BIG 9	  /* a gigabyte that is never touched */
#define CRUMBS 10 /* the beginning of a good stream */
#define KILL 11	  /* dies as by someone else's hand */

#if PAYLOAD == BIG
static volatile char big[1u << 30];
#endif

static void nap_for_ever(void)
{
	for (;;)
		pause();
}

static void mark(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	char block[4096];

	memset(block, 0x5a, sizeof(block));
	(void)argc;
	(void)argv;
	(void)mark;
	(void)nap_for_ever;
	switch (PAYLOAD) {
	case CRASH:
		fprintf(stderr, "about to fail\n");
		raise(SIGSEGV);
		break;
	case EXIT_3:
		return 3;
	case KILL:
		raise(SIGKILL);
		break;
	case LOOP:
		for (volatile int i = 0;; i++)
			;
	case FORK:
		for (int i = 0; i < 8; i++)
			if (fork() == 0) {
				if (i % 2)
					setsid();
				nap_for_ever();
			}
		nap_for_ever();
		break;
	case EAT:
		for (;;) {
			char *p = malloc(1 << 20);

			if (!p)
				abort();
			memset(p, 1, 1 << 20);
		}
	case GARBAGE:
		for (int i = 0; i < 100; i++)
			if (write(1, block, sizeof(block)) < 0)
				return 1;
		break;
	case FLOOD:
		while (write(1, block, sizeof(block)) > 0)
			;
		break;
	case CRUMBS:
		if (write(1, "HWR1\1\0\0\0\36\0\0\0", 12) < 0)
			return 1;
		break;
#if PAYLOAD == BIG
	case BIG:
		return big[argc];
#endif
	}
	return 0;
}
